"""Connections to PostgreSQL: one pool a process, one place where SQL errors become heller's errors."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from heller import errors, pooler, traces
from heller.settings import settings

CONNECT_TIMEOUT_SECONDS = 10
POOL_WAIT_SECONDS = 10.0
LOCK_TIMEOUT_SECONDS = 10
LIMITS = [
    "statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
]  # fmt: skip
ENCODING = "UTF8"  # whatever PGCLIENTENCODING, the role or the database say

REFUSALS: dict[str, type[errors.HellerError]] = {
    "HL001": errors.InvalidArgument,
    "HL002": errors.InsufficientCredits,
    "HL003": errors.UnknownAccount,
    "HL004": errors.AccountExists,
    "HL005": errors.AccountFrozen,
    "HL006": errors.UnknownTransaction,
    "HL007": errors.UnknownGrant,
    "HL008": errors.UnknownHold,
    "HL009": errors.HoldNotOpen,
    "HL010": errors.ExceedsOriginal,
    "HL011": errors.IdentityTaken,
    "HL012": errors.LimitExceeded,
    "HL013": errors.IdempotencyConflict,
    "HL014": errors.StaleVersion,
    "HL015": errors.IntegrityError,
    "HL016": errors.AccountAway,
    "HL017": errors.UnknownMember,
}

_HINTS: dict[str, str] = {
    "HL002": "Buy or grant credits first, or ask for less.",
    "HL003": "Open it with open_account (command line: heller account open).",
    "HL005": "An operator can unfreeze it once the reason is cleared.",
    "HL013": "Use a new key for a new intent; repeat the same request to get the first result.",
    "HL016": "Ask heller.route(account) which system serves it now.",
    "HL014": "Read the account again and decide anew.",
}

_UNREACHABLE_HINT = "Check that it runs and that the URL is right, then try again with the same key."
_WORKER_LOST = "failure on connection marked as essential"  # how Citus says it, as an internal error
_NO_SCHEMA = (
    errors.SchemaMissing,
    "The database has no heller schema, or an older one: ",
    "Run 'heller schema apply'.",
)
_CONFLICT = (errors.Busy, "Another transaction was in the way: ", "Nothing was changed; do it again.")
_TOO_SLOW = (errors.Busy, "The database did not answer in time: ", "Try again with the same key.")
_CASES: dict[str, tuple[type[errors.HellerError], str, str]] = {
    "42501": (
        errors.PermissionMissing,
        "",
        "heller's functions are granted to heller_app; run 'heller schema apply'.",
    ),
    "25006": (
        errors.PermissionMissing,
        "This connection may only read: ",
        "Use the URL of the primary, not of a replica, and a role that may write.",
    ),
    "3F000": _NO_SCHEMA,
    "40001": _CONFLICT,
    "40P01": _CONFLICT,
    "42883": _NO_SCHEMA,
    "42P01": _NO_SCHEMA,
    "55P03": _TOO_SLOW,
    "57014": _TOO_SLOW,
}


def refusal(code: str, message: str, detail: dict[str, Any]) -> errors.HellerError:
    """The typed error for one of SQL's ``HL0nn`` codes."""
    kind = REFUSALS.get(code)
    if kind is None:
        return errors.HellerError(f"{message} ({code})")
    names = set(getattr(kind, "__dataclass_fields__", ())) - {"message", "hint"}
    known = {name: value for name, value in detail.items() if name in names}
    return kind(message, hint=_HINTS.get(code, ""), **known)


def refusal_of(error: BaseException) -> errors.HellerError | None:
    """The ledger's refusal behind an error of any driver (psycopg, asyncpg, SQLAlchemy); None when it is something else.

    For callers of the SQL functions: the same classes, with the same data, as the library raises.
    """
    seen: list[Any] = [error]
    for each in seen:  # and what it was made of: an adapter knows the code, the driver's own error the words
        said = getattr(each, "diag", None)
        message = getattr(said, "message_primary", None) or getattr(each, "message", None)
        code = getattr(each, "sqlstate", None) or getattr(each, "pgcode", None) or ""
        if code.startswith("HL0") and message:
            return refusal(
                code, message, _detail(getattr(said, "message_detail", None) or getattr(each, "detail", None))
            )
        behind = (getattr(each, "orig", None), each.__cause__ or each.__context__)
        seen.extend(one for one in behind if one is not None and one not in seen)
    return None


def _detail(said: str | None) -> dict[str, Any]:
    try:
        return dict(json.loads(said or "{}"))
    except ValueError:
        return {}


def translated(error: psycopg.Error) -> errors.HellerError | None:
    """Heller's error for a PostgreSQL error, or None where the original says more."""
    code = error.sqlstate or ""
    if code.startswith("HL0"):
        return refusal(code, error.diag.message_primary or str(error), _detail(error.diag.message_detail))
    said = _first_line(error)
    if code == "42883" and (
        too_large := re.search(r"p_(\w+) => numeric", said)
    ):  # numeric: more than eight bytes
        return errors.InvalidArgument(f"{too_large[1]} is too large a number", argument=too_large[1])
    if isinstance(error, psycopg.DataError):
        return errors.InvalidArgument(f"PostgreSQL cannot take this value: {said}")
    if (
        code.startswith(("08", "57P", "53"))
        or (isinstance(error, psycopg.OperationalError) and not code)
        or _WORKER_LOST in said
    ):
        return errors.DatabaseUnavailable(f"The database cannot be reached: {said}", hint=_UNREACHABLE_HINT)
    kind, message, hint = _CASES.get(code, (None, "", ""))
    return None if kind is None else kind(f"{message}{said}", hint=hint)


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def translating() -> Iterator[None]:
    """Raise heller's errors in place of PostgreSQL's inside this block."""
    try:
        yield
    except psycopg.Error as error:
        ours = translated(error)
        if ours is None:
            raise
        raise ours from error
    except PoolTimeout as error:
        raise errors.DatabaseUnavailable(
            f"No database connection was free within {POOL_WAIT_SECONDS:g} seconds.",
            hint="The database is down or overloaded; try again with the same key.",
        ) from error
    except PoolClosed as error:
        raise errors.DatabaseUnavailable("The connection to the database was closed.") from error


