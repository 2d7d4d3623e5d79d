"""The worker does what is due in accounts that nobody touches, and ends when told."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg

from heller import Heller, worker

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def test_one_round_expires_idle_grants(heller_database: str, connect: Connect) -> None:
    async with Heller.connect(heller_database) as heller:
        for account in ("idle-1", "idle-2", "lasting"):
            await heller.open_account(account)
        expires_at = datetime.now(UTC) + timedelta(seconds=30)
        await heller.grant("idle-1", 10, expires_at=expires_at)
        await heller.grant("idle-2", 10, expires_at=expires_at)
        await heller.grant("lasting", 10)
    assert (await worker.once(heller_database))["due"] == 0
    connection = await connect(heller_database)
    await connection.execute(
        "create or replace function heller._clock() returns timestamptz language sql volatile"
        " as $$ select clock_timestamp() + interval '1 minute' $$"
    )
    assert (await worker.once(heller_database))["due"] == 1
    rows = await (
        await connection.execute("select account_id, posted from heller.accounts order by account_id")
    ).fetchall()
    assert rows == [("idle-1", 0), ("idle-2", 0), ("lasting", 10)]


async def test_old_outcomes_are_forgotten_and_young_ones_stay(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    for number in range(5):
        await connection.execute(
            "select heller.observe(%s, 'a', %s, 'spend', false, 5)",
            [f"operation-{number}", "legacy" if number == 0 else "heller"],
        )
    await connection.execute(
        "update heller.observations set at = at - interval '91 days'"
        " where operation_id in ('operation-0', 'operation-1', 'operation-2')"
    )
    assert (await worker.once(heller_database))["forget"] == 3
    rows = await (
        await connection.execute("select operation_id from heller.observations order by 1")
    ).fetchall()
    assert rows == [("operation-3",), ("operation-4",)]


async def test_worker_ends_when_told(heller_database: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STRIPE")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heller.cli.main", "worker", "--database", heller_database,
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert b"worker started" in line
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_worker_told_to_stop_in_the_middle_of_a_job_finishes_it(
    heller_database: str, connect: Connect
) -> None:
    blocker, looker = await connect(heller_database), await connect(heller_database)
    stop = asyncio.Event()

    async def job(condition: str) -> bool:
        cursor = await looker.execute(
            f"select exists (select from heller.jobs where job = 'due' and {condition})"
        )
        row = await cursor.fetchone()
        return bool(row and row[0])

    async with asyncio.timeout(60), blocker.transaction():
        await blocker.execute("lock table heller.accounts")
        running = asyncio.create_task(worker.run(heller_database, stop=stop))
        while not await job("lease_until is not null") or not await waits(looker):  # noqa: ASYNC110  # in SQL
            await asyncio.sleep(0.02)
        stop.set()
        await asyncio.sleep(0.1)
        assert not running.done(), "the job is under way"
    await asyncio.wait_for(running, 30)
    assert await job("lease_until is null and succeeded_at is not null"), "finished, and given back"


async def waits(connection: psycopg.AsyncConnection) -> bool:
    """Whether somebody waits for a lock in this database."""
    cursor = await connection.execute(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def test_a_defect_of_one_job_leaves_the_others_at_work(heller_database: str, monkeypatch) -> None:
    async def broken(_worker: worker.Worker, _previous: object) -> int:
        raise KeyError("a defect")

    monkeypatch.setattr(worker.Worker, "tell", broken)
    stop, done = asyncio.Event(), {}

    def told(job: str, answer: object) -> None:
        done[job] = answer
        if {"alerts", "due"} <= done.keys():
            stop.set()

    async with asyncio.timeout(60):
        await worker.run(heller_database, stop=stop, told=told)
    assert (done["alerts"], done["due"]) == ("failed: KeyError: 'a defect'", 0)
