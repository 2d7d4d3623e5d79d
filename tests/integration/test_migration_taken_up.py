"""What a plan prepared is what a copy writes, while the source is still what was planned; otherwise the source is read again."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heller.errors import StalePlan
from heller.migration import Copied, audit, copy, plan, staging, verify
from legacy_sample import build

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from heller.migration import copy, copying
copying.RANGE_ROWS = 40
def progress(step, done, total):
    if step == "copy" and done:
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(copy(sys.argv[1], sys.argv[2], Path(sys.argv[3]), decide="recommended", progress=progress))
"""
"""A copy that ends by ``kill -9`` when the first of its ranges is written."""
LATE = "insert into credit_transactions (user_id, delta_credits, reason, created_at) values (1, -1, 'late', now())"
LATE_BALANCE = "update users set credits_balance = credits_balance - 1 where id = 1"


class Phases(list[str]):
    """A progress that keeps the names of what was done, each once after the other."""

    def __call__(self, step: str, done: int, total: int) -> None:
        del done, total
        phase = step.split(maxsplit=1)[0]
        if self[-1:] != [phase]:
            self.append(phase)


async def execute(url: str, *statements: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in statements:
            await connection.execute(statement)  # type: ignore[call-overload]


async def staged_tables(url: str) -> int:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (
            await connection.execute("select count(*) from pg_tables where schemaname = 'heller_staging'")
        ).fetchone()
    return row[0] if row else 0


@pytest.fixture
async def planned(empty_database: str, heller_database: str, tmp_path: Path) -> Any:
    """A plan of thirty users with every kind of mess, and the copy of it."""
    await build(empty_database, shape="production", users=30, seed=8)
    await plan(empty_database, heller_database, tmp_path, decide="recommended")

    async def copy_it(**options: Any) -> tuple[Copied, list[str]]:
        phases = Phases()
        given = {"decide": "recommended"} | options
        return await copy(empty_database, heller_database, tmp_path, **given, progress=phases), phases

    return copy_it


async def test_a_copy_writes_what_the_plan_prepared_and_clears_it_away(
    planned: Any, empty_database: str, heller_database: str, tmp_path: Path
) -> None:
    result, phases = await planned()
    assert (result.ok, phases) == (True, ["compare", "copy"])
    assert await staged_tables(heller_database) == 0
    again, phases = await planned()
    assert (again.ok, again.copied, again.present, phases) == (
        True, 0, result.copied, ["read", "resolve", "audit", "plan", "copy"],
    )  # fmt: skip
    assert (await verify(empty_database, heller_database, tmp_path)).ok


async def test_a_killed_copy_goes_on_with_what_was_prepared(
    planned: Any, empty_database: str, heller_database: str, tmp_path: Path
) -> None:
    arguments = ("-c", KILLED, empty_database, heller_database, str(tmp_path))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    assert await process.wait() == -signal.SIGKILL
    result, phases = await planned()
    assert (result.ok, phases) == (True, ["compare", "copy"])
    assert 0 < result.present < result.present + result.copied
    assert (await verify(empty_database, heller_database, tmp_path)).ok


async def test_a_source_before_postgresql_14_is_compared_by_its_text(
    empty_database: str, heller_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "ROW_HASH_SINCE", 1_000_000)
    await build(empty_database, shape="drifted", users=10, seed=8, clean=True)
    await plan(empty_database, heller_database, tmp_path)
    phases = Phases()
    assert (await copy(empty_database, heller_database, tmp_path, progress=phases)).ok
    assert phases == ["compare", "copy"]


@pytest.mark.parametrize(
    "change",
    [
        (LATE, LATE_BALANCE),
        ("delete from processed_events where id = (select min(id) from processed_events)",),
    ],
)
async def test_a_source_that_moved_on_is_not_what_was_planned(
    planned: Any, empty_database: str, heller_database: str, tmp_path: Path, change: tuple[str, ...]
) -> None:
    await execute(empty_database, *change)
    with pytest.raises(StalePlan, match="has changed"):
        await planned()
    result, phases = await planned(replan=True)  # what the refused copy read is still right
    assert (result.ok, phases) == (True, ["compare", "copy"])
    assert (await verify(empty_database, heller_database, tmp_path)).ok


async def test_a_foreign_key_that_has_gone_is_another_understanding(
    empty_database: str, heller_database: str, tmp_path: Path
) -> None:
    """With it a reference is an id; without it any name may be meant."""
    await build(empty_database, shape="documented", users=5, seed=8, clean=True)
    await plan(empty_database, heller_database, tmp_path)
    await execute(
        empty_database, "alter table credit_transactions drop constraint credit_transactions_user_id_fkey"
    )
    with pytest.raises(StalePlan, match="has changed"):
        await copy(empty_database, heller_database, tmp_path)


async def test_another_decision_or_truth_is_another_plan(planned: Any, tmp_path: Path) -> None:
    with pytest.raises(StalePlan, match="has changed"):
        await planned(truth="transactions")
    (tmp_path / "decisions.toml").write_text('[unknown_user]\ndefault = "skip"\n', encoding="utf-8")
    with pytest.raises(StalePlan, match="has changed"):
        await planned()
    result, phases = await planned(replan=True)
    assert (result.ok, phases) == (True, ["compare", "copy"])
    assert result.quarantined > 0


async def test_what_a_crash_of_the_server_emptied_is_read_again(planned: Any, heller_database: str) -> None:
    unlogged = "heller_staging.prepared, heller_staging.entries, heller_staging.accounts"
    await execute(heller_database, f"truncate {unlogged}")  # as a crash does
    result, phases = await planned()
    assert (result.ok, phases[0]) == (True, "read")


async def test_an_audit_in_between_takes_the_workspace_for_itself(
    planned: Any, empty_database: str, heller_database: str, tmp_path: Path
) -> None:
    await audit(empty_database, heller_database, tmp_path)
    assert await staged_tables(heller_database) == 0
    result, phases = await planned()
    assert (result.ok, phases[0]) == (True, "read")
