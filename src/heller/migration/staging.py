"""The staged copy of a source in the workspace database, and the lock that one run holds.

``open_workspace`` takes the lock; ``stage`` streams each table once, casts only, and resolves
identities and bookings with SQL that no longer cares which source it came from. ``fingerprint`` says
whether a source is still what was staged, without reading it again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.resources import files

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.abc import PQGen
from psycopg.generators import copy_from
from psycopg.pq.abc import PGconn

from heller import pooler
from heller.database import lift_limits, unreachable
from heller.errors import Busy, SourceError
from heller.migration.catalogue import Table
from heller.migration.progress import Progress, silent
from heller.migration.selects import source_select, staged_columns, staging_table
from heller.migration.shapes import TableMapping
from heller.migration.source import CONNECT_TIMEOUT_SECONDS, Source, url_of

LOCK_RUN = 7_401_001
LOCK_WORKERS = 7_401_002
LOCK_WAIT_SECONDS = 5
COPY_CHUNK_BYTES = 1 << 17
PROGRESS_EVERY_ROWS = 20_000
CREDITS_MAX = 2**63 - 1
ROW_HASH_SINCE = 140_000  # of hash_record_extended, by the server's number
SETTINGS = {
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "work_mem": "128MB",
    "maintenance_work_mem": "256MB",
    "default_statistics_target": "30",
    "standard_conforming_strings": "on",
    "jit": "off",  # compiling costs more than it saves where each statement runs once
    "client_connection_check_interval": "500ms",
    "client_min_messages": "warning",
    "application_name": "heller migrate",
}
"""A run's own sessions. The server notices within half a second that a killed run is gone, and frees its locks."""

_TOTAL = """
select coalesce(sum(x.credits), 0) from (
  select sum(abs(balance::numeric)) as credits from heller_staging.users
  union all select 2 * sum(moved) from heller_staging.tallies
  union all select 2 * sum(abs(coalesce(credits, amount / 5)::numeric)) from heller_staging.payments
) x
"""
"""An upper bound of whatever is made of the source's numbers: a decision can add or take a row's credits once more."""
_LARGEST = """
select s.label, x.id, x.credits from (
  select source, id, balance as credits from heller_staging.users
  union all select source, id, delta from heller_staging.transactions
  union all select source, id, coalesce(credits, amount / 5) from heller_staging.payments
) x join heller_staging.sources s using (source) where x.credits is not null order by abs(x.credits) desc limit 1
"""

_HASH_OF_TEXT = "('x' || left(md5(r::text), 16))::bit(64)::bigint"  # before PostgreSQL 14


def script(name: str) -> str:
    """The text of a SQL file of this package."""
    return files("heller.migration").joinpath("sql", name).read_text(encoding="utf-8")


async def execute_script(connection: AsyncConnection, name: str, **names: sql.Composable) -> None:
    """Run a SQL file statement by statement; ``{name}`` in it is replaced by composed SQL."""
    text = script(name)
    statement = sql.SQL(text).format(**names) if names else sql.SQL(text)
    await connection.execute(statement)


