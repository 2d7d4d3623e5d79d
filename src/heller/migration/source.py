"""The legacy system, opened read-only in one snapshot: a PostgreSQL URL, or a folder of JSON or CSV files.

Nothing here can write to it: the session and the transaction are both read-only, and the snapshot is
REPEATABLE READ, so that all tables are of one instant.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import AsyncConnection, AsyncCopy, sql
from psycopg.conninfo import conninfo_to_dict

from heller import pooler
from heller.database import lift_limits, unreachable
from heller.errors import SourceError
from heller.migration.catalogue import Catalogue, read_catalogue
from heller.migration.files import FILES_SCHEMA, load_folder
from heller.migration.mapping import read_mapping
from heller.migration.shapes import Mapping, recognise

STATEMENT_TIMEOUT_SECONDS = 6 * 3600
IDLE_TIMEOUT_SECONDS = 6 * 3600
LOCK_TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 10
_OWN_NAMES_FIRST = """
select pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', 'pg_catalog', nullif(pg_catalog.current_setting('search_path'), '')), false)
"""
"""PostgreSQL's own tables and functions are meant, even where the search_path puts others before them."""
OWN_SCHEMAS = ("heller", "heller_staging", FILES_SCHEMA)


@dataclass(frozen=True, slots=True)
class Source:
    """A snapshot of the legacy system: its connection, its catalogue, what its columns mean, its printable name."""

    connection: AsyncConnection
    catalogue: Catalogue
    mapping: Mapping
    name: str

    @asynccontextmanager
    async def copying(self, statement: sql.Composed) -> AsyncIterator[AsyncCopy]:
        """A COPY TO STDOUT. A database of encoding SQL_ASCII sends whatever bytes it holds; elsewhere they are UTF-8."""
        query = statement.as_bytes(self.connection)  # before the encoding changes
        if self.has_any_bytes:
            await self.connection.execute(
                "set client_encoding = 'LATIN1'"
            )  # as which any bytes pass unchanged
        async with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            yield copy
        if self.has_any_bytes:
            await self.connection.execute("set client_encoding = 'UTF8'")

    @property
    def has_any_bytes(self) -> bool:
        """Whether texts may be of any encoding."""
        return self.catalogue.encoding == "SQL_ASCII"

    def utf8(self, data: bytes) -> bytes:
        """What ``copying`` gave, as text of UTF-8: bytes that are none become the sign for that."""
        return data.decode("utf-8", "replace").encode() if self.has_any_bytes else data


@asynccontextmanager
async def open_catalogue(
    source: str, workspace: AsyncConnection, *, with_time_zones: bool = False
) -> AsyncIterator[tuple[AsyncConnection, Catalogue]]:
    """The source's read-only snapshot and what its catalogue says, before anything is recognised."""
    schemas: list[str] | None = None
    target = source
    if _is_folder(source):
        await load_folder(workspace, Path(source))
        target, schemas = url_of(workspace), [FILES_SCHEMA]
    elif "://" not in source and "=" not in source:
        raise SourceError(
            f"{source} is no PostgreSQL URL and no folder.",
            hint="Give postgresql://user:password@host/database.",
        )
    try:
        connection = await AsyncConnection.connect(
            target, connect_timeout=CONNECT_TIMEOUT_SECONDS, autocommit=True
        )
    except psycopg.Error as error:
        raise unreachable(
            error, target, what="The legacy database", hint="Check --source (LEGACY_DATABASE_URL)."
        ) from error
    try:
        await pooler.require_session(connection, target, what="Reading the legacy database")
        await _begin(connection)
        yield (
            connection,
            await read_catalogue(
                connection, schemas=schemas, without=OWN_SCHEMAS, with_time_zones=with_time_zones
            ),
        )
    finally:
        await connection.close()


@asynccontextmanager
async def open_source(
    source: str, *, workspace: AsyncConnection, mapping: Path | None = None
) -> AsyncIterator[Source]:
    """Open ``source`` and recognise it, or read it by ``mapping``. Raises SourceError, MappingError."""
    async with open_catalogue(source, workspace, with_time_zones=mapping is not None) as (
        connection,
        catalogue,
    ):
        understood = read_mapping(mapping, catalogue) if mapping else recognise(catalogue)
        yield Source(connection, catalogue, understood, printable(source))


def _is_folder(source: str) -> bool:
    return "://" not in source and Path(source).is_dir()


async def _begin(connection: AsyncConnection) -> None:
    """Open the snapshot. Plain SET works for a role that may only SELECT."""
    await lift_limits(connection)
    await connection.execute(_OWN_NAMES_FIRST)
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "client_encoding": "UTF8",
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "extra_float_digits": "1",
        "bytea_output": "hex",
        "row_security": "off",  # a policy that hides rows is an error, not a shorter table
        "application_name": "heller migrate",
    }
    for name, value in settings.items():
        await connection.execute(sql.SQL("set {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    await connection.execute("begin transaction isolation level repeatable read, read only")
    await connection.execute("select 1")  # the snapshot is taken by the first statement


def printable(source: str) -> str:
    """The source without its password, for reports."""
    if "://" not in source and "=" not in source:
        return Path(source).name
    parts = conninfo_to_dict(source)
    return (
        f"postgresql://{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    )


def url_of(connection: AsyncConnection) -> str:
    """The URL, with its password, of the database that a session is in."""
    password = connection.info.password
    return psycopg.conninfo.make_conninfo(connection.info.dsn, **({"password": password} if password else {}))
