"""What a server, a database, a role or a client has set changes nothing about the ledger."""

from collections.abc import Awaitable, Callable

import psycopg
import pytest
from psycopg import sql

from heller import Heller, schema, verify
from heller.errors import DatabaseError, SchemaMismatch

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


async def test_the_encoding_of_a_client_changes_no_hash(
    heller_database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash covers PostgreSQL's binary form of a row, whose texts are in the client's encoding."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    latin, unicode = await connect(heller_database), await connect(heller_database)
    await unicode.execute("set client_encoding = 'UTF8'")
    await latin.execute(
        "select heller.open_account('jürgen'), heller.grant('jürgen', 9, 'promotion', 'Gruß')"
    )
    await latin.execute("select heller.spend('jürgen', 1, 'Müll', 'schlüssel')")
    await unicode.execute("select heller.spend('jürgen', 1, 'Möbel', 'schloß')")
    for connection in (latin, unicode):
        cursor = await connection.execute("select transactions, broken from heller.verify_accounts()")
        assert await cursor.fetchall() == [(3, None)]
    digests = {
        await (
            await connection.execute("select digest from heller._anchor_digest(clock_timestamp())")
        ).fetchone()
        for connection in (latin, unicode)
    }
    assert len(digests) == 1
    async with Heller.connect(heller_database) as heller:  # whose own connections are in UTF-8 all the same
        assert (await heller.spend("jürgen", 1, reason="3 € 日本")).balance_after == 6
    assert (await verify(heller_database)).is_ok


async def test_a_database_with_old_strings_gets_the_same_schema(
    empty_database: str, connect: Connect
) -> None:
    connection = await connect(empty_database)
    await connection.execute(
        sql.SQL("alter database {} set standard_conforming_strings = off").format(
            sql.Identifier(connection.info.dbname)
        )
    )
    await schema.apply(empty_database)
    async with Heller.connect(empty_database) as heller:
        await heller.open_account("ann")
        await heller.grant("ann", 5, reason=r"back\slash 'quote'")
    assert (await verify(empty_database)).is_ok


async def test_an_old_server_and_a_strange_schema_are_refused_in_words(
    empty_database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "POSTGRESQL_MIN", 990_000)
        with pytest.raises(DatabaseError, match="too old") as old:
            await schema.apply(empty_database)
        assert old.value.hint == "heller needs PostgreSQL 99 or newer."
    connection = await connect(empty_database)
    await connection.execute(
        "create schema heller create table users (id int) create view accounts as select 1"
    )
    with pytest.raises(SchemaMismatch, match="not heller's: it has accounts, users") as strange:
        await schema.apply(empty_database)
    assert "alter schema heller rename to" in strange.value.hint
    await connection.execute("alter schema heller rename to theirs")
    assert not (await schema.apply(empty_database)).is_empty
