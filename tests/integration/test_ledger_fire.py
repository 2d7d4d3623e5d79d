"""The server dies in the middle of batches: callers repeat by key; nothing acknowledged is missing, nothing is doubled."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from heller import Heller, embedded, schema, verify
from heller.errors import Busy, DatabaseError, HellerError, InsufficientCredits

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

ACCOUNTS = [f"user-{n}" for n in range(20)]
PATIENCE_SECONDS = 60.0
KILL_WAITING = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where wait_event_type = 'Lock' and datname = current_database()"
)


async def _spend_for_certain(heller: Heller, account: str, key: str) -> int:
    """What an application does: the same key again until there is a definite answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return (await heller.spend(account, 1, key=key)).seq or 0
        except (DatabaseError, Busy):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def _load(heller: Heller, *, callers: int, each: int, seed: int) -> dict[tuple[str, str], int]:
    acknowledged: dict[tuple[str, str], int] = {}

    async def caller(number: int) -> None:
        chance = random.Random(seed + number)
        for step in range(each):
            account, key = chance.choice(ACCOUNTS), f"{number}-{step}"
            acknowledged[account, key] = await _spend_for_certain(heller, account, key)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return acknowledged


async def _prepare(url: str) -> None:
    async with Heller.connect(url) as heller:
        await heller.apply([{"verb": "open_account", "account": name} for name in ACCOUNTS])
        await heller.apply([{"verb": "grant", "account": name, "amount": 100_000} for name in ACCOUNTS])


async def _assert_nothing_lost_or_doubled(url: str, acknowledged: dict[tuple[str, str], int]) -> None:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (
            await connection.execute(
                "select account_id, idempotency_key, seq from heller.transaction_log where idempotency_key is not null"
            )
        ).fetchall()
    assert {(account, key): seq for account, key, seq in rows} == acknowledged
    assert len(rows) == len(acknowledged)
    result = await verify(url)
    assert result.is_ok, result.broken


async def _under_attack(
    urls: list[str], attack: Callable[[psycopg.AsyncConnection], Awaitable[None]]
) -> None:
    """Callers of the first URL spend while the servers' backends are attacked; nothing is lost."""
    await _prepare(urls[0])
    rounds = 0

    async def reaper(done: asyncio.Event) -> None:
        nonlocal rounds
        while not done.is_set() and rounds < 6:
            await asyncio.sleep(0.25)
            for url in urls:
                with contextlib.suppress(psycopg.OperationalError):
                    async with await psycopg.AsyncConnection.connect(
                        url, autocommit=True, application_name="reaper"
                    ) as connection:
                        await attack(connection)
            rounds += 1

    done = asyncio.Event()
    async with Heller.connect(urls[0]) as heller:
        killing = asyncio.create_task(reaper(done))
        acknowledged = await _load(heller, callers=64, each=60, seed=1)
        done.set()
        await killing
    assert rounds
    await _assert_nothing_lost_or_doubled(urls[0], acknowledged)


@pytest.mark.slow
async def test_connections_are_cut_under_load(
    heller_database: str, servers: Callable[[str], list[str]]
) -> None:
    async def cut(connection: psycopg.AsyncConnection) -> None:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where state = 'active'"
            " and datname = current_database() and application_name ~ '^(heller|citus_internal)'"
        )

    await _under_attack(servers(heller_database), cut)


@pytest.mark.slow
async def test_backends_are_killed_under_load(durable_server: embedded.EmbeddedServer) -> None:
    async def kill(connection: psycopg.AsyncConnection) -> None:
        row = await (
            await connection.execute(
                "select min(pid) from pg_stat_activity where application_name = 'heller' and state = 'active'"
            )
        ).fetchone()
        if row and row[0]:
            os.kill(row[0], signal.SIGKILL)  # PostgreSQL restarts all its processes then

    await schema.apply(durable_server.url)
    await _under_attack([durable_server.url], kill)


