"""What the steps of a migration are doing and what they answered, kept with heller for those who watch.

The files in the output folder are the whole result; the journal is what a page or another terminal shows. It never
decides anything and never stops a step.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from heller.database import call, call_many
from heller.errors import HellerError
from heller.migration.progress import Progress
from heller.migration.staging import connect

BEAT_SECONDS = 1.0
ERROR_CHARACTERS_MAX = 2_000

StepName = Literal["audit", "backup", "plan", "copy", "verify", "proof"]
STEPS: tuple[StepName, ...] = ("audit", "backup", "plan", "copy", "verify", "proof")

_BEGIN = "insert into heller.migration_steps (step, source_name) values (%s, %s) returning step_id"
_BEAT = """
update heller.migration_steps set seen_at = clock_timestamp(), done = %(done)s, total = %(total)s, phase = %(phase)s,
  phase_since = case when phase = %(phase)s then phase_since else clock_timestamp() end
where step_id = %(step)s
"""
_END = "update heller.migration_steps set finished_at = clock_timestamp(), result = %s, error = %s where step_id = %s"


class Step:
    """One step under way: a ``Progress`` that also tells the journal, and takes the step's answer."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.phase, self.done, self.total = "", 0, 0
        self.result: dict[str, Any] | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note of the progress, and pass it on."""
        self.phase, self.done, self.total = step, done, total
        self._progress(step, done, total)

    def answer(self, result: dict[str, Any]) -> None:
        """Keep what the step found."""
        self.result = result


@asynccontextmanager
async def journalled(
    database: str, name: StepName, source: str, *, progress: Progress
) -> AsyncIterator[Step]:
    """Journal the step that runs inside: its progress every second, then its answer or its error.

    ``source`` is the printable name, without a password. A database without the table (an audit needs no schema) keeps no journal.
    """
    step = Step(progress)
    connection = await connect(database)
    async with connection:
        if not await _has_journal(connection):
            yield step
            return
        row = await (await connection.execute(_BEGIN, [name, source])).fetchone()
        number = int(row[0]) if row else 0
        beat = asyncio.create_task(_beat(connection, number, step))
        error: str | None = None
        try:
            yield step
        except HellerError as failed:
            error = failed.message
            raise
        except BaseException as failed:
            error = type(failed).__name__
            raise
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat
            with contextlib.suppress(psycopg.Error):
                await _write(connection, number, step)
                result = None if step.result is None else Jsonb(step.result)
                await connection.execute(_END, [result, error and error[:ERROR_CHARACTERS_MAX], number])


async def _has_journal(connection: AsyncConnection) -> bool:
    row = await (
        await connection.execute("select to_regclass('heller.migration_steps') is not null")
    ).fetchone()
    return bool(row and row[0])


async def _beat(connection: AsyncConnection, number: int, step: Step) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        with contextlib.suppress(psycopg.Error):  # who only watches must not stop the work
            await _write(connection, number, step)


async def _write(connection: AsyncConnection, number: int, step: Step) -> None:
    values = {"done": step.done, "total": step.total, "phase": step.phase, "step": number}
    await connection.execute(_BEAT, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalledStep:
    """A step as the journal has it. ``state`` is running, finished, failed, or killed: not seen for a while."""

    step_id: int
    step: StepName
    source_name: str
    state: Literal["running", "finished", "failed", "killed"]
    phase: str
    done: int
    total: int
    phase_since: datetime
    started_at: datetime
    seen_at: datetime
    finished_at: datetime | None = None
    result: dict[str, Any] | None = None
    error: str | None = None

    @property
    def rate(self) -> float:
        """What the phase gets done in a second."""
        seconds = (self.seen_at - self.phase_since).total_seconds()
        return self.done / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> int | None:
        """How long the phase will still take at that rate; None where nobody can say."""
        if self.state != "running" or not self.total or not self.rate:
            return None
        return round((self.total - self.done) / self.rate)


async def steps(
    connection: AsyncConnection, *, before: int | None = None, limit: int = 50
) -> list[JournalledStep]:
    """The steps without their results, newest first; ``before`` is the last step_id of the page before."""
    rows = await call_many(connection, "migration_steps_list", before=before, limit=limit)
    return [msgspec.convert(row, JournalledStep) for row in rows]


async def step_of(connection: AsyncConnection, step_id: int) -> JournalledStep | None:
    """One step with its result."""
    raw = await call(connection, "migration_step", step_id=step_id)
    return None if raw is None else msgspec.convert(raw, JournalledStep)


async def runs(
    connection: AsyncConnection, *, before: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The copies, newest first: truth, decisions, snapshot, summary, and how many rows were set aside or merged.

    ``before`` is the last run_id of the page before.
    """
    return await call_many(connection, "migration_runs_list", before=before, limit=limit)


async def outcomes(
    connection: AsyncConnection,
    outcome: Literal["quarantined", "merged"] = "quarantined",
    *,
    table: str | None = None,
    after: list[str] | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Source rows that are no row of their own here, and why; the next page is ``after`` [system, table, id] of the last."""
    return await call_many(
        connection, "migration_outcomes_list", outcome=outcome, source_table=table, after=after, limit=limit
    )
