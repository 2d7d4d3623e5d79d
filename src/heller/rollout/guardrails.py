"""What the guardrails say of a stage: one decision out of evidence, invariants and time. Pure; the controller acts.

Level 0 is deterministic (a broken invariant), level 1 gates a stage by a sequential test, level 2 watches drift after
the gate. When the control arm (users still at home in the legacy system) fails the same way, going back would not help:
then it halts only. No data is a halt, never a success.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from heller.migration.handover.invariants import Breach, Invariants
from heller.rollout.limits import STREAMS, Limits
from heller.rollout.state import Rollout
from heller.rollout.statistics import Evidence, cohort_mismatch, wilson

Action = Literal["none", "halt", "breach_halt", "breach_rollback", "promote"]


@dataclass(frozen=True, slots=True)
class Observation:
    """One outcome that counts. ``is_assigned``: its account is one of those that the rollout moves."""

    observation: int
    arm: str
    what: str
    failed: bool
    milliseconds: int
    account: str
    is_assigned: bool = True


@dataclass(slots=True)
class Weighed:
    """All evidence of a stage so far; kept in the rollout's verdict between evaluations."""

    last: int = 0
    streams: dict[str, Evidence] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    users: int = 0
    controls: int = 0
    newest_at: str | None = None

    @classmethod
    def of(cls, verdict: Mapping[str, Any]) -> "Weighed":
        """What the last evaluation kept."""
        kept = verdict.get("weighed")
        if not kept:
            return cls()
        streams = {name: Evidence(**evidence) for name, evidence in kept["streams"].items()}
        return cls(
            kept["last"], streams, dict(kept["kinds"]), kept["users"], kept["controls"], kept["newest_at"]
        )

    def add(self, observations: Iterable[Observation], limits: Limits) -> int:
        """Weigh more outcomes; answers how many were of users at home in heller whom the rollout moved there."""
        news = 0
        for o in observations:
            self.last = max(self.last, o.observation)
            if not o.is_assigned:
                continue
            is_webhook = o.what == "webhook"
            self._weigh(f"{o.arm}/{'webhooks' if is_webhook else 'errors'}", o.failed, limits)
            if not is_webhook:
                self._weigh(f"{o.arm}/latency", o.milliseconds > limits.slow_milliseconds, limits)
            if o.arm == "heller":
                news += 1
                if not o.failed:
                    self.kinds[o.what] = self.kinds.get(o.what, 0) + 1
        return news

    def _weigh(self, name: str, failed: bool, limits: Limits) -> None:
        evidence = self.streams.get(name, Evidence())
        self.streams[name] = evidence.after(failed=failed, rates=limits.rates(name.split("/")[1]))

    def of_arm(self, arm: str, stream: str) -> Evidence:
        """The evidence of one stream in one arm."""
        return self.streams.get(f"{arm}/{stream}", Evidence())

    def as_json(self) -> dict[str, Any]:
        """For the verdict, and for people: rates with their 95 % interval."""
        return {
            "last": self.last, "kinds": self.kinds, "users": self.users, "controls": self.controls, "newest_at": self.newest_at,
            "streams": {name: asdict(evidence) for name, evidence in self.streams.items()},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, why, with the evidence; ``accounts`` are to be frozen as evidence."""

    action: Action
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)
    accounts: tuple[str, ...] = ()
    gate_passed: bool = False
    waiting_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cohorts:
    """How many users were seen in each arm, and how many are at home where."""

    seen: Mapping[str, int]
    homes: Mapping[str, int]

    @property
    def mismatch(self) -> float:
        """The chance that users seen are split so, if both homes' users come alike; 1 where an arm is not observed at all."""
        homes = [self.homes.get("heller", 0), self.homes.get("legacy", 0)]
        seen = [self.seen.get("heller", 0), self.seen.get("legacy", 0)]
        return cohort_mismatch(homes, seen) if all(homes) and all(seen) else 1.0


def decide(
    rollout: Rollout,
    weighed: Weighed,
    *,
    now: datetime,
    invariants: Invariants | None,
    cohorts: Cohorts | None = None,
) -> Decision:
    """The one decision of an evaluation; the worst news first."""
    limits = Limits.of(rollout.settings)
    if invariants is not None and invariants.breaches:
        return _level_0(invariants.breaches)
    for stream in STREAMS:
        evidence = weighed.of_arm("heller", stream)
        if evidence.decided == "breach" or evidence.drifted:
            return _level_1(stream, evidence, weighed.of_arm("legacy", stream), limits)
    if rollout.state != "running" or rollout.stage == 0:
        return Decision("none", "nothing to judge")
    if cohorts is not None and (mismatch := cohorts.mismatch) < limits.cohort_p:
        return Decision(
            "breach_halt", f"the users seen are not split as their homes are (p = {mismatch:.2g}): is somebody sent to the wrong one?",
            {"guardrail": "cohorts", "seen": dict(cohorts.seen), "homes": dict(cohorts.homes), "p": mismatch},
        )  # fmt: skip
    newest = datetime.fromisoformat(weighed.newest_at) if weighed.newest_at else None
    since = max(rollout.stage_since, newest) if newest else rollout.stage_since
    if now - since > timedelta(seconds=limits.no_data_seconds):
        return Decision(
            "halt",
            f"no outcome of a user at home in heller for {limits.no_data_seconds} seconds",
            {"guardrail": "no_data"},
        )
    missing = tuple(_missing(rollout, weighed, limits, now=now, invariants=invariants))
    if missing:
        return Decision("none", "keep going", waiting_for=missing)
    if limits.auto_promote:
        return Decision("promote", "the gate is passed and the stage has soaked", gate_passed=True)
    return Decision("none", "the gate is passed", gate_passed=True)


def _level_0(breaches: list[Breach]) -> Decision:
    accounts = tuple(
        sorted({breach.account for breach in breaches if breach.account and breach.invariant != "I3"})
    )
    first = breaches[0]
    return Decision(
        "breach_rollback", f"invariant {first.invariant} is broken: {first.account} {first.sentence}".replace("  ", " "),
        {"guardrail": "invariants", "breaches": [asdict(breach) for breach in breaches[:20]], "count": len(breaches)}, accounts,
    )  # fmt: skip


def _level_1(stream: str, evidence: Evidence, control: Evidence, limits: Limits) -> Decision:
    low, high = wilson(evidence.k, evidence.n)
    facts = {
        "guardrail": stream, "failed": evidence.k, "of": evidence.n, "interval": [round(low, 4), round(high, 4)],
        "llr": round(evidence.llr, 3), "cusum": round(evidence.cusum, 3), "level": 1 if evidence.decided == "breach" else 2,
        "control": {"failed": control.k, "of": control.n},
    }  # fmt: skip
    what = {
        "errors": "operations failed", "webhooks": "webhooks failed",
        "latency": f"operations took longer than {limits.slow_milliseconds} ms",
    }[stream]  # fmt: skip
    sentence = f"{evidence.k} of {evidence.n} {what}"
    if control.decided == "breach" or control.drifted:
        return Decision(
            "breach_halt", f"{sentence}, and so it is in the legacy system: going back would not help", facts
        )
    return Decision("breach_rollback", sentence, facts)


def _missing(
    rollout: Rollout, weighed: Weighed, limits: Limits, *, now: datetime, invariants: Invariants | None
) -> Iterable[str]:
    """What a promotion still waits for. Time alone never promotes."""
    gate = weighed.of_arm("heller", "errors")
    if gate.decided != "pass":
        yield f"more outcomes: evidence is {gate.llr:+.2f} after {gate.n}, the gate is at {limits.rates('errors').lower:.2f}"
    if weighed.users < limits.users_min:
        yield f"{limits.users_min} users seen, so far {weighed.users}"
    for kind in limits.kinds_needed:
        if not weighed.kinds.get(kind):
            yield f"one successful {kind}"
    soaked = now - rollout.stage_since
    if soaked < timedelta(seconds=rollout.soak_seconds):
        yield f"{rollout.soak_seconds - int(soaked.total_seconds())} seconds of soak time"
    if invariants is None:
        yield "the invariants to be checked"
