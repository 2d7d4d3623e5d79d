"""``heller backup`` and ``heller restore``: PostgreSQL's own dump of the schema, a manifest, and a proof after the restore.

The manifest's counts are of the very snapshot that was dumped. A restore ends with ``heller verify`` and with the same
counts, or it says which differ.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql

from heller import citus as cluster
from heller import dump, embedded, schema
from heller.database import call, connect, lift_limits, translating
from heller.errors import IntegrityError, InvalidArgument, PermissionMissing, SchemaMismatch
from heller.ledger import Verification, verify

DUMP = "heller.dump"
MANIFEST = "manifest.json"
FORMAT = 1
TRANSACTION_TIMEOUT_SINCE = 170_000  # by the server's number; a dump of one that has it sets it
WRITERS_WAIT = "10s"

_TABLES = "select c.relname from pg_class c where c.relnamespace = 'heller'::regnamespace and c.relkind = 'r' and c.relpersistence = 'p' order by 1"
"""Without what a crash empties: a replica cannot even read it."""
_HEADS = """
select encode(coalesce(heller._chain(record_send(row(account_id, unit, posted, head_hash)) order by account_id, unit), ''), 'hex')
from heller.accounts
"""
# A cluster's functions say that the ledger is spread; here it lies on one server, until it is spread anew.
_FORGET_FUNCTIONS = "delete from heller.schema_objects"
PASSING = frozenset(
    {"book_figures", "rate_limits", "jobs", "event_horizons", "evidence", "schema_fingerprints"}
)
"""Tables whose rows may differ after a restore: they tell of this server, not of anybody's credits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds: rows by table, the trial balance, one digest over every account's balance and chain."""

    format: int
    heller: str
    server: str
    taken_at: str
    migrations: list[str]
    tables: dict[str, int]
    difference: int
    heads: str
    dump_bytes: int
    dump_sha256: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to: the manifest, and the verification of what is there now."""

    manifest: Manifest
    verification: Verification
    differs: dict[str, tuple[int, int]]

    @property
    def is_ok(self) -> bool:
        """Everything is there, and everything adds up."""
        return self.verification.is_ok and not self.differs

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "ok": self.is_ok,
            "manifest": asdict(self.manifest),
            "verification": self.verification.as_json(),
            "differs": {
                name: {"manifest": due, "found": found} for name, (due, found) in self.differs.items()
            },
        }


async def backup(url: str, folder: Path, *, actor: str = "cli") -> Manifest:
    """Write the schema heller of a database into ``folder``; the manifest comes last, so a backup is whole or none.

    Raises:
        InvalidArgument: the folder holds a backup already, or something else.
        DatabaseError: pg_dump failed, with what it said.
    """
    await asyncio.to_thread(_prepare, folder)
    async with await connect(url) as connection:
        await schema.require(connection)
        async with _still(connection, url), dump.snapshot(connection) as name:
            counted = await _count(connection)
            server = str(connection.info.server_version)
            arguments = [
                "--format=custom",
                "--schema=heller",
                "--no-unlogged-table-data",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={name}",
            ]
            await dump.run("pg_dump", url, connection, [*arguments, f"--file={folder / DUMP}"])
        size, digest = await asyncio.to_thread(dump.digest_of, folder / DUMP)
        manifest = Manifest(
            format=FORMAT,
            heller=version("heller"),
            server=server,
            taken_at=datetime.now(UTC).isoformat(),
            dump_bytes=size,
            dump_sha256=digest,
            **counted,
        )
        text = json.dumps(asdict(manifest), indent=2) + "\n"
        await asyncio.to_thread((folder / MANIFEST).write_text, text, "utf-8")
        detail = {"sha256": digest, "bytes": size, "accounts": manifest.tables["accounts"]}
        with contextlib.suppress(PermissionMissing):  # a replica takes no note, and its backup is as good
            await call(connection, "record_evidence", kind="backup", ok=True, detail=detail, actor=actor)
    return manifest


@contextlib.asynccontextmanager
async def _still(connection: AsyncConnection, url: str) -> AsyncIterator[None]:
    """On a cluster nobody writes meanwhile, for its servers share no snapshot; on one server everybody does."""
    if not await cluster.is_spread(connection):
        yield
        return
    async with await connect(url) as holder:
        with translating():
            await lift_limits(holder)
        async with holder.transaction():
            with translating():
                await holder.execute("select set_config('lock_timeout', %s, true)", [WRITERS_WAIT])
                await cluster.hold_still(holder)
            yield


