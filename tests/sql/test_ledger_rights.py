"""Append-only twice: by what the application role may do, and by triggers that refuse even a superuser."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from heller import Heller, schema, verify, worker
from heller.errors import PermissionMissing

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


@pytest.fixture
async def used_database(heller_database: str) -> str:
    async with Heller.connect(heller_database) as heller:
        for name in ("a", "b", "c"):
            await heller.open_account(name)
            await heller.grant(name, 100, source="purchase", key=f"grant-{name}", cost=999, currency="EUR")
            for n in range(5):
                await heller.spend(name, n + 1, key=f"{name}-{n}")
            await heller.refund(name, 3)
        await heller.place_hold("a", 10, key="held")
        await heller.transfer("a", "b", 5)
        await heller.clawback("c", 500, policy="grant", payment="none", key="nothing")
    return heller_database


async def test_the_application_role_may_call_functions_and_read_views_and_nothing_else(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)
    rows = await (
        await connection.execute(
            """
            select 'table ' || c.relname || ' ' || privilege from pg_class c,
                   unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) privilege
            where c.relnamespace = 'heller'::regnamespace and c.relkind in ('r', 'p')
              and has_table_privilege('heller_app', c.oid, privilege)
              and not (c.relname = any(%(books)s) and privilege = 'select')
            union all
            select 'column of ' || c.relname from pg_class c
            where c.relnamespace = 'heller'::regnamespace and c.relkind in ('r', 'p')
              and has_any_column_privilege('heller_app', c.oid, 'select, insert, update, references') and c.relname <> all(%(books)s)
            union all
            select 'view ' || c.relname || ' ' || privilege from pg_class c, unnest(array['insert', 'update', 'delete', 'truncate']) privilege
            where c.relnamespace = 'heller'::regnamespace and c.relkind = 'v' and has_table_privilege('heller_app', c.oid, privilege)
            union all
            select 'unreadable view ' || c.relname from pg_class c
            where c.relnamespace = 'heller'::regnamespace and c.relkind = 'v' and not has_table_privilege('heller_app', c.oid, 'select')
            union all
            select 'sequence ' || c.relname from pg_class c
            where c.relnamespace = 'heller'::regnamespace and c.relkind = 'S'
              and case when c.relkind = 'S' then has_sequence_privilege('heller_app', c.oid, 'usage, select, update') end
            union all
            select 'internal function ' || p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'heller'::regnamespace and p.proname like '\\_%%' and has_function_privilege('heller_app', p.oid, 'execute')
            union all
            select 'closed function ' || p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'heller'::regnamespace and p.proname not like '\\_%%' and not has_function_privilege('heller_app', p.oid, 'execute')
            union all
            select 'create in schema' where has_schema_privilege('heller_app', 'heller', 'create')
            union all
            select 'function open to everybody: ' || p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'heller'::regnamespace and has_function_privilege('public', p.oid, 'execute')
            union all
            select 'function without a search_path or with the caller''s rights: ' || p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'heller'::regnamespace and p.proname not like '\\_%%'
              and (not p.prosecdef or not exists (select from unnest(p.proconfig) c where c like 'search_path=%%'))
        """,
            {"books": list(schema.BOOKS)},
        )
    ).fetchall()
    assert [row[0] for row in rows] == []


async def test_the_application_role_can_do_its_work_through_functions(
    used_database: str, connect: Connect
) -> None:
    connection = await connect(used_database)
    await connection.execute("set role heller_app")
    await connection.execute("select heller.spend('a', 1), heller.balance('a'), heller.grants_of('a')")
    await connection.execute("select * from heller.transaction_log")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await connection.execute("select * from heller.transactions")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await connection.execute("update heller.accounts set posted = 1000000")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await connection.execute("select heller._settle(null)")


async def test_a_login_in_the_application_role_runs_the_application_verify_and_the_worker(
    used_database: str, connect: Connect
) -> None:
    login = f"login_{uuid4().hex[:12]}"
    connection = await connect(used_database)
    await connection.execute(
        sql.SQL("create role {} login password 'secret' in role heller_app").format(sql.Identifier(login))
    )
    try:
        url = urlsplit(used_database)
        _, _, host = url.netloc.rpartition("@")
        theirs = urlunsplit(url._replace(netloc=f"{login}:secret@{host}"))
        async with Heller.connect(theirs) as heller:
            assert (await heller.spend("a", 1)).delta == -1
        assert (await verify(theirs)).is_ok
        assert await schema.verify(theirs) == []
        assert all("failed" not in str(done) for done in (await worker.once(theirs)).values())
        with pytest.raises(PermissionMissing):
            await schema.apply(theirs)
    finally:
        await connection.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


@pytest.mark.parametrize("table", ["transactions", "draws", "outcomes"])
@pytest.mark.parametrize(
    "statement", ["update heller.{} set account_id = 'x'", "delete from heller.{}", "truncate heller.{}"]
)
@pytest.mark.parametrize("replica", [False, True])
async def test_a_superuser_is_refused_by_trigger(
    used_database: str, connect: Connect, table: str, statement: str, replica: bool
) -> None:
    connection = await connect(used_database)
    if replica:  # ordinary triggers do not fire then
        await connection.execute("set session_replication_role = replica")
    with pytest.raises(psycopg.Error) as refused:
        await connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
    assert refused.value.sqlstate == "HL015"


TAMPERINGS = [
    (
        "update heller.transactions set delta = delta - 1, balance_after = balance_after - 1 where account_id = 'b' and seq = 3",
        "b",
        3,
        "hash",
    ),
    (
        "update heller.transactions set reason = 'nothing to see' where account_id = 'b' and seq = 2",
        "b",
        2,
        "hash",
    ),
    (
        "update heller.transactions set metadata = '{\"a\": 1}' where account_id = 'b' and seq = 2",
        "b",
        2,
        "hash",
    ),
    (
        "update heller.transactions set recorded_at = recorded_at - interval '1 day' where account_id = 'b' and seq = 4",
        "b",
        4,
        "hash",
    ),
    (
        "update heller.transactions set idempotency_key = 'other' where account_id = 'b' and seq = 4",
        "b",
        4,
        "hash",
    ),
    ("delete from heller.transactions where account_id = 'b' and seq = 3", "b", 4, "seq"),
    ("delete from heller.transactions where account_id = 'c' and seq = 7", "c", None, "last_seq"),
    ("update heller.accounts set posted = posted + 1 where account_id = 'a'", "a", None, "posted"),
    ("update heller.accounts set held = 0 where account_id = 'a'", "a", None, "held"),
    ("update heller.accounts set head_hash = '\\x00' where account_id = 'a'", "a", None, "head_hash"),
    (
        "update heller.accounts set settled_posted = settled_posted + 1 where account_id = 'a'",
        "a",
        None,
        "settled_posted",
    ),
    (
        "update heller.grants set remaining = remaining + 1 where account_id = 'a' and grant_id = 1",
        "a",
        None,
        "grants",
    ),
    (
        "update heller.grants set amount = amount + 1 where account_id = 'c' and grant_id = 1",
        "c",
        None,
        "grant 1",
    ),
    (
        "update heller.draws set amount = amount + 1, lower_balance = lower_balance - 1 where account_id = 'c'",
        "c",
        None,
        "grant 1",
    ),
    ("delete from heller.draws where account_id = 'c'", "c", None, "grant 1"),
    ("update heller.holds set captured = 3, amount = amount + 3 where account_id = 'a'", "a", None, "hold 1"),
    ("delete from heller.holds where account_id = 'a'", "a", None, "held"),
    ("delete from heller.accounts where account_id = 'c'", "c", None, "account"),
    ("delete from heller.accounts where account_id = 'a'", "a", None, "account"),
]


@pytest.mark.parametrize(("tampering", "account", "seq", "what"), TAMPERINGS)
async def test_tampering_with_triggers_disabled_is_found_and_named(
    used_database: str, connect: Connect, tampering: str, account: str, seq: int | None, what: str
) -> None:
    connection = await connect(used_database)
    for table in ("transactions", "draws"):
        await connection.execute(
            sql.SQL("alter table heller.{} disable trigger all").format(sql.Identifier(table))
        )
    await connection.execute(tampering)  # type: ignore[arg-type]
    result = await verify(used_database)
    assert not result.is_ok
    assert (account, seq, what) in [(row["account"], row["seq"], row["what"]) for row in result.broken], (
        result.broken
    )
    assert {row["account"] for row in result.broken} == {account}
    assert "was changed" in " ".join(await schema.verify(used_database))


async def test_a_whole_account_removed_is_found_by_the_trial_balance_of_transfers(
    used_database: str, connect: Connect
) -> None:
    connection = await connect(used_database)
    for table in ("transactions", "draws"):
        await connection.execute(
            sql.SQL("alter table heller.{} disable trigger all").format(sql.Identifier(table))
        )
    for table in ("accounts", "transactions", "grants", "draws", "holds"):
        await connection.execute(
            sql.SQL("delete from heller.{} where account_id = 'b'").format(sql.Identifier(table))
        )
    result = await verify(used_database)
    assert not result.is_ok
    assert result.trial_balance["difference"] == 5


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_of_any_size_see_every_row_once(used_database: str, connect: Connect, limit: int) -> None:
    connection = await connect(used_database)
    await connection.execute("select heller.open_account('b', 'token'), heller.open_account('a', 'token')")
    await connection.execute("alter table heller.transactions disable trigger all")
    await connection.execute("update heller.transactions set reason = 'x' where seq = 2")
    after, accounts, transactions, broken = "", 0, 0, []
    for _ in range(10):
        row = await (
            await connection.execute("select * from heller.verify_accounts(%s, %s)", [after, limit])
        ).fetchone()
        assert row is not None
        accounts, transactions, broken = accounts + row[1], transactions + row[2], broken + (row[3] or [])
        if row[0] is None:
            break
        after = row[0]
    counts = await (
        await connection.execute(
            "select (select count(*) from heller.accounts), (select count(*) from heller.transactions)"
        )
    ).fetchone()
    assert (accounts, transactions) == counts
    assert [b["account"] for b in broken] == ["a", "b", "c"]
