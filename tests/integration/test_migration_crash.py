"""``kill -9`` in the middle of a copy, again and again: resumed, it ends where an undisturbed one ends."""

import asyncio
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from heller.errors import StalePlan, UsageError
from heller.migration import Copied, copy, run
from heller.migration.plan import Truth
from legacy_sample import build

KILLS = 10
RANGE_ROWS = 40

CHILD = """
import asyncio, sys
from pathlib import Path
from heller.migration import copying, run
copying.RANGE_ROWS = int(sys.argv[4])
def progress(step, done, total):
    print(step, flush=True)
asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), decide="recommended", progress=progress))
"""

STATE = {
    "transactions": "account_id, unit, seq, delta, balance_after, kind, reason, actor, metadata, idempotency_key, payment_key,"
    " source_system, source_table, source_id",
    "accounts": "account_id, unit, user_id, posted, held, version, last_seq, last_grant, settled_seq, settled_posted, uncovered",
    "grants": "account_id, grant_id, seq, amount, remaining, source, cost, currency, payment_key, reason",
    "payments": "payment_key, account_id, provider, payment_intent, checkout_session, amount, currency, credits, net_credits,"
    " state, source_table, source_id",
    "identities": "kind, name, user_id",
    "users": "id, metadata",
    "migration_outcomes": "source_system, source_table, source_id, outcome, reason, account_id, into_table, into_id",
}


async def state(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """What a migration leaves, without the times and run numbers at which it did."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = {}
        for table, columns in STATE.items():
            cursor = await connection.execute(f"select ({columns})::text from heller.{table} order by 1")  # type: ignore[arg-type]
            found[table] = await cursor.fetchall()
        return found


@pytest.fixture
def undisturbed(server_url: str, heller_template: str) -> Iterator[str]:
    """A second database with the schema heller."""
    name = sql.Identifier(f"undisturbed_{uuid4().hex[:12]}")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(name, sql.Identifier(heller_template))
        )
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name.as_string().strip(chr(34))}"))
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


async def killed(source: str, target: str, out: Path, *, step: str, times: int, pause: float) -> bool:
    """Run in a process of its own and kill it after ``times`` lines about ``step``; False when it was done before."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, source, target, str(out), str(RANGE_ROWS), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    seen = 0
    async for line in process.stdout:
        seen += line.decode().strip() == step
        if seen == times:
            await asyncio.sleep(pause)
            process.send_signal(signal.SIGKILL)
            break
    code = await process.wait()
    assert code in {0, -signal.SIGKILL}
    return code != 0


@pytest.mark.slow
async def test_killed_ten_times_it_ends_where_an_undisturbed_run_ends(
    empty_database: str, heller_database: str, undisturbed: str, tmp_path: Path
) -> None:
    await build(empty_database, shape="production", users=60, seed=8)
    reference = await run(empty_database, undisturbed, tmp_path / "reference", decide="recommended")
    draw = random.Random(8)
    kills = 0
    for number in range(KILLS):
        kills += await killed(
            empty_database, heller_database, tmp_path / "out",
            step="copy", times=1 + number + draw.randrange(3), pause=draw.random() / 20,
        )  # fmt: skip
    result = await run(empty_database, heller_database, tmp_path / "out", decide="recommended")
    assert kills == KILLS
    assert await state(heller_database) == await state(undisturbed)
    assert (result.ok, result.copied.credits_target) == (True, reference.copied.credits_target)
    assert result.copied.copied + result.copied.present == reference.copied.copied


@pytest.mark.slow
@pytest.mark.parametrize("step", ["read credit_transactions", "resolve", "audit", "plan", "backup", "verify"])
async def test_killed_in_any_other_step_the_next_run_starts_clean(
    empty_database: str, heller_database: str, tmp_path: Path, step: str
) -> None:
    await build(empty_database, shape="production", users=30, seed=9, clean=True)
    assert await killed(empty_database, heller_database, tmp_path, step=step, times=1, pause=0)
    result = await run(empty_database, heller_database, tmp_path)
    again = await run(empty_database, heller_database, tmp_path)
    assert (result.ok, again.ok, again.copied.copied, result.copied.accounts) == (True, True, 0, 30)


@pytest.mark.slow
async def test_a_stopped_copy_goes_on_from_a_source_that_has_moved_on(
    empty_database: str, heller_database: str, tmp_path: Path
) -> None:
    async def spend_in_the_source() -> None:
        async with await psycopg.AsyncConnection.connect(empty_database) as connection:
            await connection.execute(
                "insert into credit_transactions (user_id, delta_credits, reason, created_at) values (1, -1, 'late', now())"
            )
            await connection.execute("update users set credits_balance = credits_balance - 1 where id = 1")

    async def again(*, truth: Truth = "balance", resume: bool = True) -> Copied:
        return await copy(empty_database, heller_database, tmp_path, truth=truth, resume=resume)

    await build(empty_database, shape="production", users=60, seed=8, clean=True)
    assert await killed(empty_database, heller_database, tmp_path, step="copy", times=2, pause=0)
    await spend_in_the_source()
    with pytest.raises(StalePlan):
        await again(resume=False)
    with pytest.raises(UsageError, match="took balance for the truth, not transactions"):
        await again(truth="transactions")
    stopped, after = await again(), await again()
    assert (stopped.ok, stopped.resumed, after.ok, after.resumed, after.copied) == (True, 1, True, None, 0)
    await spend_in_the_source()
    with pytest.raises(StalePlan):  # nothing was stopped: the plan counts
        await again()
