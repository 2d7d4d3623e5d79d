"""What became of each user of a move: a value that is counted and kept, never an exception."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

REASONS_MAX = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """One user: moved, returned, known (done before), busy (in use, try again), draining, quarantined, skipped."""

    account: str
    outcome: str
    reason: str = ""
    frozen_seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """Nothing is left to do."""
        return self.outcome in {"moved", "returned", "known", "refused"}


@dataclass(slots=True)
class Moves:
    """The sum of many outcomes; ``reasons`` keeps the first hundred that need a look."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: list[Outcome] = field(default_factory=list)
    frozen: list[float] = field(default_factory=list)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count these."""
        for outcome in outcomes:
            self.counts[outcome.outcome] += 1
            if outcome.reason and not outcome.is_done and len(self.reasons) < REASONS_MAX:
                self.reasons.append(outcome)
            if outcome.frozen_seconds:
                self.frozen.append(outcome.frozen_seconds)

    def with_more(self, more: "Moves") -> "Moves":
        """The sum of both, in this one."""
        self.counts.update(more.counts)
        self.reasons.extend(more.reasons)
        self.frozen.extend(more.frozen)
        return self

    @property
    def ok(self) -> bool:
        """Nobody is quarantined or was skipped."""
        return not (
            self.counts["quarantined"]
            or self.counts["skipped"]
            or self.counts["busy"]
            or self.counts["draining"]
        )

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of handover, return and recover."""
        frozen = sorted(self.frozen)
        return {
            "ok": self.ok,
            **{
                name: self.counts[name]
                for name in (
                    "moved",
                    "returned",
                    "known",
                    "busy",
                    "draining",
                    "quarantined",
                    "skipped",
                    "refused",
                )
            },
            "frozen_ms_median": round(frozen[len(frozen) // 2] * 1000, 1) if frozen else None,
            "frozen_ms_p99": round(frozen[min(len(frozen) - 1, len(frozen) * 99 // 100)] * 1000, 1)
            if frozen
            else None,
            "reasons": [
                {"account": o.account, "outcome": o.outcome, "reason": o.reason} for o in self.reasons
            ],
        }