async def connect(url: str, *, autocommit: bool = True, application_name: str = "heller") -> AsyncConnection:
    """One connection of its own.

    Raises:
        DatabaseUnavailable: nothing answers there, or the password is wrong.
        InvalidArgument: the URL is not one.
    """
    try:
        connection = await AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            client_encoding=ENCODING,
            application_name=application_name,
            cursor_factory=traces.cursor_factory(),
        )
        try:
            await pooler.keep_no_statements(connection)
            await connection.set_autocommit(autocommit)
        except BaseException:  # a pooler lets in before it knows whether there is a server
            await connection.close()
            raise
    except psycopg.Error as error:
        raise unreachable(error, url) from error
    return connection


async def lift_limits(connection: AsyncConnection) -> None:
    """Let a session that is meant to last do so, whatever the database or the role sets. A pooler's session is left as it is."""
    if await pooler.is_between(connection):
        return
    await connection.execute(
        "select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings where name = any(%s)",
        [LIMITS],
    )


def unreachable(
    error: psycopg.Error,
    url: str,
    *,
    what: str = "The database",
    hint: str = "Check that it runs and that the URL (user, password, host, port, name) is right.",
) -> errors.HellerError:
    """Why a database could not be opened: it is no URL, or nothing answers. Nothing of the password is in it."""
    said = _without_password(_first_line(error), url)
    if isinstance(error, psycopg.ProgrammingError):
        return errors.InvalidArgument(
            f"This is not a PostgreSQL URL: {said}",
            hint="It looks like postgresql://user:password@host:5432/name.",
            argument="database",
        )
    return errors.DatabaseUnavailable(f"{what} cannot be reached: {said}", hint=hint)


def _without_password(said: str, url: str) -> str:
    """The driver quotes what it could not read: an unescaped character in a password makes it quote the password."""
    user = url.partition("://")[2].rpartition("@")[0]
    password = user.partition(":")[2] or url.partition("password=")[2]
    if not password:
        return said

    def struck(quoted: re.Match[str]) -> str:
        it = quoted[1] or quoted[2] or ""
        is_of_it = "@" in it or password in it or (len(it) > 1 and it in password)
        return f"{quoted[0][0]}...{quoted[0][0]}" if is_of_it else quoted[0]

    return re.sub("\"([^\"]*)\"|'([^']*)'", struck, said)


class Database:
    """A pool of connections. ``transaction()`` is the only way to write."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, pool_max: int | None = None) -> "Database":
        """Connect, failing now rather than at the first use.

        Raises:
            DatabaseUnavailable: nothing answers there.
        """
        probe = await connect(url)
        await probe.close()
        limits = settings()
        pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=pool_max or limits.pool_max,
            timeout=POOL_WAIT_SECONDS,
            open=False,
            check=AsyncConnectionPool.check_connection,
            configure=_limit,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "client_encoding": ENCODING,
                "application_name": "heller",
                "cursor_factory": traces.cursor_factory(),
            },
        )
        with translating():
            await pool.open(wait=True, timeout=POOL_WAIT_SECONDS)
        return cls(pool)

    async def close(self) -> None:
        """Give all connections back."""
        await self._pool.close()

    async def call(self, function: str, /, **arguments: Any) -> Any:
        """The answer of a function of the ledger, on a connection and in a transaction of its own. Raises as ``call``."""
        async with self.connection() as connection:
            return await call(connection, function, **arguments)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """An autocommitting connection: each statement is its own transaction."""
        with translating():
            async with self._pool.connection() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection inside one transaction: commits at the end, rolls back on an error."""
        async with self.connection() as connection, connection.transaction():
            yield connection


async def _limit(connection: AsyncConnection) -> None:
    """The session's time limits; behind a pooler, where a session is nobody's, they are the role's (deploy/roles.sql)."""
    if await pooler.keep_no_statements(connection):
        return
    await connection.execute(
        "select set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)",
        [f"{int(settings().statement_timeout_seconds * 1000)}ms", f"{LOCK_TIMEOUT_SECONDS}s"],
    )


async def call(connection: AsyncConnection, function: str, /, **arguments: Any) -> Any:
    """The value of ``heller.<function>(p_x => ...)``; arguments that are None take SQL's default.

    Raises:
        HellerError: what the function refuses, as its typed error.
    """
    statement, values = _call(function, arguments)
    with translating():
        row = await (await connection.execute(statement, values)).fetchone()
    return None if row is None else row[0]


async def call_many(connection: AsyncConnection, function: str, /, **arguments: Any) -> list[Any]:
    """All rows of a set-returning ``heller.<function>(p_x => ...)``."""
    statement, values = _call(function, arguments)
    with translating():
        rows = await (await connection.execute(statement, values)).fetchall()
    return [row[0] for row in rows]


def _call(function: str, arguments: dict[str, Any]) -> tuple[sql.Composed, list[Any]]:
    given = {name: value for name, value in arguments.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str) and "\x00" in value:
            raise errors.InvalidArgument(f"{name} contains a NUL character", argument=name)
    named = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(f"p_{name}"), sql.Placeholder()) for name in given
    )
    statement = sql.SQL("select {}({})").format(sql.Identifier("heller", function), named)
    return statement, [
        Jsonb(v) if isinstance(v, dict | list) and name != "kinds" else v for name, v in given.items()
    ]
