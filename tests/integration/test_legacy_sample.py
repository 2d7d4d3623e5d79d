"""Legacy databases as built: determinism, refusals, totals, and the definitions checked in SQL."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from legacy_sample import LegacySampleError, build, load_export
from legacy_sample.schema import TABLES

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def rows(connection: psycopg.AsyncConnection, query: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query)).fetchall()


async def fingerprint(url: str) -> dict[str, str]:
    """Per table, the digest of what COPY writes: columns, order and every byte."""
    digests = {}
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("set timezone = 'UTC'")
        for table in TABLES:
            found = await connection.execute("select to_regclass(%s)", [table])
            if (await found.fetchone()) == (None,):
                continue
            digest = hashlib.sha256()
            copy = sql.SQL("copy {} to stdout with (format csv, header)").format(sql.Identifier(table))
            async with connection.cursor().copy(copy) as stream:
                async for block in stream:
                    digest.update(block)
            digests[table] = digest.hexdigest()
    return digests


@pytest.mark.parametrize(
    ("shape", "clean"), [("production", False), ("documented", True), ("drifted", False)]
)
async def test_same_arguments_give_the_same_bytes(
    empty_database: str, second_database: str, tmp_path: Path, shape: str, clean: bool
) -> None:
    files = tmp_path / "a.json", tmp_path / "b.json"
    for url, file in zip((empty_database, second_database), files, strict=True):
        await build(url, shape=shape, users=1500, seed=11, clean=clean, truth=file)
    assert await fingerprint(empty_database) == await fingerprint(second_database)
    assert files[0].read_bytes() == files[1].read_bytes()


PINNED = {
    "production": {
        "users": "941282c54c635646",
        "payments": "2bcccc474b8d9443",
        "credit_transactions": "8a8c2306f905e650",
    },
    "documented": {
        "users": "3cf36ac674de0522",
        "payments": "330a31c172e9c3a1",
        "credit_transactions": "3c2670917f85414f",
    },
    "drifted": {
        "users": "33c004a97f4a43d8",
        "payments": "52e41aafa4c364e6",
        "credit_transactions": "6bddf127fbb41d34",
    },
}


@pytest.mark.parametrize("shape", PINNED)
async def test_content_is_the_same_on_every_machine_and_server(empty_database: str, shape: str) -> None:
    """Digests made with PostgreSQL 15; whoever changes the content on purpose pins them anew."""
    await build(empty_database, shape=shape, users=300, seed=7)
    digests = await fingerprint(empty_database)
    assert {table: digests[table][:16] for table in PINNED[shape]} == PINNED[shape]


async def test_other_seed_gives_other_content(empty_database: str, second_database: str) -> None:
    await build(empty_database, shape="production", users=60, seed=1)
    await build(second_database, shape="production", users=60, seed=2)
    first, second = await fingerprint(empty_database), await fingerprint(second_database)
    assert all(first[table] != second[table] for table in ("users", "payments", "credit_transactions"))


# What a clean database has none of, written in SQL on its own: every query must come back empty.
CLEAN = {
    "history explains every balance": """
        select u.id from users u left join credit_transactions t on t.user_id = u.id::text
        group by u.id having coalesce(sum(t.delta_credits), 0) <> u.credits_balance""",
    "no balance is negative": "select id from users where credits_balance < 0",
    "every name is a user": """
        select user_id from (select user_id from payments union select user_id from credit_transactions) names
        where user_id is null or user_id not in (select id::text from users)""",
    "settled payments are booked once with the credits expected": """
        select p.id from payments p left join credit_transactions t on t.payment_id = p.id and t.delta_credits > 0
        where p.status <> all ('{INIT,FAILED,CANCELED}')
        group by p.id having count(t.id) <> 1 or max(t.delta_credits) <> p.expected_credits""",
    "open and failed payments are not booked": """
        select p.id from payments p join credit_transactions t on t.payment_id = p.id
        where p.status = any ('{INIT,FAILED,CANCELED}')""",
    "refunds are taken once, in full, from whom they belong to": """
        select p.id from payments p
        left join credit_transactions t on t.payment_id = p.id and t.reason in ('REFUND', 'CHARGEBACK')
        group by p.id, p.status, p.expected_credits, p.user_id
        having case when p.status in ('REFUNDED', 'CHARGEBACK')
            then count(t.id) <> 1 or sum(t.delta_credits) <> - p.expected_credits or max(t.user_id) <> p.user_id
            else count(t.id) <> 0 end""",
    "purchases have payments": "select id from credit_transactions where reason = 'PURCHASE' and payment_id is null",
    "e-mails are there once": """
        select lower(email) from users group by 1 having count(*) > 1 or lower(email) !~ '^[^ @]+@[^ @]+$'""",
    "events are in one table": "select event_id from stripe_events join processed_events on event_id = provider_event_id",
    "no running balance is negative": """
        select user_id from (
            select user_id, sum(delta_credits) over (partition by user_id order by created_at, id) as running
            from credit_transactions) t where running < 0""",
    "ids follow time for each user": """
        select id from (select id, created_at, lag(created_at) over (partition by user_id order by id) as before
            from credit_transactions) t where before > created_at""",
    "metadata are objects": """
        select id from credit_transactions where json_typeof(meta) <> 'object'
        union all select id from payments where json_typeof(raw_provider_data) <> 'object'""",
    "times are of the two years": """
        select id from credit_transactions where created_at not between '2023-09-02' and '2025-09-02'""",
    "the ledger is empty": "select id from credit_ledger",
}


async def test_clean_database_has_no_mess(empty_database: str, connect: Connect, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    summary = await build(empty_database, shape="production", users=3000, seed=4, clean=True, truth=truth)
    assert summary.planted == {}
    assert json.loads(truth.read_text())["planted"] == {}
    assert summary.credits.balance == summary.credits.transactions > 0
    connection = await connect(empty_database)
    for what, query in CLEAN.items():
        assert await rows(connection, query) == [], what


async def test_messy_database_is_not_clean(empty_database: str, connect: Connect) -> None:
    await build(empty_database, shape="production", users=3000, seed=4)
    connection = await connect(empty_database)
    violated = {what for what, query in CLEAN.items() if await rows(connection, query)}
    assert violated == CLEAN.keys() - {"the ledger is empty", "open and failed payments are not booked"}


# The findings, found in the tables of shape production by queries of their own. Aliases are no part
# of these: only codes that need no resolution of names.
FOUND = {
    "negative_balance": "select id from users where credits_balance < 0",
    "duplicate_email": "select lower(trim(email)) from users where trim(email) <> '' group by 1 having count(*) > 1",
    "blank_email": "select id from users where trim(email) = ''",
    "ghost_user": "select id from users where email like 'emergency\\_%@temp.com'",
    "payment_booked_twice": """select payment_id from credit_transactions where delta_credits > 0
        group by 1 having count(*) > 1 and payment_id is not null""",
    "payment_without_transaction": """select id from payments p where status in ('PAID', 'CREDITED')
        and not exists (select from credit_transactions t where t.payment_id = p.id)""",
    "estimated_credits": """select id from payments p where status in ('PAID', 'CREDITED') and expected_credits = 0
        and not exists (select from credit_transactions t where t.payment_id = p.id and delta_credits > 0)""",
    "refund_taken_twice": """select payment_id from credit_transactions
        where payment_id is not null group by 1 having sum(delta_credits) < 0""",
    "refund_not_taken": """select p.id from payments p join credit_transactions t on t.payment_id = p.id
        where status in ('REFUNDED', 'CHARGEBACK') group by p.id having min(delta_credits) > 0""",
    "foreign_currency": "select id from payments where upper(currency) <> 'EUR'",
    "duplicate_event": "select event_id from stripe_events join processed_events on provider_event_id = event_id",
    "zero_delta": "select id from credit_transactions where delta_credits = 0",
    "metadata_not_an_object": """
        select 'credit_transactions:' || id from credit_transactions where json_typeof(meta) <> 'object'
        union all select 'payments:' || id from payments where json_typeof(raw_provider_data) <> 'object'""",
    "metadata_nul_escape": """
        select 'credit_transactions:' || id from credit_transactions where meta::text like '%\\\\u0000%'
        union all select 'payments:' || id from payments where raw_provider_data::text like '%\\\\u0000%'""",
    "future_timestamp": """select 'credit_transactions:' || id from credit_transactions where created_at >= '2030-01-01'
        union all select 'payments:' || id from payments where created_at >= '2030-01-01'""",
    "payment_without_reference": """select id from payments where status in ('PAID', 'CREDITED')
        and provider_payment_intent_id is null and provider_checkout_session_id is null""",
    "purchase_without_payment": """select id from credit_transactions
        where reason = 'PURCHASE' and payment_id is null and delta_credits > 0""",
}


async def test_truth_file_lists_exactly_the_rows_that_sql_finds(
    empty_database: str, connect: Connect, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.json"
    await build(empty_database, shape="production", users=2100, seed=9, truth=truth)
    planted = json.loads(truth.read_text())["planted"]
    connection = await connect(empty_database)
    for code, query in FOUND.items():
        assert sorted(str(row[0]) for row in await rows(connection, query)) == sorted(planted[code]), code


async def test_truth_file_agrees_with_itself_and_the_tables(
    empty_database: str, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "truth.json"
    summary = await build(empty_database, shape="production", users=2000, seed=21, truth=file)
    truth = json.loads(file.read_text())
    accounts = truth["accounts"]
    assert (truth["users"], len(accounts), truth["rows"]) == (2000, 2000, dict(summary.rows))
    assert sum(account["balance"] for account in accounts.values()) == truth["credits"]["balance"]
    differing = {
        own
        for own, account in accounts.items()
        if account["transactions"] and account["history_sum"] != account["balance"]
    }
    assert differing == set(truth["planted"]["history_differs_from_balance"])
    silent = {own for own, account in accounts.items() if not account["transactions"] and account["balance"]}
    assert silent == set(truth["planted"]["balance_without_history"])
    # every transaction belongs to an account, or to a name the file calls unknown or ambiguous, or to nobody
    lost = truth["planted"]["unknown_user"] + truth["planted"]["ambiguous_user"]
    connection = await connect(empty_database)
    cursor = await connection.execute(
        "select count(*) from credit_transactions where user_id is null or user_id = any(%s)", [lost]
    )
    unowned = (await cursor.fetchone() or (0,))[0]
    assert (
        unowned + sum(account["transactions"] for account in accounts.values())
        == truth["rows"]["credit_transactions"]
    )
    for what, table, column in (
        ("balance", "users", "credits_balance"),
        ("transactions", "credit_transactions", "delta_credits"),
        ("ledger", "credit_ledger", "delta"),
    ):
        assert await rows(connection, f"select coalesce(sum({column}), 0) from {table}") == [
            (truth["credits"][what],)
        ]


async def test_truth_of_large_samples_leaves_accounts_out(empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "truth.json"
    await build(empty_database, shape="documented", users=20_001, seed=1, clean=True, truth=file)
    assert "accounts" not in json.loads(file.read_text())


@pytest.mark.parametrize("id_type", ["integer", "text", "uuid"])
async def test_documented_ids_have_the_type_asked_for(
    empty_database: str, connect: Connect, id_type: str
) -> None:
    await build(empty_database, shape="documented", users=60, seed=2, id_type=id_type)
    connection = await connect(empty_database)
    types = await rows(
        connection,
        "select distinct data_type from information_schema.columns where table_schema = 'public'"
        " and (table_name, column_name) in (('users', 'id'), ('payments', 'id'), ('payments', 'user_id'),"
        " ('credit_transactions', 'id'), ('credit_transactions', 'user_id'))",
    )
    assert types == [(id_type,)]
    assert await rows(connection, "select count(*) from users where credits_balance is null") > [(0,)]


@pytest.mark.parametrize(("users", "seeds"), [(0, 3), (1, 6), (5, 15), (50, 40)])
async def test_drifted_schemas_of_many_seeds_are_filled(empty_database: str, users: int, seeds: int) -> None:
    for seed in range(seeds):
        summary = await build(empty_database, shape="drifted", users=users, seed=seed, replace=True)
        assert summary.rows["users"] == users
        assert summary.planted


async def test_filled_ledger_of_a_clean_drifted_database_agrees_with_every_balance(
    empty_database: str, connect: Connect
) -> None:
    seen = 0
    for seed in range(15):
        summary = await build(empty_database, shape="drifted", users=80, seed=seed, clean=True, replace=True)
        assert summary.planted == {}
        if summary.rows.get("credit_ledger"):
            seen += 1
            assert summary.credits.ledger == summary.credits.balance == summary.credits.transactions
    assert seen > 1
    connection = await connect(empty_database)
    assert await rows(connection, "select count(*) from users") == [(80,)]


async def test_average_user_has_ten_transactions_and_one_and_a_half_payments(empty_database: str) -> None:
    summary = await build(empty_database, shape="production", users=4000, seed=3)
    assert 9 < summary.rows["credit_transactions"] / 4000 < 11
    assert 1.3 < summary.rows["payments"] / 4000 < 1.7


async def test_application_can_go_on_with_the_next_ids(empty_database: str, connect: Connect) -> None:
    await build(empty_database, shape="production", users=100, seed=3)
    connection = await connect(empty_database)
    added = await rows(
        connection, "insert into users (email, name) values ('new@example.com', 'New') returning id"
    )
    assert added == [(101,)]


async def test_tables_of_others_are_never_touched(empty_database: str, connect: Connect) -> None:
    connection = await connect(empty_database)
    await connection.execute("create table users (precious text); insert into users values ('mine')")
    with pytest.raises(LegacySampleError, match="already has tables: users"):
        await build(empty_database, shape="production", users=10, seed=1)
    assert await rows(connection, "select precious from users") == [("mine",)]
    await connection.execute("drop table users; create table invoices (precious text)")
    with pytest.raises(LegacySampleError, match="already has tables: invoices"):
        await build(empty_database, shape="production", users=10, seed=1, replace=True)
    assert await rows(connection, "select count(*) from invoices") == [(0,)]


async def test_interrupted_build_leaves_nothing(empty_database: str, connect: Connect) -> None:
    def interrupt(step: str, _done: int, _total: int) -> None:
        if step == "keys":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await build(empty_database, shape="production", users=100, seed=1, progress=interrupt)
    connection = await connect(empty_database)
    assert await rows(
        connection, "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
    ) == [(0,)]


async def test_progress_tells_each_step_up_to_its_total(empty_database: str) -> None:
    told: list[tuple[str, int, int]] = []
    await build(
        empty_database, shape="production", users=30_000, seed=1, progress=lambda *step: told.append(step)
    )
    assert [step for step in told if step[0] == "users"] == [
        ("users", 25_000, 30_000),
        ("users", 30_000, 30_000),
    ]
    assert {step for step, done, total in told if done == total} == {"cases", "users", "keys"}


@pytest.mark.parametrize(("users", "seed"), [(-1, 1), (50_000_001, 1), (10, -1), (10, 2**53)])
async def test_argument_out_of_range_is_refused(empty_database: str, users: int, seed: int) -> None:
    with pytest.raises(LegacySampleError, match="out of range"):
        await build(empty_database, shape="production", users=users, seed=seed)


EXPORT = {
    "users_export.json": [
        {"id": 1, "email": "test@example.com", "name": "Test User", "credits_balance": 200}
    ],
    "payments_export.json": [
        {
            "id": 1,
            "user_id": "1",
            "provider_payment_intent_id": "pi_test_123",
            "amount_total_cents": 500,
            "expected_credits": 100,
            "status": "PAID",
            "created_at": "2025-09-02 07:00:59.069542+00:00",
        }
    ],
    "transactions_export.json": [
        {
            "id": 1,
            "user_id": "1",
            "delta_credits": 100,
            "reason": "PURCHASE",
            "payment_id": 1,
            "admin_action_id": None,
            "meta": {},
            "created_at": "2025-09-02 07:01:01.891338+00:00",
        }
    ],
}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The live export, as the legacy system wrote it."""
    for name, content in EXPORT.items():
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


