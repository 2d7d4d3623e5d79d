"""The schema ``heller``: numbered migrations for state, one file an object for functions and views.

Migrations are append-only and run once. Functions and views have one copy each in the package and are
applied again when their checksum changes. ``verify`` compares the database with what was applied.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg import errors as pg

from heller import citus as cluster
from heller.database import connect, lift_limits, translating
from heller.errors import DatabaseError, PermissionMissing, SchemaMismatch, SchemaMissing

APPLICATION_ROLE = "heller_app"
BOOKS = ("schema_migrations", "schema_objects", "schema_fingerprints")
LOCK_KEY = 0x68656C6C  # "hell" in ASCII: one schema change at a time per database
LOCK_TIMEOUT = "5s"
POSTGRESQL_MIN = 150_000

_BOOKS = """
create schema if not exists heller;
create table if not exists heller.schema_migrations (
  number integer not null constraint schema_migrations_pkey primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);
comment on table heller.schema_migrations is 'The migrations that were applied.';
create table if not exists heller.schema_objects (
  path text collate "C" not null constraint schema_objects_pkey primary key,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);
comment on table heller.schema_objects is 'The function and view files that were applied.';
create table if not exists heller.schema_fingerprints (
  object text collate "C" not null constraint schema_fingerprints_pkey primary key,
  digest text not null
);
comment on table heller.schema_fingerprints is 'What the catalogue said of each object after the last apply.';
"""

SERVER = "server"
"""The fingerprint that is PostgreSQL's own major version: another one may show the same view in other words."""

_FINGERPRINT = """
select 'server', (current_setting('server_version_num')::integer / 10000)::text
union all
select 'table ' || c.relname, md5(string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
         a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), ',' order by a.attnum))
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'heller'::regnamespace and c.relkind in ('r', 'p') group by c.relname
union all
select 'constraint ' || conrelid::regclass || ' ' || conname, md5(pg_get_constraintdef(oid))
from pg_constraint where connamespace = 'heller'::regnamespace and contype <> 'n'
union all
select 'index ' || c.relname, md5(pg_get_indexdef(c.oid)) from pg_class c
where c.relnamespace = 'heller'::regnamespace and c.relkind = 'i'
union all
select 'trigger ' || c.relname || ' ' || t.tgname, md5(pg_get_triggerdef(t.oid) || t.tgenabled::text)
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where c.relnamespace = 'heller'::regnamespace and not t.tgisinternal
union all
select 'view ' || c.relname, md5(pg_get_viewdef(c.oid)) from pg_class c
where c.relnamespace = 'heller'::regnamespace and c.relkind = 'v'
union all
select 'function ' || p.oid::regprocedure, md5(case p.prokind when 'a' then p.proname else pg_get_functiondef(p.oid) end)
from pg_proc p where p.pronamespace = 'heller'::regnamespace
"""

