"""A batch answers as its operations do one by one, and leaves the same rows."""

import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

SETUP = """
create or replace function heller._clock() returns timestamptz language sql volatile parallel safe
as $$ select timestamptz '2026-03-01 12:00Z' $$;
select heller.open_account('rich'), heller.open_account('poor'), heller.open_account('frozen'), heller.open_account('due'),
       heller.open_account('held'), heller.open_account('odd', 'token'), heller.open_account('lender', p_overdraft_limit => 50);
select heller.grant('rich', 1000000), heller.grant('poor', 40), heller.grant('frozen', 100), heller.grant('held', 100),
       heller.grant('odd', 500, p_unit => 'token'), heller.grant('due', 300), heller.grant('rich', 5, p_key => 'granted');
select heller.grant('due', 200, p_expires_at => '2026-03-01 13:00Z'), heller.hold('held', 60, p_key => 'kept');
select heller.freeze('frozen', 'a test');
create or replace function heller._clock() returns timestamptz language sql volatile parallel safe
as $$ select timestamptz '2026-03-01 14:00Z' $$;
"""
ROWS = """
select (select jsonb_agg(t order by account_id, unit, seq) from heller.transactions t),
       (select jsonb_agg(to_jsonb(a) - 'opened_at' order by account_id, unit) from heller.accounts a)
"""
ACCOUNTS = ["rich", "rich", "rich", "poor", "frozen", "due", "held", "odd", "lender", "nobody"]


def _operation(rng: random.Random, keys: list[str]) -> dict[str, Any]:
    key = rng.choice(keys) if rng.random() < 0.15 else f"k{rng.randrange(10**9)}"
    keys.append(key)
    operation = {"verb": "spend", "account": rng.choice(ACCOUNTS), "amount": rng.choice([1, 2, 3, 9, 25])}
    extras: list[dict[str, Any]] = [
        {"key": key}, {"key": key}, {"key": key}, {}, {"key": key, "reason": "job", "actor": "worker", "metadata": {"job": 4}},
        {"unit": "token", "key": key}, {"metadata": {}}, {"metadata": [1]}, {"key": "a\tb"}, {"key": ""}, {"reason": "x" * 2001},
        {"key": key, "allow_partial": True}, {"min_available_after": 5}, {"if_version": 3}, {"dry_run": True},
        {"key": "granted"}, {"key": "kept"}, {"amount": 0}, {"amount": -4}, {"amount": 10**30}, {"amount": 9 * 10**18}, {"amount": 1.5},
        {"effective_at": "2026-02-01T00:00:00Z"},
    ]  # fmt: skip
    return operation | rng.choice(extras if rng.random() < 0.3 else extras[:5])


async def _spend(
    connection: psycopg.AsyncConnection, operations: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    row = await (
        await connection.execute("select to_jsonb(heller._spend_many(%s::jsonb))", [json.dumps(operations)])
    ).fetchone()
    assert row is not None
    answers: list[dict[str, Any]] = row[0]
    for answer in answers:
        if answer.get("replayed"):
            del answer["available"]  # as it is when the replay is answered, which is after the batch
    return answers


@pytest.mark.parametrize("seed", range(6))
async def test_a_batch_answers_as_its_operations_one_by_one(
    heller_database: str, empty_database: str, connect: Connect, seed: int
) -> None:
    from heller import schema  # noqa: PLC0415 - one test needs it

    await schema.apply(empty_database)
    databases = [await connect(heller_database), await connect(empty_database)]
    for connection in databases:
        await connection.execute(SETUP)  # type: ignore[arg-type]
    rng = random.Random(seed)
    keys = ["first"]
    for size in (9, 40, 200):
        batch = [_operation(rng, keys) for _ in range(size)]
        assert await _spend(databases[0], batch) == [(await _spend(databases[1], [one]))[0] for one in batch]
        left, right = [await (await connection.execute(ROWS)).fetchone() for connection in databases]
        assert left == right


async def test_arrays_answer_with_arrays(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await connection.execute(SETUP)  # type: ignore[arg-type]
    row = await (
        await connection.execute(
            "select seqs, balances, availables, others from heller.spend_many(%s, %s::bigint[], %s)",
            [["rich", "poor", "rich"], [10, 40, 20], ["a", "b", "c"]],
        )
    ).fetchone()
    assert row == ([3, 2, 4], [999995, 0, 999975], [999995, 0, 999975], None)


async def test_a_refusal_in_arrays_has_its_own_place(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await connection.execute(SETUP)  # type: ignore[arg-type]
    query = "select seqs, others from heller.spend_many(%s, %s::bigint[])"
    row = await (await connection.execute(query, [["rich", "poor", "poor"], [10, 41, 40]])).fetchone()
    assert row is not None
    assert row[0] == [3, None, 2]
    assert [other and other["error"] for other in row[1]] == [None, "HL002", None]


async def test_a_key_twice_in_one_batch_is_one_spend(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await connection.execute(SETUP)  # type: ignore[arg-type]
    query = "select seqs, others from heller.spend_many(%s, %s::bigint[], %s)"
    row = await (await connection.execute(query, [["rich", "rich"], [10, 10], ["a", "a"]])).fetchone()
    assert row is not None
    assert row[0] == [3, None]
    assert [other and (other["seq"], other["replayed"]) for other in row[1]] == [None, (3, True)]


async def test_a_batch_reads_only_its_own_accounts(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database, autocommit=False)
    await connection.execute(
        "insert into heller.accounts (account_id, posted, settled_posted) select 'user-' || n, 100, 100 from generate_series(1, 20000) n"
    )
    await connection.execute("analyze heller.accounts")
    await connection.commit()
    accounts = [f"user-{n}" for n in range(1, 11)]
    for number in range(7):  # more calls than it takes to settle on a generic plan
        await connection.execute(
            "select heller.spend_many(%s, %s::bigint[], %s)",
            [accounts, [1] * 10, [f"{number}-{name}" for name in accounts]],
        )
        row = await (
            await connection.execute(
                "select sum(seq_tup_read + idx_tup_fetch) from pg_stat_xact_user_tables where schemaname = 'heller'"
            )
        ).fetchone()
        await connection.commit()
        assert row is not None
        assert row[0] < 1_000, number


async def test_a_key_is_found_by_its_index_however_little_the_planner_knows(
    heller_database: str, connect: Connect
) -> None:
    """Statistics of a young ledger, one transaction an account, and then one account that has thousands.

    The primary key looked as good as the index of keys then, and each spend read the account's whole history.
    """
    connection = await connect(heller_database)
    await connection.execute("select heller.open_account('user-' || n) from generate_series(1, 4000) n")
    await connection.execute(
        "select heller.grant('user-' || n, 100000, p_key => repeat('k', 150)) from generate_series(1, 4000) n"
    )
    await connection.execute("analyze heller.transactions")

    async def spend(first: int) -> None:
        keys = [f"{n:0150}" for n in range(first, first + 2000)]
        await connection.execute(
            "select heller.spend_many(array_fill('user-1'::text, array[2000]), array_fill(1::bigint, array[2000]), %s)",
            [keys],
        )

    for round_ in range(2):
        await spend(round_ * 2000)
    async with connection.transaction():
        await spend(4000)
        row = await (
            await connection.execute(
                "select pg_stat_get_xact_tuples_returned('heller.transactions_pkey'::regclass)"
            )
        ).fetchone()
    assert row is not None
    assert row[0] < 100
