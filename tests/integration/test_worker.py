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