@pytest.mark.slow
async def test_the_server_stops_at_once_and_comes_back_under_load(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = embedded.start(tmp_path / "server", port=port)
    try:
        await schema.apply(server.url)
        await _prepare(server.url)
        restarts = 0

        async def restarter() -> None:
            nonlocal server, restarts
            for _ in range(2):
                await asyncio.sleep(0.4)
                pid = int(next(server.directory.rglob("postmaster.pid")).read_text().splitlines()[0])
                os.kill(pid, signal.SIGQUIT)  # an immediate stop: no checkpoint, recovery at the next start
                await asyncio.to_thread(server.stop)
                server = await asyncio.to_thread(embedded.start, tmp_path / "server", port=port)
                restarts += 1

        async with Heller.connect(server.url) as heller:
            restarting = asyncio.create_task(restarter())
            acknowledged = await _load(heller, callers=64, each=80, seed=2)
            await restarting
            more = await _load(heller, callers=8, each=3, seed=3)
        assert restarts == 2
        await _assert_nothing_lost_or_doubled(server.url, acknowledged | more)
    finally:
        server.stop()


async def test_without_a_key_the_caller_learns_that_the_outcome_is_unknown(
    heller_database: str, connect: Connect, servers: Callable[[str], list[str]]
) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 10)
        blocker = await connect(heller_database, autocommit=False)
        await blocker.execute("select heller.spend('a', 1)")
        waiting = asyncio.create_task(heller.spend("a", 1))
        killers = [await connect(url) for url in servers(heller_database)]
        for _ in range(200):
            found = [await (await killer.execute(KILL_WAITING)).fetchall() for killer in killers]
            if any(found):
                break
            await asyncio.sleep(0.02)
        with pytest.raises(DatabaseError):
            await waiting
        await blocker.commit()
        assert (await heller.balance("a")).posted == 9


async def test_a_lock_held_too_long_is_busy_and_others_go_on(
    heller_database: str, connect: Connect, servers: Callable[[str], list[str]]
) -> None:
    holder = await connect(heller_database)
    await holder.execute("select heller.open_account('stuck'), heller.open_account('free')")
    await holder.execute("select heller.grant('stuck', 10), heller.grant('free', 10)")
    impatient = await connect(heller_database)
    await holder.execute("begin")
    await holder.execute("select heller.spend('stuck', 1)")
    if len(servers(heller_database)) == 1:  # the servers of a cluster have timeouts of their own
        await impatient.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await impatient.execute("select heller.spend('stuck', 1, p_key => 'k')")
    await impatient.execute("select heller.spend('free', 1)")
    await impatient.execute("set lock_timeout = 0; set statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        await impatient.execute("select heller.spend('stuck', 1, p_key => 'k')")
    await holder.execute("commit")
    row = await (
        await impatient.execute("select heller.spend('stuck', 1, p_key => 'k') ->> 'replayed'")
    ).fetchone()
    assert row == ("false",)
    assert (await verify(heller_database)).is_ok


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_under_stricter_isolation_a_caller_is_told_to_repeat(
    heller_database: str, connect: Connect, level: str
) -> None:
    one, two = await connect(heller_database), await connect(heller_database)
    await one.execute("select heller.open_account('a')")
    await one.execute("select heller.grant('a', 10)")
    await two.execute(f"begin isolation level {level}")
    await two.execute("select heller.balance('a')")
    await one.execute("select heller.spend('a', 4)")
    with pytest.raises(psycopg.errors.SerializationFailure):
        await two.execute("select heller.spend('a', 7)")
    await two.execute("rollback")
    await two.execute(f"begin isolation level {level}")
    with pytest.raises(psycopg.Error) as refused:
        await two.execute("select heller.spend('a', 7)")
    assert refused.value.sqlstate == "HL002"
    await two.execute("rollback")


async def test_a_cancelled_caller_does_not_take_others_with_it(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 1000)
        tasks = [asyncio.create_task(heller.spend("a", 1, key=f"k{n}")) for n in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [r for r in results if isinstance(r, HellerError)]
        # again by key: whatever became of the cancelled ones, each key counts once
        await asyncio.gather(*(heller.spend("a", 1, key=f"k{n}") for n in range(100)))
        assert (await heller.balance("a")).posted == 900
        with pytest.raises(InsufficientCredits):
            await heller.spend("a", 901)
