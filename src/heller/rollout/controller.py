"""The controller: every ten seconds one worker evaluates the guardrails, acts on them, and moves homes towards the stage.

Any number of workers may call ``tick``; an advisory lock lets one through. Decision and change of state are one
transaction; whatever it was interrupted in is finished by the next tick.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from heller.database import call
from heller.errors import HellerError, MigrationError, StaleVersion
from heller.migration.handover import fence
from heller.migration.handover.invariants import Invariants, check_invariants
from heller.migration.handover.outcomes import Moves
from heller.migration.handover.runs import Sides, move_many, paced, recover_all
from heller.rollout.alerts import Alerts
from heller.rollout.guardrails import Cohorts, Decision, Observation, Weighed, decide
from heller.rollout.limits import Limits
from heller.rollout.state import DEFAULT_ROLLOUT, Rollout, change, rollout_of

LOCK = 7_401_003
WORKER = "worker"
EVALUATION_SECONDS = 10
MOVE_SECONDS = 6.0
OBSERVATIONS_MAX = 50_000
PATIENCE_SECONDS = 1.0
_UNFENCED = (
    "Run 'heller migrate fence install' (with --reseal if that database was restored);"
    " once the legacy system is off for good, take LEGACY_DATABASE_URL from the worker."
)
# An account that was opened in heller is in no bucket: the rollout did not put it here and could not return it, so it is no evidence.
_BORN_HERE = "exists (select from heller.accounts a where a.account_id = o.account_id and a.unit = 'credit' and a.epoch is null)"
NEWS = f"""
select o.observation, o.arm, o.what, o.failed, o.milliseconds, o.account_id, not {_BORN_HERE}
from heller.observations_since(%s, %s, %s, %s) o order by o.observation
"""
SEEN = f"""
select o.arm, count(distinct o.account_id) from heller.observations o
where o.rollout = %s and o.what <> 'webhook' and o.at >= {{since}} and not {_BORN_HERE} group by o.arm
"""
SEEN_IN_STAGE = SEEN.format(since="%s")
SEEN_SINCE_LAST_MOVE = SEEN.format(since="greatest(%s, (select max(changed_at) from heller.homes))")


@dataclass(slots=True)
class Tick:
    """What one evaluation found and did."""

    state: str = "none"
    percent: int = 0
    decision: Decision | None = None
    invariants: Invariants | None = None
    moves: Moves = field(default_factory=Moves)
    alerted: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the log of a worker."""
        return {
            "state": self.state,
            "percent": self.percent,
            "action": self.decision.action if self.decision else None,
            "reason": self.decision.reason if self.decision else None,
            "waiting_for": list(self.decision.waiting_for) if self.decision else [],
            "invariants": self.invariants.as_json() if self.invariants else None,
            "moves": self.moves.as_json(),
        }


async def tick(
    sides: Sides,
    *,
    alerts: Alerts | None = None,
    rollout: str = DEFAULT_ROLLOUT,
    strict: bool = False,
    move_seconds: float = MOVE_SECONDS,
) -> Tick:
    """One evaluation and the moves that follow from it; nothing when another worker is at it or nothing was started.

    Args:
        strict: as for ``check_invariants``.
        move_seconds: how long to move users before the next evaluation is due.

    Raises:
        MigrationError: the fence has gone.
    """
    connection = sides.ours.connection
    async with _lock(connection) as mine:
        current = await rollout_of(connection, rollout) if mine else None
        if current is None:
            return Tick()
        if not await fence.is_installed(sides.legacy.connection):
            raise MigrationError(
                "A rollout was started, and the legacy database has no fence: both systems could spend the same credits.",
                hint=_UNFENCED,
            )
        done = Tick(current.state, current.percent)
        done.moves = await recover_all(sides)
        if current.state in {"running", "halted"}:
            done.invariants = await check_invariants(sides, strict=strict)
            done.decision = await evaluate(sides, invariants=done.invariants, rollout=rollout)
            current = (
                await act(sides, current, done.decision, alerts=alerts or Alerts(), tick=done) or current
            )
        done.state, done.percent = current.state, current.percent
        await advance(sides, current, moves=done.moves, seconds=move_seconds)
        return done


async def evaluate(sides: Sides, *, invariants: Invariants, rollout: str = DEFAULT_ROLLOUT) -> Decision:
    """Weigh what was observed since the last evaluation and decide; the evidence is kept in the rollout's verdict."""
    connection = sides.ours.connection
    current = await rollout_of(connection, rollout)
    if current is None:
        return Decision("none", "no rollout was started")
    limits, weighed = Limits.of(current.settings), Weighed.of(current.verdict)
    rows = await (
        await connection.execute(
            NEWS,
            [weighed.last, current.stage_since, OBSERVATIONS_MAX, rollout],
        )
    ).fetchall()
    if weighed.add((Observation(*row) for row in rows), limits):
        weighed.newest_at = datetime.now(UTC).isoformat()
    seen: dict[str, int] = dict(
        await (await connection.execute(SEEN_IN_STAGE, [rollout, current.stage_since])).fetchall()
    )
    weighed.users, weighed.controls = seen.get("heller", 0), seen.get("legacy", 0)
    cohorts = await _cohorts(sides, current, invariants.at_home, limits)
    decision = decide(current, weighed, now=datetime.now(UTC), invariants=invariants, cohorts=cohorts)
    verdict = {
        "weighed": weighed.as_json(), "action": decision.action, "reason": decision.reason, "waiting_for": list(decision.waiting_for),
        "invariants": {
            "ok": invariants.ok, "line": invariants.conservation.line(), "at_home": invariants.at_home, "users": invariants.users,
        },
    }  # fmt: skip
    await call(
        connection,
        "note_rollout_verdict",
        version=current.version,
        verdict=verdict,
        gate_passed=decision.gate_passed,
        rollout=rollout,
    )
    return decision


