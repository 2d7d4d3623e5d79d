"""What is due is done by whoever comes first, exactly, and however much of it there is."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from heller import verify

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
START = datetime(2030, 1, 1, tzinfo=UTC)
MANY = 3_000
SECONDS_MAX = 60.0
ON_EVERY_SERVER = """
do $$ begin
  if heller._is_spread() then
    perform create_reference_table('public.clock_of_tests');
    alter function heller._clock() set citus.allow_nested_distributed_execution = on;
  end if;
end $$;
"""


@pytest.fixture
async def ledger(heller_database: str, connect: Connect) -> psycopg.AsyncConnection:
    connection = await connect(heller_database)
    await connection.execute("create table public.clock_of_tests (at timestamptz)")
    await connection.execute("insert into public.clock_of_tests values (%s)", [START])
    await connection.execute(
        "create or replace function heller._clock() returns timestamptz language sql volatile"
        " as 'select at from public.clock_of_tests'"
    )
    await connection.execute(ON_EVERY_SERVER)
    await connection.execute("select heller.open_account('a')")
    return connection


async def _at(connection: psycopg.AsyncConnection, seconds: int) -> None:
    await connection.execute("update public.clock_of_tests set at = %s", [START + timedelta(seconds=seconds)])


async def _one(connection: psycopg.AsyncConnection, statement: str, *values: Any) -> Any:
    row = await (await connection.execute(statement, values)).fetchone()  # type: ignore[arg-type]
    return None if row is None else row[0]


async def _figures(connection: psycopg.AsyncConnection) -> tuple[int, int, int]:
    seen = await _one(connection, "select heller.balance('a')")
    return seen["posted"], seen["held"], seen["available"]


def _on(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


async def test_credits_under_a_hold_outlive_their_expiry_until_the_hold_ends(
    ledger: psycopg.AsyncConnection,
) -> None:
    await ledger.execute("select heller.grant('a', 10, p_expires_at => %s)", [_on(10)])
    await ledger.execute("select heller.grant('a', 5)")
    await ledger.execute("select heller.hold('a', 8, 20)")
    await _at(ledger, 10)
    assert await _figures(ledger) == (13, 8, 5), "two of ten were promised to nobody"
    await ledger.execute("select heller.spend('a', 1)")
    await ledger.execute("select heller.capture('a', 1, 3, p_final => false)")
    assert await _figures(ledger) == (9, 5, 4)
    await _at(ledger, 20)
    assert await _figures(ledger) == (5, 0, 5), "the hold has ended: what it had kept alive is gone"
    await ledger.execute("select heller.spend('a', 1)")
    rows = await (
        await ledger.execute(
            "select delta, extract(epoch from effective_at - %s)::int from heller.transactions where kind = 'expire'",
            [START],
        )
    ).fetchall()
    assert rows == [(-2, 10), (-4, 20)]


async def test_a_hold_that_ends_in_the_instant_of_a_grant_protects_nothing(
    ledger: psycopg.AsyncConnection,
) -> None:
    await ledger.execute("select heller.grant('a', 10, p_expires_at => %s)", [_on(10)])
    await ledger.execute("select heller.hold('a', 8, 10)")
    await _at(ledger, 10)
    assert await _figures(ledger) == (0, 0, 0)
    with pytest.raises(psycopg.Error, match="expired since"):
        await ledger.execute("select heller.capture('a', 1)")
    await ledger.execute("select heller.adjust('a', 1, 'x')")
    assert await _one(ledger, "select array_agg(delta order by seq) from heller.transactions") == [10, -10, 1]


async def test_releasing_a_hold_forfeits_at_once_what_it_kept_alive(ledger: psycopg.AsyncConnection) -> None:
    await ledger.execute("select heller.grant('a', 10, p_expires_at => %s)", [_on(10)])
    await ledger.execute("select heller.hold('a', 8, 100)")
    await _at(ledger, 50)
    assert (await _one(ledger, "select heller.release('a', 1)"))["available"] == 0
    assert await _figures(ledger) == (0, 0, 0)


async def test_nothing_happens_to_a_frozen_account_until_it_is_free(ledger: psycopg.AsyncConnection) -> None:
    await ledger.execute("select heller.grant('a', 10, p_expires_at => %s)", [_on(10)])
    await ledger.execute("select heller.grant('a', 7, p_available_at => %s)", [_on(10)])
    await ledger.execute("select heller.freeze('a', 'looked at')")
    await _at(ledger, 20)
    assert await _figures(ledger) == (7, 0, 7), "a reader sees it as done"
    assert await _one(ledger, "select count(*) from heller.transactions") == 1
    await ledger.execute("select heller.unfreeze('a')")
    await ledger.execute("select heller.spend('a', 7)")
    assert await _figures(ledger) == (0, 0, 0)


async def test_a_scheduled_grant_pays_debt_before_it_expires(ledger: psycopg.AsyncConnection) -> None:
    await ledger.execute("select heller.adjust('a', -6, 'x', p_policy => 'debt')")
    await ledger.execute(
        "select heller.grant('a', 10, p_available_at => %s, p_expires_at => %s)", [_on(5), _on(8)]
    )
    await _at(ledger, 9)
    assert await _figures(ledger) == (0, 0, 0)
    await ledger.execute("select heller.adjust('a', 1, 'x')")
    assert await _figures(ledger) == (1, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["holds", "grants", "arrivals", "grants under a hold"])
async def test_thousands_of_due_things_are_done_in_one_call(
    ledger: psycopg.AsyncConnection, heller_database: str, what: str
) -> None:
    await ledger.execute("select heller.grant('a', 100000)")
    statement = {
        "holds": "select heller.hold('a', 1, 10 + n %% 100) from generate_series(1, %s) n",
        "grants": "select heller.grant('a', 2, p_expires_at => heller._clock() + make_interval(secs => 10 + n)) from generate_series(1, %s) n",
        "arrivals": "select heller.grant('a', 2, p_available_at => heller._clock() + make_interval(secs => 10 + n)) from generate_series(1, %s) n",
        "grants under a hold": "select heller.grant('a', 2, p_expires_at => heller._clock() + make_interval(secs => 10 + n)) from generate_series(1, %s) n",
    }[what]
    for _ in range(MANY // 500):
        await ledger.execute(statement, [500])  # type: ignore[arg-type]
    if what == "grants under a hold":
        await ledger.execute("select heller.hold('a', 10, 1000000)")
    await _at(ledger, 20_000)
    started = time.monotonic()
    before = await _figures(ledger)
    read = time.monotonic() - started
    await ledger.execute("select heller.spend('a', 1)")
    took = time.monotonic() - started
    assert await _figures(ledger) == (before[0] - 1, before[1], before[2] - 1)
    expected = {
        "holds": 100_000,
        "grants": 100_000,
        "arrivals": 100_000 + 2 * MANY,
        "grants under a hold": 100_010,
    }[what]
    assert before[0] == expected
    assert (await verify(heller_database)).is_ok
    assert read < SECONDS_MAX / 10
    assert took < SECONDS_MAX, f"{took:.1f} s"


async def test_what_fell_due_in_a_frozen_account_is_done_in_its_order(
    ledger: psycopg.AsyncConnection,
) -> None:
    await ledger.execute("select heller.grant('a', 10, p_expires_at => %s)", [_on(10)])
    await ledger.execute("select heller.hold('a', 10, 100)")
    await ledger.execute("select heller.grant('a', 20, p_expires_at => %s)", [_on(30)])
    await ledger.execute("select heller.hold('a', 15, 50)")
    await _at(ledger, 20)
    await ledger.execute("select heller.freeze('a', 'looked at')")  # ten credits live on for a hold
    await _at(ledger, 200)
    history = "select array_agg(heller.balance_at('a', %s + make_interval(secs => x)) order by x) from unnest(array[20, 40, 60, 150]) x"
    await ledger.execute("select heller.unfreeze('a')")
    assert await _one(ledger, history, START) == [30, 25, 10, 0]
    await ledger.execute("select heller.grant('a', 1)")
    assert await _one(ledger, history, START) == [30, 25, 10, 0]
    assert await _figures(ledger) == (1, 0, 1)