# The end of a statement, or what may have a semicolon in it.
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|(\$\w*\$).*?\1|;""", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True, slots=True)
class File:
    """One file of SQL in the package."""

    path: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """The text in single statements: to the servers of a cluster a change of a table is sent as it came."""
        ends = [found.end() for found in _TOKEN.finditer(self.text) if found[0] == ";"]
        parts = [self.text[begin:end] for begin, end in pairwise([0, *ends, len(self.text)])]
        return [part for part in parts if _COMMENT.sub("", part).strip()]

    @property
    def number(self) -> int:
        """The number a migration's file name starts with."""
        return int(self.path.rsplit("/", 1)[-1].split("_", 1)[0])


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``apply`` would do: migrations first, then functions and views whose text changed."""

    migrations: tuple[File, ...]
    objects: tuple[File, ...]

    @property
    def is_empty(self) -> bool:
        """Nothing to do."""
        return not self.migrations and not self.objects

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"migrations": [f.path for f in self.migrations], "objects": [f.path for f in self.objects]}


def files(folder: str) -> list[File]:
    """The SQL files of one folder of the package, in order of name."""
    root = resources.files("heller") / "sql" / folder
    return [
        File(f"{folder}/{item.name}", item.read_text("utf-8"))
        for item in sorted(root.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".sql")
    ]


async def plan(url: str) -> Plan:
    """What ``apply`` would do to this database.

    Raises:
        SchemaMismatch: the database is newer than this program, or an applied migration was edited.
    """
    connection = await connect(url)
    async with connection:
        return await _plan(connection)


async def apply(url: str, *, citus: bool = False) -> Plan:
    """Bring the schema to this program's version; one transaction, one run at a time.

    ``citus``: then spread it over the servers of a Citus cluster, sharded by account.

    Raises:
        SchemaMismatch: the database is newer than this program.
        PermissionMissing: the role may not create the schema.
        DatabaseError: ``citus``, and the server does not have it.
    """
    connection = await connect(url)
    async with connection:
        try:
            with translating():
                await lift_limits(
                    connection
                )  # an index takes what it takes; for locks there is a limit of its own
                is_spread = await cluster.is_spread(connection)
                done = await _apply(connection, is_spread=is_spread)
                if citus or is_spread:
                    await _spread(connection)
                return done
        except PermissionMissing as error:
            raise PermissionMissing(
                error.message, hint="Use the owner's URL here; the application itself needs no such right."
            ) from error


async def grant(url: str) -> None:
    """Give the application role its rights anew, as after a restore, which brings none."""
    async with await connect(url) as connection:
        with translating():
            async with connection.transaction():
                await connection.execute("set local search_path = pg_catalog")  # catalogue names in full
                await _grant(connection)


async def verify(url: str) -> list[str]:
    """Every difference between the database's schema and the one this program brings, as sentences.

    Raises:
        SchemaMissing: there is no schema heller.
    """
    connection = await connect(url)
    async with connection:
        if not await _exists(connection):
            raise SchemaMissing("The database has no schema heller.", hint="Run 'heller schema apply'.")
        todo = await _plan(connection)
        if not todo.migrations and await _is_moved(connection):
            return ["PostgreSQL is another major version than at the last apply: run 'heller schema apply'"]
        problems = [f"{file.path} has not been applied" for file in (*todo.migrations, *todo.objects)]
        async with connection.transaction():
            await _say_in_full(connection)
            recorded = dict(await _rows(connection, "select object, digest from heller.schema_fingerprints"))
            present = dict(await _rows(connection, _FINGERPRINT))
    problems += [f"{name} is missing" for name in sorted(recorded.keys() - present.keys())]
    problems += [f"{name} is not heller's" for name in sorted(present.keys() - recorded.keys())]
    problems += [
        f"{name} was changed"
        for name in sorted(recorded.keys() & present.keys())
        if recorded[name] != present[name]
    ]
    return problems


async def require(connection: AsyncConnection) -> None:
    """Refuse a database whose tables are not this program's.

    Functions are not compared: during a rolling upgrade the old program meets the new functions, whose released
    signatures never change. ``verify`` compares everything.

    Raises:
        SchemaMissing: there is none.
        SchemaMismatch: migrations are pending, or the database is newer.
    """
    if not await _exists(connection):
        raise SchemaMissing("The database has no schema heller.", hint="Run 'heller schema apply'.")
    todo = await _plan(connection)
    if todo.migrations:
        raise SchemaMismatch(
            f"The schema heller is older than this program ({todo.migrations[0].path} is not applied).",
            hint="Run 'heller schema apply'.",
        )


async def _exists(connection: AsyncConnection) -> bool:
    rows = await _rows(connection, "select to_regclass('heller.schema_migrations') is not null")
    return bool(rows[0][0])


async def _rows(connection: AsyncConnection, query: str) -> list[tuple[Any, ...]]:
    with translating():
        return await (await connection.execute(sql.SQL(query))).fetchall()


async def _plan(connection: AsyncConnection) -> Plan:
    migrations, objects = files("migrations"), files("functions") + files("views")
    if not await _exists(connection):
        return Plan(tuple(migrations), tuple(objects))
    applied = {
        number: (name, checksum)
        for number, name, checksum in await _rows(
            connection, "select number, name, checksum from heller.schema_migrations"
        )
    }
    known = {file.number: file for file in migrations}
    for number, (name, checksum) in sorted(applied.items()):
        if number not in known:
            raise SchemaMismatch(
                f"The database has migration {name}, which this program does not know: it is newer.",
                hint="Upgrade heller on this machine.",
            )
        if known[number].checksum != checksum:
            raise SchemaMismatch(
                f"Migration {name} was applied with another text than this program brings.",
                hint="Applied migrations are never edited; install the release that wrote this database.",
            )
    checksums = dict(await _rows(connection, "select path, checksum from heller.schema_objects"))
    if await _is_moved(connection):
        checksums = {}  # all anew, so that they are this program's and their fingerprints this server's
    return Plan(
        tuple(file for file in migrations if file.number not in applied),
        tuple(file for file in objects if checksums.get(file.path) != file.checksum),
    )


async def _is_moved(connection: AsyncConnection) -> bool:
    """Whether the schema came here from another major version of PostgreSQL, by a restore or by pg_upgrade."""
    rows = await _rows(
        connection,
        "select (current_setting('server_version_num')::integer / 10000)::text is distinct from"
        f" (select digest from heller.schema_fingerprints where object = '{SERVER}')",
    )
    return bool(rows[0][0])


async def _apply(connection: AsyncConnection, *, is_spread: bool) -> Plan:
    async with connection.transaction():
        # who waited for the lock must see what the other has applied
        await connection.execute("set transaction isolation level read committed")
        if is_spread:
            await cluster.prepare(connection)
        await connection.execute("select set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        await connection.execute("select pg_advisory_xact_lock(%s)", [LOCK_KEY])
        await connection.execute("set local check_function_bodies = off")  # functions may name later ones
        await connection.execute("set local client_min_messages = warning")
        await _say_in_full(connection)
        await _refuse_what_does_not_fit(connection)
        await connection.execute(_BOOKS)
        todo = await _plan(connection)
        if todo.is_empty:
            return todo
        if todo.migrations and todo.migrations[0].number > 1:
            # what each verb locks first: one that has begun ends, and no other begins that would be in the way
            await connection.execute("lock table heller.accounts in access exclusive mode")
        for file in todo.migrations:
            await _run(connection, file)
            await connection.execute(
                "insert into heller.schema_migrations (number, name, checksum) values (%s, %s, %s)",
                [file.number, file.path.removeprefix("migrations/"), file.checksum],
            )
        for file in todo.objects:
            await _run(connection, file)
            await connection.execute(
                "insert into heller.schema_objects (path, checksum) values (%s, %s)"
                " on conflict (path) do update set checksum = excluded.checksum, applied_at = clock_timestamp()",
                [file.path, file.checksum],
            )
        await _grant(connection)
        await _note_fingerprints(connection)
    return todo


async def _say_in_full(connection: AsyncConnection) -> None:
    """Read SQL, and show the catalogue, in one way whoever looks: the default of ``head_hash`` and the fingerprints depend on it."""
    for setting in (
        "search_path = pg_catalog",
        "standard_conforming_strings = on",
        "quote_all_identifiers = off",
    ):
        await connection.execute(f"set local {setting}")


async def _refuse_what_does_not_fit(connection: AsyncConnection) -> None:
    if connection.info.server_version < POSTGRESQL_MIN:
        raise DatabaseError(
            f"This is PostgreSQL {connection.info.server_version // 10_000}, which is too old.",
            hint=f"heller needs PostgreSQL {POSTGRESQL_MIN // 10_000} or newer.",
        )
    if await _exists(connection):
        return
    strange = await _rows(
        connection,
        "select relname from pg_class where relnamespace = to_regnamespace('heller') and relkind in ('r', 'p', 'v', 'm', 'f')"
        " order by relname limit 3",
    )
    if strange:
        raise SchemaMismatch(
            f"There is a schema heller already, and it is not heller's: it has {', '.join(row[0] for row in strange)}.",
            hint="Rename it (alter schema heller rename to ...), or name another database: heller needs the name for itself.",
        )


async def _run(connection: AsyncConnection, file: File) -> None:
    for statement in file.statements:
        await connection.execute(sql.SQL(statement))


async def _spread(connection: AsyncConnection) -> None:
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", [LOCK_KEY])
        await cluster.distribute(connection)
        await _say_in_full(connection)
        await _grant(connection)  # on the workers as well
        await _note_fingerprints(connection)


async def _note_fingerprints(connection: AsyncConnection) -> None:
    await connection.execute("delete from heller.schema_fingerprints")
    await connection.execute(
        sql.SQL("insert into heller.schema_fingerprints (object, digest) ") + sql.SQL(_FINGERPRINT)
    )


async def _grant(connection: AsyncConnection) -> None:
    """Let the application role call the public functions, read the views and what was applied, and nothing else."""
    role = sql.Identifier(APPLICATION_ROLE)
    try:
        async with connection.transaction():
            found = await _rows(connection, f"select 1 from pg_roles where rolname = '{APPLICATION_ROLE}'")
            if not found:
                await connection.execute(sql.SQL("create role {} nologin").format(role))
    except (pg.InsufficientPrivilege, pg.DuplicateObject, pg.UniqueViolation):
        found = await _rows(connection, f"select 1 from pg_roles where rolname = '{APPLICATION_ROLE}'")
        if not found:  # a host that lets nobody create roles: the owner's role is the application's
            return
    await connection.execute("revoke all on all functions in schema heller from public")
    await connection.execute(sql.SQL("grant usage on schema heller to {}").format(role))
    callables = await _rows(
        connection,
        "select p.oid::regprocedure::text from pg_proc p"
        " where p.pronamespace = 'heller'::regnamespace and p.proname !~ '^_' and p.prokind <> 'a'",
    )
    views = await _rows(
        connection,
        "select c.oid::regclass::text from pg_class c where c.relnamespace = 'heller'::regnamespace and c.relkind = 'v'",
    )
    for (name,) in callables:
        await connection.execute(sql.SQL(f"grant execute on function {name} to {{}}").format(role))
    for (name,) in (*views, *((f"heller.{book}",) for book in BOOKS)):
        await connection.execute(sql.SQL(f"grant select on {name} to {{}}").format(role))
