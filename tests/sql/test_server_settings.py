"""What a server, a database, a role or a client has set changes nothing about the ledger."""

from collections.abc import Awaitable, Callable

import psycopg

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def test_a_function_that_bends_the_planner_is_never_compiled(
    heller_database: str, connect: Connect
) -> None:
    """Before PostgreSQL 18 a plan that is "off" costs 1e10, which alone makes the server spend seconds on compiling it."""
    connection = await connect(heller_database)
    cursor = await connection.execute(
        "select p.proname, 'jit=off' = any (p.proconfig) from pg_proc p where p.pronamespace = 'heller'::regnamespace"
        " and exists (select from unnest(p.proconfig) c (setting) where setting ~ '^enable_.*=off$')"
    )
    bent = dict(await cursor.fetchall())
    assert bent
    assert all(bent.values()), bent
