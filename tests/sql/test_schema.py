"""plan, apply and verify; a fresh schema and a migrated one are the same."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from heller import Heller, schema
from heller.errors import SchemaMismatch, SchemaMissing
from tools import schema_sql

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
MIGRATIONS = schema.files("migrations")


async def _fingerprints(url: str) -> dict[str, str]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (
            await connection.execute("select object, digest from heller.schema_fingerprints")
        ).fetchall()
    return dict(rows)


async def test_apply_does_what_plan_says_and_then_nothing_is_left(empty_database: str) -> None:
    with pytest.raises(SchemaMissing):
        await schema.verify(empty_database)
    planned = await schema.plan(empty_database)
    assert [file.path for file in planned.migrations] == [file.path for file in MIGRATIONS]
    assert planned.objects
    assert await schema.apply(empty_database) == planned
    assert (await schema.plan(empty_database)).is_empty
    assert (await schema.apply(empty_database)).is_empty
    assert await schema.verify(empty_database) == []


async def test_four_applies_at_once_make_one_schema(empty_database: str) -> None:
    plans = await asyncio.gather(*(schema.apply(empty_database) for _ in range(4)))
    assert sum(not plan.is_empty for plan in plans) == 1
    assert await schema.verify(empty_database) == []


async def test_settings_of_the_database_change_neither_the_schema_nor_what_is_seen_of_it(
    empty_database: str, heller_database: str, connect: Connect
) -> None:
    connection = await connect(empty_database)
    for setting in (
        "default_transaction_isolation = serializable",
        "standard_conforming_strings = off",
        "quote_all_identifiers = on",
        "statement_timeout = '300ms'",
    ):
        await connection.execute(f"alter database {connection.info.dbname} set {setting}")
    plans = await asyncio.gather(*(schema.apply(empty_database) for _ in range(2)))
    assert sum(not plan.is_empty for plan in plans) == 1
    await connection.execute(f"alter database {connection.info.dbname} reset statement_timeout")
    assert await schema.verify(empty_database) == []
    await connection.execute(f"alter database {connection.info.dbname} reset all")
    assert await schema.verify(empty_database) == []
    assert await _fingerprints(empty_database) == await _fingerprints(heller_database)


@pytest.mark.parametrize("count", range(1, len(MIGRATIONS)))
async def test_a_migrated_schema_equals_a_fresh_one(
    heller_database: str, empty_database: str, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    with monkeypatch.context() as patch:  # a release that knew only the first migrations
        patch.setattr(schema, "files", lambda folder: MIGRATIONS[:count] if folder == "migrations" else [])
        await schema.apply(empty_database)
    await schema.apply(empty_database)
    assert await schema.verify(empty_database) == []
    assert await _fingerprints(empty_database) == await _fingerprints(heller_database)


async def test_an_upgrade_waits_for_the_verb_that_has_begun(
    empty_database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # 0.1.0
        patch.setattr(schema, "files", lambda folder: MIGRATIONS[:9] if folder == "migrations" else [])
        await schema.apply(empty_database)
    verb, watcher = await connect(empty_database, autocommit=False), await connect(empty_database)
    await verb.execute("select from heller.accounts for no key update")
    upgrade = asyncio.create_task(schema.apply(empty_database))
    waiting = "select from pg_locks where not granted and relation = 'heller.accounts'::regclass"
    while not await (await watcher.execute(waiting)).fetchall():
        assert not upgrade.done()
        await asyncio.sleep(0.01)
    await verb.execute(
        "select from heller.grants, heller.transactions"
    )  # waited for the upgrade, and it for this
    await verb.commit()
    await upgrade
    assert await schema.verify(empty_database) == []


async def test_a_schema_that_came_from_another_postgresql_is_applied_anew(
    heller_database: str, connect: Connect
) -> None:
    before = await _fingerprints(heller_database)
    connection = await connect(heller_database)
    await connection.execute(
        "update heller.schema_fingerprints set digest = case object when 'server' then 'another' else 'other words' end"
        " where object = 'server' or object like 'view %'"
    )
    assert "another major version" in (await schema.verify(heller_database))[0]
    assert (await schema.apply(heller_database)).objects
    assert await schema.verify(heller_database) == []
    assert await _fingerprints(heller_database) == before


async def test_a_newer_database_is_refused(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await connection.execute("insert into heller.schema_migrations values (9999, '9999_future.sql', 'x')")
    for refusing in (schema.plan, schema.apply, schema.verify):
        with pytest.raises(SchemaMismatch, match="newer"):
            await refusing(heller_database)
    with pytest.raises(SchemaMismatch, match="newer"):
        async with Heller.connect(heller_database):
            pass


async def test_an_edited_migration_is_refused(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await connection.execute("update heller.schema_migrations set checksum = 'x' where number = 1")
    with pytest.raises(SchemaMismatch, match="another text"):
        await schema.apply(heller_database)


async def test_a_database_without_the_schema_is_refused(empty_database: str) -> None:
    with pytest.raises(SchemaMissing, match="schema"):
        async with Heller.connect(empty_database):
            pass


@pytest.mark.parametrize(("change", "said"), [
    ("create or replace function heller._check_seconds(p_seconds integer) returns void language sql as 'select null::void'", "function heller._check_seconds(integer) was changed"),
    ("drop function heller._check_seconds(integer)", "function heller._check_seconds(integer) is missing"),
    ("create table heller.mine (id integer)", "table mine is not heller's"),
    ("alter table heller.accounts add column mine integer", "table accounts was changed"),
    ("alter table heller.accounts drop constraint accounts_held_not_negative", "accounts_held_not_negative is missing"),
    ("drop index heller.transactions_related", "index transactions_related is missing"),
    ("alter table heller.transactions disable trigger transactions_append_only", "trigger transactions transactions_append_only was changed"),
    ("create or replace view heller.identity_log as select kind, name, 'x'::text collate \"C\" as user_id, created_at from heller.identities", "view identity_log was changed"),
])  # fmt: skip
async def test_a_change_by_hand_is_found_and_named(
    heller_database: str, connect: Connect, change: str, said: str
) -> None:
    connection = await connect(heller_database)
    await connection.execute(change)  # type: ignore[arg-type]
    problems = await schema.verify(heller_database)
    assert any(said in problem for problem in problems), problems


async def test_every_table_column_function_and_view_has_its_comment(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)
    rows = await (
        await connection.execute("""
            select 'function ' || p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'heller'::regnamespace and p.proname !~ '^_' and obj_description(p.oid, 'pg_proc') is null
            union all
            select 'table or view ' || c.oid::regclass from pg_class c
            where c.relnamespace = 'heller'::regnamespace and c.relkind in ('r', 'p', 'v') and obj_description(c.oid, 'pg_class') is null
        """)
    ).fetchall()
    assert [row[0] for row in rows] == []


@pytest.mark.skipif(
    "HELLER_TEST_DATABASE_URL" in os.environ, reason="the text is that of the embedded PostgreSQL"
)
def test_schema_sql_is_current(heller_database: str) -> None:
    assert schema_sql.FILE.read_text("utf-8") == schema_sql.generate(heller_database), (
        "run: python tests/tools/schema_sql.py"
    )


async def test_the_schema_is_the_same_whoever_looks(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await connection.execute(
        "alter role current_user in database " + connection.info.dbname + " set search_path = public"
    )
    assert await schema.verify(heller_database) == []