async def _cohorts(
    sides: Sides, current: Rollout, homes: Mapping[str, int], limits: Limits
) -> Cohorts | None:
    """Who was seen where since the last move, beside who is at home where; None while somebody is still to move.

    Who moved later had less time to be seen, and the quiet go first, so that in between the busy are all on one side.
    """
    rows = await (
        await sides.ours.connection.execute(SEEN_SINCE_LAST_MOVE, [current.rollout, current.stage_since])
    ).fetchall()
    cohorts = Cohorts(dict(rows), homes)
    if cohorts.mismatch < limits.cohort_p:  # rare, so only now is it worth asking all users
        async for _ in _planned(sides, current):
            return None
    return cohorts


async def act(
    sides: Sides, current: Rollout, decision: Decision, *, alerts: Alerts, tick: Tick
) -> Rollout | None:
    """Carry out a decision: change the state, freeze the evidence, tell people. None when nothing was to be done."""
    if decision.action == "none" or (
        current.state == "halted" and (current.breach or decision.action in {"halt", "promote"})
    ):
        return None
    connection = sides.ours.connection
    try:
        changed = await change(
            connection, decision.action, actor=WORKER, reason=decision.reason, evidence=decision.evidence, version=current.version,
            rollout=current.rollout,
        )  # fmt: skip
    except StaleVersion:  # a person was faster; look again at the next tick
        return None
    for account in decision.accounts:
        await _freeze(connection, account, decision.reason)
    if decision.action != "promote":
        title = f"heller rollout: {changed.state} at {current.percent} %"
        tick.alerted = await alerts.send(
            title, f"{decision.reason}\n\n{decision.evidence}\n\nLatched: 'heller rollout status' says more."
        )
    return changed


async def _freeze(connection: AsyncConnection, account: str, reason: str) -> None:
    """Keep an account as evidence where it is. One that is away cannot be frozen here; the fence holds it there."""
    try:
        await call(connection, "freeze", account_id=account, reason=f"evidence: {reason}"[:500])
    except HellerError:
        return


async def advance(sides: Sides, current: Rollout, *, moves: Moves, seconds: float = MOVE_SECONDS) -> None:
    """Move homes towards the plan for at most ``seconds``: to heller while it runs, back when it rolls back."""
    deadline = time.monotonic() + seconds
    coordinator = sides.coordinator()

    async def has_time() -> bool:
        return time.monotonic() < deadline

    if current.percent == 0 and (current.state == "rolling_back" or current.legacy_fallback):
        back = await move_many(
            coordinator.send_back,
            _at_heller(sides),
            may_go_on=has_time,
            patience_seconds=PATIENCE_SECONDS,
            step="return",
        )
        moves.with_more(back)
        if current.state == "rolling_back" and not await _anybody_left(sides):
            await change(
                sides.ours.connection, "rolled_back", actor=WORKER, reason=f"everyone who could return has: {back.counts['returned']} at last",
                rollout=current.rollout,
            )  # fmt: skip
    elif current.state in {"running", "done"}:
        there = await move_many(
            paced(coordinator.hand_over, sides),
            _planned(sides, current),
            may_go_on=has_time,
            patience_seconds=PATIENCE_SECONDS,
            step="handover",
        )
        moves.with_more(there)


async def _planned(sides: Sides, current: Rollout) -> AsyncIterator[str]:
    """Users at home in the legacy system whom the plan wants in heller, and who are not stuck."""
    rows = await (
        await sides.ours.connection.execute(
            "select account_id from heller.homes where quarantined_at is not null"
        )
    ).fetchall()
    stuck = {row[0] for row in rows}
    async for user, email in sides.legacy.users(away=False):
        if user not in stuck and current.plans(user, email):
            yield user


async def _at_heller(sides: Sides) -> AsyncIterator[str]:
    """Users of the legacy system who are at home in heller and not kept as evidence."""
    after = ""
    query = (
        "select account_id from heller.accounts where account_id > %s and unit = 'credit' and epoch %% 2 = 1 and frozen_at is null"
        " order by account_id limit 1000"
    )
    while rows := await (await sides.ours.connection.execute(query, [after])).fetchall():
        for row in rows:
            yield row[0]
        after = rows[-1][0]


async def _anybody_left(sides: Sides) -> bool:
    async for _ in _at_heller(sides):
        return True
    return False


@asynccontextmanager
async def _lock(connection: AsyncConnection) -> AsyncIterator[bool]:
    """One evaluation at a time in all processes; the lock goes with the session, however it ends."""
    row = await (await connection.execute("select pg_try_advisory_lock(%s)", [LOCK])).fetchone()
    got = bool(row and row[0])
    try:
        yield got
    finally:
        if got:
            await connection.execute("select pg_advisory_unlock(%s)", [LOCK])
