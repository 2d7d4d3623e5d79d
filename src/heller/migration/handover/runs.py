"""Many users: in batches, quiet ones first, with pauses; resumable by running again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import AsyncConnection

from heller import pooler, schema
from heller.database import connect
from heller.errors import MigrationError
from heller.migration.handover import fence
from heller.migration.handover.layout import Layout, read_layout
from heller.migration.handover.legacy_side import LegacySide
from heller.migration.handover.moves import BATCH_USERS, Coordinator
from heller.migration.handover.our_side import OurSide
from heller.migration.handover.outcomes import Moves, Outcome
from heller.migration.handover.points import Reached, unwatched
from heller.migration.progress import Progress, silent

ROUNDS_MAX = 20
ROUND_PAUSE_SECONDS = 0.2
WAITING_SESSIONS_MAX = 4
LOAD_PAUSE_SECONDS = 0.5
LOAD_PAUSES_MAX = 120

_SETTINGS = (
    "set client_encoding to 'UTF8'; set timezone to 'UTC'; set datestyle to 'ISO, YMD'; set extra_float_digits to 1;"
    " set bytea_output to 'hex'; set lock_timeout to '10s'; set statement_timeout to '10min'"
)
_WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Sides:
    """Both databases, and how the legacy one is laid out."""

    legacy: LegacySide
    ours: OurSide
    layout: Layout

    def coordinator(self, *, reached: Reached = unwatched) -> Coordinator:
        """One that moves users between them."""
        return Coordinator(self.legacy, self.ours, reached=reached)


@asynccontextmanager
async def open_sides(
    legacy_url: str, database: str, *, mapping: Path | None = None, needs_fence: bool = True
) -> AsyncIterator[Sides]:
    """Both databases, recognised. Raises MigrationError where a fence is needed and there is none."""
    legacy = await connect(legacy_url, application_name="heller handover")
    try:
        ours = await connect(database, application_name="heller handover")
        try:
            await pooler.require_session(legacy, legacy_url, what="The handover")
            await pooler.require_session(ours, database, what="The handover")
            await schema.require(ours)
            await legacy.execute(_SETTINGS)
            installed = await fence.is_installed(legacy)
            if needs_fence and not installed:
                raise MigrationError(
                    "The legacy database has no fence; without one both systems could spend the same credits.",
                    hint="Run 'heller migrate fence install' first.",
                )
            layout = await read_layout(
                legacy, mapping=mapping, truth=await _truth(legacy, ours, installed=installed)
            )
            yield Sides(LegacySide(legacy, layout), OurSide(ours, layout.system), layout)
        finally:
            await ours.close()
    finally:
        await legacy.close()


async def _truth(legacy: AsyncConnection, ours: AsyncConnection, *, installed: bool) -> str:
    """What the fence was built for, else what the last copy took as the truth."""
    query = (
        "select truth from heller_fence.settings"
        if installed
        else "select truth from heller.migration_runs order by run_id desc limit 1"
    )
    row = await (await (legacy if installed else ours).execute(query)).fetchone()
    return str(row[0]) if row else "balance"


async def move_many(
    move: Callable[[Sequence[str]], Awaitable[list[Outcome]]],
    users: AsyncIterator[str],
    *,
    batch_users: int = BATCH_USERS,
    total: int = 0,
    patience_seconds: float = 30,
    may_go_on: Callable[[], Awaitable[bool]] | None = None,
    progress: Progress = silent,
    step: str = "handover",
) -> Moves:
    """Move users in batches.

    Busy ones go to the end of the queue, so quiet users move first; after ``patience_seconds`` without one of
    them moving they are left for another run. Where ``may_go_on`` says no, the batch under way is finished and no more.
    """
    moves, done = Moves(), 0
    again: list[str] = []
    batch: list[str] = []

    async def goes_on() -> bool:
        return may_go_on is None or await may_go_on()

    async def flush() -> None:
        nonlocal done
        if not batch:
            return
        outcomes = await move(list(batch))
        done += len(batch)
        batch.clear()
        again.extend(o.account for o in outcomes if o.outcome in {"busy", "draining"})
        moves.add(o for o in outcomes if o.outcome not in {"busy", "draining"})
        progress(step, done - len(again), max(total, done))

    async for user in users:
        if not await goes_on():
            batch.clear()
            break
        batch.append(user)
        if len(batch) >= batch_users:
            await flush()
    await flush()
    last: list[Outcome] = []
    deadline = time.monotonic() + patience_seconds
    while again and time.monotonic() < deadline and await goes_on():
        await asyncio.sleep(ROUND_PAUSE_SECONDS)
        waiting, again[:], last = list(again), [], []
        for first in range(0, len(waiting), batch_users):
            outcomes = await move(waiting[first : first + batch_users])
            last += [o for o in outcomes if o.outcome in {"busy", "draining"}]
            moves.add(o for o in outcomes if o.outcome not in {"busy", "draining"})
        again.extend(o.account for o in last)
        if len(last) < len(waiting):
            deadline = time.monotonic() + patience_seconds
    moves.add(last or [Outcome(user, "busy", "in use at this instant") for user in again])
    return moves


def paced(
    move: Callable[[Sequence[str]], Awaitable[list[Outcome]]], sides: Sides
) -> Callable[[Sequence[str]], Awaitable[list[Outcome]]]:
    """The same move, but not while sessions of the legacy database queue for locks."""

    async def careful(users: Sequence[str]) -> list[Outcome]:
        for _ in range(LOAD_PAUSES_MAX):
            row = await (await sides.legacy.connection.execute(_WAITING)).fetchone()
            if not row or row[0] < WAITING_SESSIONS_MAX:
                break
            await asyncio.sleep(LOAD_PAUSE_SECONDS)
        return await move(users)

    return careful


async def recover_all(sides: Sides, *, batch_users: int = BATCH_USERS) -> Moves:
    """Finish every move that was begun; harmless at any time, by any number of coordinators."""
    legacy, ours = await sides.legacy.epochs(), await sides.ours.epochs()
    unequal = sorted(user for user in legacy.keys() | ours.keys() if legacy.get(user, 0) != ours.get(user, 0))
    unconfirmed = await (
        await sides.ours.connection.execute(
            "select h.account_id from heller.homes h join heller.accounts a on a.account_id = h.account_id and a.unit = 'credit'"
            " where a.epoch > 0 and a.epoch %% 2 = 0 and h.returned_at is null and h.source_system = %s",
            [sides.layout.system],
        )
    ).fetchall()
    moves = Moves()
    users = unequal + [row[0] for row in unconfirmed if row[0] not in set(unequal)]
    coordinator = sides.coordinator()
    for first in range(0, len(users), batch_users):
        moves.add(await coordinator.recover(users[first : first + batch_users]))
    return moves
