"""A pooler such as PgBouncer between this program and PostgreSQL: found out by looking, so that nothing has to be set.

In transaction mode a pooler lends each transaction another server connection. What belongs to a session (prepared
statements, settings, LISTEN, locks) is then somebody else's a moment later, and somebody else's is ours.
"""

import contextlib
from secrets import token_hex

import psycopg
from psycopg import AsyncConnection, sql

from heller.errors import SettingsError

CONNECT_SECONDS_MAX = 10
PROBE_SECONDS_MAX = 2.0


async def is_between(connection: AsyncConnection) -> bool:
    """Whether another process answers than the one that was announced when this connection began."""
    row = await (await connection.execute("select pg_backend_pid()", prepare=False)).fetchone()
    return row is not None and row[0] != connection.info.backend_pid


async def keep_no_statements(connection: AsyncConnection) -> bool:
    """Prepare nothing on this connection if a pooler is between; whether one is.

    Before 1.21 PgBouncer hands a name that one client prepared to the next, which then runs another statement under it.
    """
    is_pooled = await is_between(connection)
    if is_pooled:
        connection.prepare_threshold = None
    return is_pooled


async def notifications_arrive(url: str) -> bool:
    """Whether a NOTIFY reaches who listens: the mark of a session, which a pooler in transaction mode does not give."""
    channel = sql.Identifier(f"heller_probe_{token_hex(6)}")
    try:
        async with await _connect(url) as ears:
            await ears.execute(sql.SQL("listen {}").format(channel))
            async with await _connect(url) as mouth:
                await mouth.execute(sql.SQL("notify {}").format(channel))
            async for _ in ears.notifies(timeout=PROBE_SECONDS_MAX, stop_after=1):
                return True
            with contextlib.suppress(psycopg.Error):
                await ears.execute(sql.SQL("unlisten {}").format(channel))
    except psycopg.Error:
        return False
    return False


async def require_session(connection: AsyncConnection, url: str, *, what: str) -> None:
    """Refuse an address that gives no session of one's own. ``what``: what needs one.

    Raises:
        SettingsError: a pooler in transaction mode is between.
    """
    if await is_between(connection) and not await notifications_arrive(url):
        raise SettingsError(
            f"{what} needs a session of its own, and this address is a pooler's that gives none (transaction mode).",
            hint="Give the direct address of the database, not PgBouncer's.",
        )


async def _connect(url: str) -> AsyncConnection:
    return await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_SECONDS_MAX, application_name="heller probe"
    )
