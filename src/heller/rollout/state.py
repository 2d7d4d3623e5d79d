"""The rollout: one latched row in the database, and everything a person can do to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from heller.database import call, call_many, translating
from heller.errors import GateNotPassed, InvalidArgument
from heller.rollout.buckets import bucket, keyed_bucket
from heller.rollout.limits import Limits

STAGES = (10, 50, 100)
DEFAULT_ROLLOUT = "home"
Bucketing = Literal["keyed", "plan"]
State = Literal["running", "halted", "rolling_back", "rolled_back", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The gradual change of homes as it stands. ``stage`` counts from 1; 0 is nobody."""

    rollout: str
    state: State
    stages: tuple[int, ...]
    stage: int
    bucketing: Bucketing
    salt: str
    legacy_fallback: bool
    soak_seconds: int
    settings: dict[str, Any]
    verdict: dict[str, Any]
    breach: dict[str, Any] | None
    reason: str
    actor: str
    started_at: datetime
    stage_since: datetime
    gate_passed_at: datetime | None
    evaluated_at: datetime | None
    changed_at: datetime
    version: int

    @property
    def percent(self) -> int:
        """The share of the buckets that should be at home in heller now."""
        if self.legacy_fallback or self.state in {"rolling_back", "rolled_back"} or self.stage == 0:
            return 0
        return self.stages[self.stage - 1]

    def bucket_of(self, user: str, email: str | None = None) -> int:
        """The user's number from 0 to 99: the plan's hash of the e-mail, or a keyed hash of the id."""
        return bucket(email or user) if self.bucketing == "plan" else keyed_bucket(user, self.salt)

    def plans(self, user: str, email: str | None = None) -> bool:
        """Whether the plan wants this user in heller; the stored home decides where it is served."""
        return self.bucket_of(user, email) < self.percent

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller rollout``."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain | {"percent": self.percent}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One change of a rollout."""

    rollout: str
    entry: int
    event: str
    state: str
    stage: int
    reason: str
    actor: str
    evidence: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """The outcomes of one arm within one step of time."""

    at: datetime
    arm: str
    outcomes: int
    failed: int
    slow: int
    webhooks: int
    webhooks_failed: int


async def rollout_of(connection: AsyncConnection, rollout: str = DEFAULT_ROLLOUT) -> Rollout | None:
    """The rollout, or None before the first start."""
    raw = await call(connection, "rollout_of", rollout=rollout)
    return None if raw is None else msgspec.convert(raw, Rollout)


async def start(
    connection: AsyncConnection,
    *,
    actor: str,
    reason: str,
    stages: Sequence[int] = STAGES,
    bucketing: Bucketing = "keyed",
    soak_seconds: int = 86_400,
    settings: dict[str, Any] | None = None,
    rollout: str = DEFAULT_ROLLOUT,
) -> Rollout:
    """Begin at the first stage.

    Raises:
        InvalidArgument: one is under way already, or the stages do not ascend.
    """
    Limits.of(settings or {})
    with translating():
        row = await (
            await connection.execute(
                "select heller.start_rollout(%s, %s, %s, %s, null, %s, %s, %s)",
                [
                    actor,
                    reason,
                    list(stages),
                    bucketing,
                    soak_seconds,
                    msgspec.json.encode(settings or {}).decode(),
                    rollout,
                ],
            )
        ).fetchone()
    return msgspec.convert(row[0] if row else None, Rollout)


async def change(
    connection: AsyncConnection,
    event: str,
    *,
    actor: str,
    reason: str,
    evidence: dict[str, Any] | None = None,
    version: int | None = None,
    rollout: str = DEFAULT_ROLLOUT,
) -> Rollout:
    """One step: promote, halt, resume, rollback, rolled_back, breach_halt, breach_rollback, fallback_on, fallback_off.

    Raises:
        InvalidArgument: the state does not allow it, or nobody signs for it.
        StaleVersion: it was changed since ``version`` was read.
    """
    if not actor.strip():
        raise InvalidArgument("A change of the rollout is signed by somebody.", argument="actor")
    raw = await call(
        connection,
        "change_rollout",
        event=event,
        actor=actor,
        reason=reason,
        evidence=evidence or {},
        version=version,
        rollout=rollout,
    )
    return msgspec.convert(raw, Rollout)


async def promote(
    connection: AsyncConnection,
    *,
    actor: str,
    reason: str,
    even_unproven: bool = False,
    version: int | None = None,
    rollout: str = DEFAULT_ROLLOUT,
) -> Rollout:
    """Go to the next stage.

    Raises:
        GateNotPassed: the guardrails have not passed this stage, and it is not to be ``even_unproven``.
        InvalidArgument, StaleVersion: as for ``change``.
    """
    current = await rollout_of(connection, rollout)
    if current is not None and current.gate_passed_at is None and not even_unproven:
        waiting = tuple(current.verdict.get("waiting_for", [])) or ("a first evaluation by the worker",)
        raise GateNotPassed(
            f"The gate of this stage is not passed; it waits for {'; '.join(waiting)}.",
            hint="To go on all the same, say so: the box in the console, --even-unproven on the command line.",
            waiting_for=waiting,
        )
    seen = version if version is not None or current is None else current.version
    return await change(connection, "promote", actor=actor, reason=reason, version=seen, rollout=rollout)


async def homes(connection: AsyncConnection) -> dict[str, int]:
    """How many accounts live where, as this side knows it: heller, legacy, moving, quarantined."""
    counts: dict[str, int] = await call(connection, "home_counts")
    return counts


async def rates(
    connection: AsyncConnection,
    since: datetime,
    *,
    slow_milliseconds: int,
    steps: int = 60,
    rollout: str = DEFAULT_ROLLOUT,
) -> list[Rate]:
    """What was observed since an instant, in so many steps of time and by arm."""
    with translating():
        rows = await (
            await connection.execute(
                "select * from heller.observation_rates(%s, %s, %s, %s)",
                [since, slow_milliseconds, steps, rollout],
            )
        ).fetchall()
    return [Rate(*row) for row in rows]


async def log_of(
    connection: AsyncConnection,
    *,
    before: int | None = None,
    limit: int = 100,
    rollout: str = DEFAULT_ROLLOUT,
) -> list[LogEntry]:
    """What was done, newest first; ``before`` is the last entry of the page before."""
    rows = await call_many(connection, "rollout_log_of", before=before, limit=limit, rollout=rollout)
    return [msgspec.convert(row, LogEntry) for row in rows]