async def connect(database: str) -> AsyncConnection:
    """A session of the run in heller's own database, in autocommit. Raises DatabaseUnavailable, SettingsError."""
    try:
        connection = await AsyncConnection.connect(
            database, connect_timeout=CONNECT_TIMEOUT_SECONDS, autocommit=True
        )
    except psycopg.Error as error:
        raise unreachable(
            error, database, what="heller's own database", hint="Check --database (DATABASE_URL)."
        ) from error
    try:
        await pooler.require_session(connection, database, what="A migration")
        await lift_limits(connection)
        for name, value in SETTINGS.items():
            await connection.execute(sql.SQL("set {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    except BaseException:
        await connection.close()
        raise
    return connection


@asynccontextmanager
async def open_workspace(
    database: str, *, takes_up: bool = False, leaves: bool = False
) -> AsyncIterator[AsyncConnection]:
    """A session that holds the run's lock. Raises Busy while another migrate command is at work.

    The lock belongs to the session: it goes when the process goes, however it goes. The second
    lock is shared by the sessions that copy, so that none of a killed run is still writing.

    What is staged is dropped before and after, unless the block ``takes_up`` what was left, or ``leaves`` it to the next.
    """
    connection = await connect(database)
    try:
        await connection.execute(
            sql.SQL("set lock_timeout = {}").format(sql.Literal(f"{LOCK_WAIT_SECONDS}s"))
        )
        for lock in (LOCK_RUN, LOCK_WORKERS):
            try:
                await connection.execute("select pg_advisory_lock(%s)", (lock,))
            except psycopg.errors.LockNotAvailable as error:
                raise Busy(
                    "Another heller migrate command is at work on this database.",
                    hint="Wait until it is done, then run again.",
                ) from error
        await connection.execute("select pg_advisory_unlock(%s)", (LOCK_WORKERS,))
        await connection.execute("set lock_timeout = 0")
        if not takes_up:
            await drop_staging(connection)
        yield connection
        if not leaves:
            await drop_staging(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def beside(workspace: AsyncConnection) -> AsyncIterator[AsyncConnection]:
    """A further session in the workspace's database. The lock that it shares tells the next run that this one is still at work."""
    connection = await connect(url_of(workspace))
    try:
        await connection.execute("select pg_advisory_lock_shared(%s)", (LOCK_WORKERS,))
        yield connection
    finally:
        await connection.close()


async def drop_staging(connection: AsyncConnection) -> None:
    """Remove the staged copy and the loaded files."""
    await connection.execute("drop schema if exists heller_staging, heller_files cascade")


async def stage(workspace: AsyncConnection, source: Source, *, progress: Progress = silent) -> datetime:
    """Stage the whole source; answers the instant of its snapshot. Memory does not grow with the rows."""
    await workspace.execute("drop schema if exists heller_staging cascade")
    await execute_script(workspace, "staging.sql")
    await _stage_words(workspace, source)
    for number, mapping in enumerate(source.mapping.tables, start=1):
        await _stage_table(workspace, source, mapping, number=number, progress=progress)
    await workspace.execute("analyze heller_staging.sources")
    await execute_script(workspace, "tidy.sql")
    progress("resolve", 0, 3)
    async with beside(workspace) as second:
        await asyncio.gather(
            execute_script(workspace, "identities.sql"), execute_script(second, "history.sql")
        )
    await _require_room(workspace)
    for done, name in enumerate(("references.sql", "bookings.sql"), start=1):
        progress("resolve", done, 3)
        await execute_script(workspace, name)
    progress("resolve", 3, 3)
    row = await (await source.connection.execute("select transaction_timestamp()")).fetchone()
    instant: datetime = row[0] if row else datetime.now().astimezone()
    return instant


async def _require_room(workspace: AsyncConnection) -> None:
    """Refuse a source whose numbers add up to more than a number can be, naming the largest: no sum fails later on."""
    row = await (await workspace.execute(_TOTAL)).fetchone()
    if row is None or row[0] <= CREDITS_MAX:
        return
    label, row_id, largest = await (await workspace.execute(_LARGEST)).fetchone() or ("", "", 0)
    raise SourceError(
        f"The credits of this source add up to more than {CREDITS_MAX:,}, which no ledger can hold;"
        f" {label} {row_id} alone says {largest:,}.",
        hint="Set it right in the source, or name a view in a mapping that gives such rows another number.",
    )


async def _stage_words(workspace: AsyncConnection, source: Source) -> None:
    """The mapping's own understanding of reasons and statuses."""
    async with workspace.cursor() as cursor:
        for table, words in (("kinds", source.mapping.kinds), ("statuses", source.mapping.statuses)):
            await cursor.executemany(
                sql.SQL("insert into heller_staging.{} values (%s, %s)").format(sql.Identifier(table)),
                list(words.items()),
            )


async def _stage_table(
    workspace: AsyncConnection, source: Source, mapping: TableMapping, *, number: int, progress: Progress
) -> None:
    table = source.catalogue.find(mapping.schema, mapping.table)
    if table is None:
        raise SourceError(f"{mapping.schema}.{mapping.table} has gone since the catalogue was read.")
    # text can be mended in passing, binary need not be parsed
    form = sql.SQL("text" if source.has_any_bytes else "binary")
    read = sql.SQL("copy ({}) to stdout (format {})").format(source_select(mapping, table, number), form)
    staging = staging_table(mapping.part)
    write = sql.SQL("copy heller_staging.{} ({}) from stdin (format {})").format(
        sql.Identifier(staging), sql.SQL(", ").join(map(sql.Identifier, staged_columns(mapping))), form
    )
    rows = await stream(
        source, workspace, read=read, write=write,
        progress=progress, step=f"read {mapping.label}", estimate=table.rows_estimate,
    )  # fmt: skip
    await workspace.execute(
        "insert into heller_staging.sources (source, part, label, rows, strict, json_type) values (%s, %s, %s, %s, %s, %s)",
        (number, mapping.part, mapping.label, rows, mapping.strict, _json_type(mapping, table)),
    )
    identifier = mapping.columns.get("id")
    if identifier is not None and (identifier,) not in table.unique:
        await execute_script(
            workspace, "duplicates.sql",
            table=sql.Identifier(staging), source=sql.Literal(number),
            user_ref=sql.SQL("null" if mapping.part == "users" else "user_ref"),
            credits=sql.SQL({"users": "balance", "payments": "credits"}.get(mapping.part, "delta")),
        )  # fmt: skip
    await workspace.execute(sql.SQL("analyze heller_staging.{}").format(sql.Identifier(staging)))


def _json_type(mapping: TableMapping, table: Table) -> str | None:
    """``jsonb`` or ``json`` when the source's own type has checked the syntax of the extra data."""
    type_name = table.columns.get(mapping.columns.get("metadata", ""))
    return type_name if type_name in {"json", "jsonb"} else None


async def stream(
    source: Source,
    target: AsyncConnection,
    *,
    read: sql.Composed,
    write: sql.Composed,
    progress: Progress,
    step: str,
    estimate: int,
) -> int:
    """Pass COPY data from one database to the other, in chunks; answers the number of rows."""
    rows = told = 0
    total: int | None = None
    async with (
        source.copying(read),
        target.cursor() as writing,
        writing.copy(write) as copy_in,
    ):
        while total is None:
            block, total = await source.connection.wait(_block(source.connection.pgconn))
            await copy_in.write(source.utf8(b"".join(block)))
            rows += len(block)
            if rows - told >= PROGRESS_EVERY_ROWS:
                told = rows
                progress(step, rows, max(estimate, rows))
    progress(step, total, total)
    return total


def _block(connection: PGconn) -> PQGen[tuple[list[bytes], int | None]]:
    """The next rows of a COPY TO STDOUT, and after the last the number of all. A wait for each row would cost four times the row."""
    block: list[bytes] = []
    size = 0
    while size < COPY_CHUNK_BYTES:
        row = yield from copy_from(connection)
        if not isinstance(row, memoryview):
            return block, row.command_tuples or 0
        block.append(bytes(row))
        size += len(row)
    return block, None


async def fingerprint(source: Source) -> str:
    """A digest of all that ``stage`` reads, made by the source's own server; it does not depend on the order of rows.

    Only digests of one server can be compared: another release may hash in another way.
    """
    can_hash = source.connection.info.server_version >= ROW_HASH_SINCE
    row_hash = sql.SQL("hash_record_extended(r, 0)" if can_hash else _HASH_OF_TEXT)
    parts: list[str] = []
    for number, mapping in enumerate(source.mapping.tables, start=1):
        table = source.catalogue.find(mapping.schema, mapping.table)
        if table is None:
            raise SourceError(f"{mapping.schema}.{mapping.table} has gone since the catalogue was read.")
        query = sql.SQL("select count(*) || ':' || coalesce(sum({}), 0) from ({}) r").format(
            row_hash, source_select(mapping, table, number)
        )
        row = await (await source.connection.execute(query)).fetchone()
        parts.append(f"{mapping.label}={row[0] if row else ''}")
    return ";".join(parts)