async def test_live_export_shows_its_three_numbers(
    empty_database: str, export: Path, connect: Connect
) -> None:
    summary = await load_export(empty_database, export)
    assert (summary.credits.ledger, summary.credits.transactions, summary.credits.balance) == (0, 100, 200)
    assert summary.rows == {
        "users": 1, "stripe_customers": 0, "payments": 1, "credit_transactions": 1, "credit_ledger": 0,
        "processed_events": 0, "stripe_events": 0, "admin_actions": 0,
    }  # fmt: skip
    connection = await connect(empty_database)
    query = "select status::text, currency, created_at = updated_at, extract(microseconds from created_at)::int from payments"
    assert await rows(connection, query) == [("PAID", "EUR", True, 59_069_542)]
    assert await rows(connection, "select meta::text, payment_id from credit_transactions") == [("{}", 1)]


async def test_export_with_a_missing_or_foreign_file_is_refused_and_nothing_stays(
    empty_database: str, export: Path, connect: Connect
) -> None:
    (export / "users_export.json").write_text(json.dumps([{"id": 1, "shoe_size": 42}]))
    with pytest.raises(LegacySampleError, match="no column shoe_size"):
        await load_export(empty_database, export)
    (export / "payments_export.json").unlink()
    with pytest.raises(LegacySampleError, match="missing"):
        await load_export(empty_database, export)
    connection = await connect(empty_database)
    assert await rows(
        connection, "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
    ) == [(0,)]
