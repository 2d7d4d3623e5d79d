"""The guardrails of a rollout as people read them: one entry each, with its evidence, out of the kept verdict."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from heller.rollout.guardrails import Weighed
from heller.rollout.limits import STREAMS, Limits
from heller.rollout.state import Rollout
from heller.rollout.statistics import wilson

GuardrailState = Literal["passed", "collecting", "silent", "breach"]
SEVERITY: tuple[GuardrailState, ...] = ("passed", "collecting", "silent", "breach")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """One guardrail. ``state``: passed, collecting evidence, silent (nothing was seen), or breach."""

    name: str
    state: GuardrailState
    failed: int = 0
    outcomes: int = 0
    interval: tuple[float, float] | None = None
    control_failed: int = 0
    control_outcomes: int = 0
    good: float = 0.0
    bad: float = 0.0
    evidence: float = 0.0
    evidence_good: float = 0.0
    evidence_bad: float = 0.0
    drift: float = 0.0
    drift_alarm: float = 0.0
    line: str = ""
    since: datetime | None = None

    @property
    def place(self) -> float:
        """Where the evidence stands between good (0) and bad (1)."""
        span = self.evidence_bad - self.evidence_good
        return min(max((self.evidence - self.evidence_good) / span, 0.0), 1.0) if span else 0.0


def guardrails_of(rollout: Rollout, *, now: datetime) -> list[Guardrail]:
    """Every guardrail of the stage, as the last evaluation left it."""
    limits, weighed = Limits.of(rollout.settings), Weighed.of(rollout.verdict)
    broken = str((rollout.breach or {}).get("guardrail", ""))
    return [
        _invariants(rollout, broken=broken == "invariants"),
        *(_stream(name, weighed, limits, broken=broken == name) for name in STREAMS),
        _data(rollout, weighed, limits, now=now),
    ]


def worst(guardrails: list[Guardrail]) -> Guardrail:
    """The one to look at first."""
    return max(guardrails, key=lambda guardrail: SEVERITY.index(guardrail.state))


def _invariants(rollout: Rollout, *, broken: bool) -> Guardrail:
    seen = rollout.verdict.get("invariants") or {}
    state: GuardrailState = "breach" if broken or seen.get("ok") is False else "passed" if seen else "silent"
    return Guardrail(name="invariants", state=state, line=seen.get("line", ""), since=rollout.evaluated_at)


def _stream(name: str, weighed: Weighed, limits: Limits, *, broken: bool) -> Guardrail:
    found, control, rates = weighed.of_arm("heller", name), weighed.of_arm("legacy", name), limits.rates(name)
    state: GuardrailState = "collecting" if found.n else "silent"
    if broken or found.decided == "breach" or found.drifted:
        state = "breach"
    elif found.decided == "pass":
        state = "passed"
    return Guardrail(
        name=name,
        state=state,
        failed=found.k,
        outcomes=found.n,
        interval=wilson(found.k, found.n) if found.n else None,
        control_failed=control.k,
        control_outcomes=control.n,
        good=rates.good,
        bad=rates.bad,
        evidence=found.llr,
        evidence_good=rates.lower,
        evidence_bad=rates.upper,
        drift=found.cusum,
        drift_alarm=rates.drift_alarm,
    )


def _data(rollout: Rollout, weighed: Weighed, limits: Limits, *, now: datetime) -> Guardrail:
    newest = datetime.fromisoformat(weighed.newest_at) if weighed.newest_at else None
    since = max(rollout.stage_since, newest) if newest else rollout.stage_since
    is_late = rollout.state == "running" and now - since > timedelta(seconds=limits.no_data_seconds)
    state: GuardrailState = "breach" if is_late else "passed" if newest else "silent"
    return Guardrail(
        name="data", state=state, outcomes=weighed.users, bad=limits.no_data_seconds, since=newest
    )
