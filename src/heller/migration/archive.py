"""``heller migrate archive``: the end of the legacy database: nobody writes to it any more, and a dump of it is kept.

Read-only is a setting of the database (``default_transaction_read_only``), which its owner can take back; who is
connected now goes on until the connection ends, held off by the fence. A database that serves the rest of the
application as well (``shared``) stays open: there the fence alone keeps the credits closed, and must be whole.
"""

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql

from heller import dump, schema
from heller.database import call, connect, translating
from heller.errors import InvalidArgument, MigrationError
from heller.migration.handover import fence
from heller.migration.handover.layout import read_layout

DUMP = "legacy.dump"
MANIFEST = "manifest.json"
HOMELESS_SHOWN = 3

_TABLES = """
select quote_ident(n.nspname) || '.' || quote_ident(c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_' order by 1
"""
_STILL_THERE = (
    "select user_id from heller_fence.fence where epoch % 2 = 0 and not stray order by user_id limit 4"
)


@dataclass(frozen=True, slots=True)
class Archived:
    """The archive: where it is, what it holds, and whether the database takes no more changes, or only none of credits."""

    folder: str
    database: str
    taken_at: str
    tables: dict[str, int]
    dump_bytes: int
    dump_sha256: str
    read_only: bool
    fenced: bool


async def archive(
    source: str, url: str, folder: Path, *, shared: bool = False, actor: str = "cli"
) -> Archived:
    """Make the legacy database read-only and keep a dump of it with a manifest; again takes another dump.

    With ``shared`` it stays open for the rest of the application.

    Raises:
        MigrationError: users are still at home there, nothing was ever moved here from it, or a shared one has no whole fence.
        InvalidArgument: the folder is not empty.
        PermissionMissing: the role does not own the legacy database.
    """
    await asyncio.to_thread(_prepare, folder)
    async with await connect(url) as ours, await connect(source, application_name="heller archive") as legacy:
        await schema.require(ours)
        await _require_empty_house(legacy, ours)
        name, fenced = legacy.info.dbname, await _is_fenced(legacy, needed=shared)
        with translating():
            if not shared:
                statement = sql.SQL("alter database {} set default_transaction_read_only = on")
                await legacy.execute(statement.format(sql.Identifier(name)))
            async with dump.snapshot(legacy) as instant:
                tables = await _count(legacy)
                arguments = ["--format=custom", f"--snapshot={instant}", f"--file={folder / DUMP}"]
                await dump.run("pg_dump", source, legacy, arguments)
        size, digest = await asyncio.to_thread(dump.digest_of, folder / DUMP)
        done = Archived(
            str(folder),
            name,
            datetime.now(UTC).isoformat(),
            tables,
            size,
            digest,
            await _refuses(source),
            fenced,
        )
        text = json.dumps(asdict(done), indent=2) + "\n"
        await asyncio.to_thread((folder / MANIFEST).write_text, text, "utf-8")
        detail = {"database": name, "sha256": digest, "bytes": size, "rows": sum(tables.values())}
        await call(
            ours,
            "record_evidence",
            kind="archive",
            ok=done.read_only or (shared and fenced),
            detail=detail,
            actor=actor,
        )
    return done


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    present = {path.name for path in folder.iterdir()}
    if MANIFEST in present or present - {DUMP}:
        raise InvalidArgument(f"{folder} is not empty.", hint="Give a new folder.", argument="folder")


async def _require_empty_house(legacy: AsyncConnection, ours: AsyncConnection) -> None:
    if await fence.is_installed(legacy):
        rows = await (await legacy.execute(_STILL_THERE)).fetchall()
        if rows:
            names = ", ".join(row[0] for row in rows[:HOMELESS_SHOWN])
            raise MigrationError(
                f"Users are still at home in the legacy database: {names}{', ...' if len(rows) > HOMELESS_SHOWN else ''}.",
                hint="Finish the rollout first; 'heller migrate status' says who is where.",
            )
        return
    row: Any = await (
        await ours.execute("select exists (select from heller.migration_runs where finished_at is not null)")
    ).fetchone()
    if not row[0]:
        raise MigrationError(
            "Nothing was ever moved here from a legacy database.", hint="Run 'heller migrate run' first."
        )


async def _is_fenced(legacy: AsyncConnection, *, needed: bool) -> bool:
    """Whether the fence refuses every change of credits; where nothing else will, it is tried."""
    if not needed:
        return await fence.is_installed(legacy)
    found = await fence.status(legacy, await read_layout(legacy), test=True)
    if not found.ok:
        raise MigrationError(
            f"The database stays open, so its fence must be whole: {'; '.join(found.problems)}.",
            hint="Run 'heller migrate fence install' first.",
        )
    return True


async def _count(legacy: AsyncConnection) -> dict[str, int]:
    tables: dict[str, int] = {}
    for (name,) in await (await legacy.execute(_TABLES)).fetchall():
        row: Any = await (
            await legacy.execute(f"select count(*) from {name}")
        ).fetchone()  # quoted by PostgreSQL itself
        tables[name] = int(row[0])
    return tables


async def _refuses(source: str) -> bool:
    """Whether a new connection may not write."""
    async with await connect(source, application_name="heller archive") as connection:
        row: Any = await (await connection.execute("show transaction_read_only")).fetchone()
        return bool(row[0] == "on")
