"""Concurrent single calls share round trips; nobody notices but the clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, LiteralString

import psycopg
import pytest

from heller import Heller, verify
from heller.errors import Busy, DatabaseUnavailable, HellerError, InsufficientCredits, UnknownAccount
from heller.ledger import Transaction
from heller.ledger.batching import ATTEMPTS_MAX, Batcher
from heller.ledger.heller import _Channel

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

FAIL_FIRST = """
create sequence public.failures;
create function fail_first() returns trigger language plpgsql as $$
begin
  if nextval('public.failures') <= {times} then raise exception 'made to fail' using errcode = '{code}'; end if;
  return null;
end $$;
create trigger fail_first after insert on heller.transactions for each statement execute function fail_first();
"""
WAITING: tuple[LiteralString, LiteralString] = (
    """select pid from pg_stat_activity
       where datname = current_database() and application_name = 'heller' and wait_event_type = 'Lock'""",
    "select distinct citus_pid_for_gpid(waiting_gpid) from citus_lock_waits",  # the waiting is done on a worker
)
HAS_WORKERS = "select to_regclass('pg_catalog.pg_dist_node') is not null"
on_one_server = pytest.mark.one_server("a trigger that fails is made for one server")


@pytest.fixture
async def heller(heller_database: str) -> AsyncIterator[Heller]:
    async with Heller.connect(heller_database) as opened:
        yield opened


async def _accounts(heller: Heller, *names: str, credits_each: int = 1_000_000) -> None:
    await heller.apply([{"verb": "open_account", "account": name} for name in names])
    await heller.apply([{"verb": "grant", "account": name, "amount": credits_each} for name in names])


async def _waiting(connection: psycopg.AsyncConnection, count: int = 1) -> list[int]:
    """The backends of heller that wait for a lock, as soon as there are so many."""
    ((has_workers,),) = await (await connection.execute(HAS_WORKERS)).fetchall()
    for _ in range(2_000):
        rows = await (await connection.execute(WAITING[has_workers])).fetchall()
        if len(rows) >= count:
            return [row[0] for row in rows]
        await asyncio.sleep(0.005)
    raise AssertionError("heller never waited")


async def _spends(connection: psycopg.AsyncConnection, account: str) -> list[Any]:
    query = "select seq, -delta, reason from heller.transactions where account_id = %s and kind = 'spend' order by seq"
    return await (await connection.execute(query, [account])).fetchall()


async def _lock(connection: psycopg.AsyncConnection, account: str) -> None:
    await connection.execute("begin")
    await connection.execute("select from heller.accounts where account_id = %s for update", [account])


async def test_results_are_never_mixed(heller: Heller) -> None:
    names = [f"user-{n}" for n in range(20)]
    await _accounts(heller, *names)
    asked = [(names[n % 20], n + 1, f"key-{n}") for n in range(400)]
    results = await asyncio.gather(*(heller.spend(name, amount, key=key) for name, amount, key in asked))
    assert [(r.account, -r.delta, r.key) for r in results] == asked


async def test_an_account_keeps_the_order_of_the_calls(heller: Heller) -> None:
    await _accounts(heller, "user")
    calls: list[Awaitable[Any]] = [heller.spend("user", n) for n in range(1, 300)]
    calls.insert(
        150, heller.apply([{"verb": "spend", "account": "user", "amount": 1_000 + n} for n in range(5)])
    )
    results = await asyncio.gather(*calls)
    flat = [one for result in results for one in (result if isinstance(result, list) else [result])]
    assert [one.seq for one in flat] == list(range(2, 306))


async def test_concurrent_calls_share_transactions_and_lone_ones_do_not_wait(
    heller: Heller, heller_database: str, connect: Connect
) -> None:
    await _accounts(heller, "user")
    connection = await connect(heller_database)
    query = "select count(distinct xmin::text) from heller.transactions where kind = 'spend'"
    for _ in range(10):
        await heller.spend("user", 1)
    assert await (await connection.execute(query)).fetchone() == (10,)
    await asyncio.gather(*(heller.spend("user", 1) for _ in range(200)))
    assert await (await connection.execute(query)).fetchone() == (11,)


async def test_a_hot_account_does_not_starve_the_others(heller: Heller) -> None:
    await _accounts(heller, "hot", "cold")
    heller._batcher = Batcher(lambda: _Channel(heller._database), lanes=1, batch_max=10)
    answered: list[str] = []

    async def spend(name: str) -> None:
        await heller.spend(name, 1)
        answered.append(name)

    await asyncio.gather(*(spend("hot") for _ in range(200)), *(spend("cold") for _ in range(5)))
    assert answered.index("cold") < 20
    assert max(i for i, name in enumerate(answered) if name == "cold") < 40


async def test_more_accounts_than_a_batch_holds_take_turns(heller: Heller) -> None:
    names = [f"user-{n}" for n in range(7)]
    await _accounts(heller, *names)
    heller._batcher = Batcher(lambda: _Channel(heller._database), lanes=1, batch_max=2)
    answered: list[str] = []

    async def spend(name: str) -> None:
        await heller.spend(name, 1)
        answered.append(name)

    await asyncio.gather(*(spend(name) for name in names for _ in range(20)))
    assert set(answered[:8]) == set(names)
    assert set(answered[-8:]) == set(names)


async def test_a_call_made_while_the_lanes_go_to_rest_is_answered(heller: Heller) -> None:
    await _accounts(heller, "a", "b")

    class Slow(_Channel):
        """Takes its time to give back the connection."""

        async def rest(self) -> None:
            await asyncio.sleep(0.05)
            await super().rest()

    heller._batcher = Batcher(lambda: Slow(heller._database))
    await asyncio.gather(heller.spend("a", 1), heller.spend("b", 1))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        assert (await heller.spend("a", 1)).seq == 3


async def test_a_refusal_is_its_callers_own(heller: Heller) -> None:
    await _accounts(heller, "rich", "poor", credits_each=10)
    results = await asyncio.gather(
        heller.spend("rich", 1),
        heller.spend("poor", 11),
        heller.spend("nobody", 1),
        heller.spend("rich", 2),
        heller.spend("poor", 10),
        return_exceptions=True,
    )
    assert [type(r) for r in results] == [
        Transaction,
        InsufficientCredits,
        UnknownAccount,
        Transaction,
        Transaction,
    ]


async def test_one_key_many_times_at_once_is_one_spend(
    heller: Heller, heller_database: str, connect: Connect
) -> None:
    await _accounts(heller, "user")
    results = await asyncio.gather(*(heller.spend("user", 5, key="intent") for _ in range(20)))
    assert sorted(r.replayed for r in results) == [False] + [True] * 19
    assert {r.seq for r in results} == {2}
    assert len(await _spends(await connect(heller_database), "user")) == 1


@pytest.mark.parametrize(
    "text",
    ['say "hi"', r"C:\new\table", "line\nline\ttab", "null", "NULL", "{a,b}", "", "naïve 🙂", "a,b", " "],
)
async def test_any_text_arrives_as_it_was_sent(heller: Heller, text: str) -> None:
    await _accounts(heller, "user")
    results = await asyncio.gather(
        heller.spend("user", 1, reason=text, metadata={"note": text, "list": [text]}), heller.spend("user", 2)
    )
    assert (results[0].reason, results[0].metadata) == (text, {"note": text, "list": [text]})
    (stored,) = [row for row in await heller.history("user") if row.delta == -1]
    assert (stored.reason, stored.metadata) == (text, {"note": text, "list": [text]})


async def test_a_caller_cancelled_before_its_turn_spends_nothing(
    heller: Heller, heller_database: str, connect: Connect
) -> None:
    await _accounts(heller, "user")
    other = await connect(heller_database)
    await _lock(other, "user")
    sent = asyncio.create_task(heller.spend("user", 1))
    await _waiting(await connect(heller_database))
    gone, patient = asyncio.create_task(heller.spend("user", 2)), asyncio.create_task(heller.spend("user", 3))
    await asyncio.sleep(0)
    gone.cancel()
    await other.execute("commit")
    assert [(await sent).seq, (await patient).seq] == [2, 3]
    assert [row[1] for row in await _spends(other, "user")] == [1, 3]


async def test_a_caller_cancelled_after_its_turn_disturbs_nobody(
    heller: Heller, heller_database: str, connect: Connect
) -> None:
    await _accounts(heller, "user")
    other = await connect(heller_database)
    await _lock(other, "user")
    gone, patient = asyncio.create_task(heller.spend("user", 1)), asyncio.create_task(heller.spend("user", 2))
    await _waiting(await connect(heller_database))
    gone.cancel()
    await other.execute("commit")
    assert (await patient).delta == -2
    assert [row[1] for row in await _spends(other, "user")] == [1, 2]


@on_one_server
@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_what_was_rolled_back_for_sure_is_repeated_for_all(
    heller: Heller, heller_database: str, connect: Connect, code: str
) -> None:
    await _accounts(heller, "user")
    other = await connect(heller_database)
    await other.execute(FAIL_FIRST.format(times=ATTEMPTS_MAX - 1, code=code))  # type: ignore[arg-type]
    results = await asyncio.gather(heller.spend("user", 1, key="a"), heller.spend("user", 2))
    assert [result.seq for result in results] == [2, 3]


@on_one_server
async def test_a_conflict_without_end_is_busy(heller: Heller, heller_database: str, connect: Connect) -> None:
    await _accounts(heller, "user")
    other = await connect(heller_database)
    await other.execute(FAIL_FIRST.format(times=1_000, code="40001"))  # type: ignore[arg-type]
    with pytest.raises(Busy):
        await heller.spend("user", 1)
    assert await _spends(other, "user") == []


async def test_a_real_deadlock_is_survived(heller: Heller, heller_database: str, connect: Connect) -> None:
    await _accounts(heller, "a", "b")
    heller._batcher = Batcher(lambda: _Channel(heller._database), lanes=1)
    other = await connect(heller_database)
    await other.execute("set deadlock_timeout = '60s'")  # so that heller's side is the one to be ended
    await _lock(other, "b")
    spends = [asyncio.create_task(heller.spend(name, 1)) for name in ("a", "b")]
    await _waiting(await connect(heller_database))
    await other.execute("select from heller.accounts where account_id = 'a' for update")
    await other.execute("commit")
    assert [(await spend).delta for spend in spends] == [-1, -1]


async def test_after_a_lost_connection_only_what_has_a_key_is_repeated(
    heller: Heller, heller_database: str, connect: Connect
) -> None:
    await _accounts(heller, "user")
    other, observer = await connect(heller_database), await connect(heller_database)
    await _lock(other, "user")
    calls = [heller.spend("user", 1, key="a"), heller.spend("user", 2), heller.spend("user", 4, key="b")]
    tasks = [asyncio.create_task(call) for call in calls]
    (pid,) = await _waiting(observer)
    await observer.execute("select pg_terminate_backend(%s::integer)", [pid])
    await other.execute("commit")
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(r) for r in results] == [Transaction, DatabaseUnavailable, Transaction]
    assert [row[1] for row in await _spends(observer, "user")] == [1, 4]


async def test_a_commit_whose_answer_was_lost_is_not_done_twice(
    heller: Heller, heller_database: str, connect: Connect
) -> None:
    await _accounts(heller, "user")
    await heller.spend("user", 3, key="intent")

    class Forgetful(_Channel):
        """Loses the connection after the commit, once."""

        lost = 0

        async def send(self, batch: Any) -> Any:
            results = await super().send(batch)
            if not self.lost:
                Forgetful.lost += 1
                raise DatabaseUnavailable("lost")
            return results

    heller._batcher = Batcher(lambda: Forgetful(heller._database), lanes=1)
    result = await heller.spend("user", 5, key="second")
    assert (result.replayed, result.seq) == (True, 3)
    assert len(await _spends(await connect(heller_database), "user")) == 2


async def test_a_locked_account_fails_alone(
    heller_database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heller.database.LOCK_TIMEOUT_SECONDS", 1)
    async with Heller.connect(heller_database) as heller:
        names = [f"user-{n}" for n in range(6)]
        await _accounts(heller, *names)
        heller._batcher = Batcher(lambda: _Channel(heller._database), lanes=1)
        other = await connect(heller_database)
        await _lock(other, "user-3")
        results = await asyncio.gather(*(heller.spend(name, 1) for name in names), return_exceptions=True)
        await other.execute("rollback")
    assert [isinstance(r, Busy) for r in results] == [n == 3 for n in range(6)]


async def test_close_answers_what_was_submitted(heller_database: str) -> None:
    heller = await Heller.open(heller_database)
    await _accounts(heller, "user")
    tasks = [asyncio.create_task(heller.spend("user", 1)) for _ in range(50)]
    await asyncio.sleep(0)
    await heller.close()
    assert [task.result().seq for task in tasks] == list(range(2, 52))


async def test_a_batch_of_all_verbs_and_options_answers_each_in_its_place(heller: Heller) -> None:
    await _accounts(heller, "a", "b", credits_each=100)
    results = await heller.apply(
        [
            {"verb": "spend", "account": "a", "amount": 30},
            {"verb": "spend", "account": "b", "amount": 150, "allow_partial": True},
            {"verb": "spend", "account": "a", "amount": 80},
            {"verb": "hold", "account": "a", "amount": 20},
            {"verb": "spend", "account": "a", "amount": 2**70},
            {"verb": "dance", "account": "a"},
            {"verb": "spend", "account": "a", "amount": 50},
        ]
    )
    said = [
        type(r).__name__ if isinstance(r, HellerError) else getattr(r, "delta", r.__class__.__name__)
        for r in results
    ]
    assert said == [-30, -100, "InsufficientCredits", "HoldState", "InvalidArgument", "InvalidArgument", -50]


async def test_after_all_of_it_the_books_are_right(heller: Heller, heller_database: str) -> None:
    names = [f"user-{n}" for n in range(10)]
    await _accounts(heller, *names, credits_each=500)
    calls = [
        heller.spend(names[n % 7], n % 23 + 1, key=f"k{n % 300}" if n % 3 else None, allow_partial=n % 5 == 0)
        for n in range(900)
    ]
    await asyncio.gather(*calls, return_exceptions=True)
    result = await verify(heller_database)
    assert result.is_ok, result.as_json()
