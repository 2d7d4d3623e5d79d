"""Exact sequential tests for few or many requests: they may be looked at after every one.

The Wald SPRT of a failure rate gates a stage (few requests neither trip nor blind it), a CUSUM of the same increments
watches after the gate, a chi-square test compares cohort sizes with the plan. See docs/decisions/0008-guardrails.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Gate = Literal["pass", "breach", "undecided"]


@dataclass(frozen=True, slots=True)
class Rates:
    """A good and a bad failure rate, and how often the test may be wrong about each."""

    good: float = 0.01
    bad: float = 0.05
    false_alarm: float = 0.01
    missed: float = 0.05
    drift_alarm: float = 6.0

    def __post_init__(self) -> None:
        """Refuse rates that no test can tell apart."""
        if (
            not 0 < self.good < self.bad < 1
            or not 0 < self.false_alarm < 1
            or not 0 < self.missed < 1
            or self.drift_alarm <= 0
        ):
            raise ValueError("rates must be 0 < good < bad < 1, errors within (0, 1), drift_alarm above 0")

    @property
    def step_failed(self) -> float:
        """What one failure adds to the evidence: ln(bad / good)."""
        return math.log(self.bad / self.good)

    @property
    def step_good(self) -> float:
        """What one success adds: ln((1 - bad) / (1 - good)), a small negative number."""
        return math.log((1 - self.bad) / (1 - self.good))

    @property
    def upper(self) -> float:
        """Evidence at which the release is called bad: ln((1 - missed) / false_alarm)."""
        return math.log((1 - self.missed) / self.false_alarm)

    @property
    def lower(self) -> float:
        """Evidence at which it is called good: ln(missed / (1 - false_alarm))."""
        return math.log(self.missed / (1 - self.false_alarm))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The state of both tests after n outcomes of which k failed; ``decided`` holds what the gate once said."""

    llr: float = 0.0
    cusum: float = 0.0
    n: int = 0
    k: int = 0
    decided: Gate = "undecided"
    drifted: bool = False

    def after(self, *, failed: bool, rates: Rates) -> "Evidence":
        """One more outcome. A gate that has decided stays decided; the CUSUM goes on."""
        step = rates.step_failed if failed else rates.step_good
        llr, decided = self.llr, self.decided
        if decided == "undecided":
            llr += step
            decided = "breach" if llr >= rates.upper else "pass" if llr <= rates.lower else "undecided"
        # What happened before the gate is the gate's matter: the drift is counted from there.
        cusum = max(0.0, self.cusum + step) if self.decided != "undecided" else 0.0
        return Evidence(
            llr, cusum, self.n + 1, self.k + failed, decided, self.drifted or cusum >= rates.drift_alarm
        )


def weigh(outcomes: Sequence[bool], rates: Rates, *, start: Evidence | None = None) -> Evidence:
    """The evidence after these outcomes (True is a failure)."""
    evidence = start or Evidence()
    for failed in outcomes:
        evidence = evidence.after(failed=failed, rates=rates)
    return evidence


def wilson(k: int, n: int, *, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a rate, for people to look at; never for decisions, since looking again breaks it."""
    if n == 0:
        return 0.0, 1.0
    rate, square = k / n, z * z
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = z * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def cohort_mismatch(planned: Sequence[float], observed: Sequence[int]) -> float:
    """The p-value of observed cohort sizes against planned shares (chi-square); below 0.001 the split is not the plan's."""
    total, share = sum(observed), sum(planned)
    if total == 0 or share == 0:
        return 1.0
    statistic = 0.0
    freedom = -1
    for part, count in zip(planned, observed, strict=True):
        expected = total * part / share
        if expected == 0:
            if count:
                return 0.0
            continue
        statistic += (count - expected) ** 2 / expected
        freedom += 1
    return _chi_square_tail(statistic, freedom) if freedom > 0 else 1.0


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """P(X >= statistic): the closed forms for whole degrees of freedom."""
    half = statistic / 2
    if freedom % 2 == 0:
        term, total = math.exp(-half), 0.0
        for place in range(freedom // 2):
            if place:
                term *= half / place
            total += term
        return min(1.0, total)
    tail = math.erfc(math.sqrt(half))
    term = math.sqrt(2 * statistic / math.pi) * math.exp(-half)
    for place in range((freedom - 1) // 2):
        tail += term
        term *= statistic / (2 * place + 3)
    return min(1.0, tail)