async def restore(folder: Path, url: str, *, actor: str = "cli") -> Restored:
    """Bring a backup into a database without a schema heller, upgrade it to this program, and verify everything.

    Raises:
        InvalidArgument: the folder holds no whole backup, or the database has a schema heller.
        IntegrityError: the dump is not what the manifest says.
        SchemaMismatch: the backup is of a newer heller.
        DatabaseError: pg_restore failed; nothing was changed.
    """
    manifest = await asyncio.to_thread(read_manifest, folder)
    known = {file.path.removeprefix("migrations/") for file in schema.files("migrations")}
    if unknown := [name for name in manifest.migrations if name not in known]:
        raise SchemaMismatch(
            f"The backup has migration {unknown[0]}, which this program does not know: it is of heller {manifest.heller}.",
            hint="Restore it with that version or a newer one.",
        )
    async with await connect(url) as connection:
        row = await (await connection.execute("select to_regnamespace('heller') is not null")).fetchone()
        if row and row[0]:
            raise InvalidArgument(
                "The database has a schema heller already.",
                hint="Restore into a new database: nothing is ever overwritten.",
                argument="database",
            )
        if connection.info.server_version < TRANSACTION_TIMEOUT_SINCE <= int(manifest.server):
            raise InvalidArgument(
                f"The backup is of PostgreSQL {int(manifest.server) // 10_000}, whose dumps no server before 17 can read.",
                hint=f"Restore it into PostgreSQL {int(manifest.server) // 10_000} or newer.",
                argument="database",
            )
        arguments = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
        await dump.run("pg_restore", url, connection, [*arguments, str(folder / DUMP)])
        counted = await _count(connection)
        await connection.execute(_FORGET_FUNCTIONS)
    await schema.apply(url)
    await schema.grant(url)
    verification = await verify(url)
    found: dict[str, int] = counted["tables"]
    differs = {
        name: (due, found.get(name, 0))
        for name, due in manifest.tables.items()
        if name not in PASSING and due != found.get(name, 0)
    }
    if counted["heads"] != manifest.heads:
        differs["accounts (digest)"] = (0, 1)
    result = Restored(manifest, verification, differs)
    async with await connect(url) as connection:
        detail = {"sha256": manifest.dump_sha256, "taken_at": manifest.taken_at}
        await call(connection, "record_evidence", kind="restore", ok=result.is_ok, detail=detail, actor=actor)
    return result


async def check(folder: Path, url: str, *, actor: str = "cli") -> Restored:
    """Restore a backup into a PostgreSQL of its own that is thrown away, and write down in ``url`` how it went."""
    with embedded.running() as server:
        result = await restore(folder, server.url, actor=actor)
    async with await connect(url) as connection:
        detail = {"sha256": result.manifest.dump_sha256, "taken_at": result.manifest.taken_at}
        await call(
            connection, "record_evidence", kind="restore_check", ok=result.is_ok, detail=detail, actor=actor
        )
    return result


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup whose dump is there as it was written.

    Raises:
        InvalidArgument: there is no whole backup.
        IntegrityError: the dump is not what the manifest says.
    """
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text("utf-8")))
        size, digest = dump.digest_of(folder / DUMP)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidArgument(
            f"{folder} holds no whole backup: {error}",
            hint="A backup without its manifest was interrupted: take another.",
            argument="folder",
        ) from None
    if manifest.format != FORMAT:
        raise InvalidArgument(
            f"{folder} is a backup of format {manifest.format}; this program reads {FORMAT}."
        )
    if (size, digest) != (manifest.dump_bytes, manifest.dump_sha256):
        raise IntegrityError(
            f"{folder / DUMP} is not what the manifest says: {size} bytes with SHA-256 {digest[:16]}...",
            hint="The file was damaged or changed: use another backup.",
        )
    return manifest


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    present = {path.name for path in folder.iterdir()}
    if MANIFEST in present:
        raise InvalidArgument(
            f"{folder} holds a backup already.",
            hint="Give each backup a folder of its own.",
            argument="folder",
        )
    if present - {DUMP}:
        raise InvalidArgument(
            f"{folder} is not empty: {', '.join(sorted(present)[:3])}.",
            hint="Give a new folder.",
            argument="folder",
        )
    folder.chmod(0o700)


async def _count(connection: AsyncConnection) -> dict[str, Any]:
    tables: dict[str, int] = {}
    with translating():
        for (name,) in await (await connection.execute(_TABLES)).fetchall():
            query = sql.SQL("select count(*) from heller.{}").format(sql.Identifier(name))
            row: Any = await (await connection.execute(query)).fetchone()
            tables[name] = int(row[0])
        heads: Any = await (await connection.execute(_HEADS)).fetchone()
        trial: Any = await (await connection.execute("select heller.trial_balance()")).fetchone()
        applied = await (
            await connection.execute("select name from heller.schema_migrations order by number")
        ).fetchall()
    return {
        "tables": tables,
        "heads": str(heads[0]),
        "difference": int(trial[0]["difference"]),
        "migrations": [str(name) for (name,) in applied],
    }
