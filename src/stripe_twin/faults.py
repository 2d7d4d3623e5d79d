"""What goes wrong, by chance (seeded) or as planned for the next matching request."""

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

FaultKind = Literal["500", "500_after", "429", "409", "timeout", "lost"]


@dataclass(slots=True)
class Faults:
    """Chances from 0 to 1, and limits in seconds; all off by default.

    Deliveries: ``drop`` loses one for good, ``duplicate`` queues it twice, ``delay_seconds_max`` shuffles by a random
    delay, ``lose_attempt`` fails one attempt before it reaches the receiver (it is retried), ``lose_answer`` forgets
    the receiver's answer (it is retried although it arrived). ``unborn`` never makes an event.
    API: ``api_500`` (kept for the idempotency key, as on Stripe), ``api_429``, ``api_timeout`` (nothing happens, no
    answer for ``timeout_seconds``), ``api_lost`` (it happens, the answer is lost). ``signature_skew_seconds`` is added
    to the time in signatures.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    delay_seconds_max: float = 0.0
    lose_attempt: float = 0.0
    lose_answer: float = 0.0
    unborn: float = 0.0
    unborn_types: list[str] = field(default_factory=list)
    api_500: float = 0.0
    api_429: float = 0.0
    api_timeout: float = 0.0
    api_lost: float = 0.0
    timeout_seconds: float = 80.0
    signature_skew_seconds: float = 0.0
    seed: int = 0

    def update(self, changes: dict[str, Any]) -> None:
        """Set the named faults."""
        known = {f.name for f in fields(self)}
        for name, value in changes.items():
            if name not in known:
                message = f"no such fault: {name}; there are {', '.join(sorted(known))}"
                raise ValueError(message)
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """All faults and their values."""
        return asdict(self)


@dataclass(slots=True)
class PlannedFault:
    """A fault for the next ``times`` requests whose method and path match."""

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    times: int = 1

    def matches(self, method: str, path: str) -> bool:
        """Whether it is meant for this request."""
        return (
            self.times > 0
            and self.method in (None, method)
            and (self.path is None or path.startswith(self.path))
        )


class Dice:
    """Seeded chance: the same seed and the same sequence of questions give the same answers."""

    def __init__(self, seed: int) -> None:
        """Start the sequence."""
        self._random = random.Random(seed)  # noqa: S311 - reproducible faults, not secrets

    def falls(self, chance: float) -> bool:
        """Whether something of this chance happens now; chance 0 draws nothing."""
        return chance > 0 and self._random.random() < chance

    def seconds(self, limit: float) -> float:
        """A delay between 0 and the limit."""
        return self._random.uniform(0, limit) if limit > 0 else 0.0


def draw_api_fault(
    faults: Faults, dice: Dice, planned: list[PlannedFault], request: tuple[str, str]
) -> FaultKind | None:
    """The fault of this request (method, path), planned ones first."""
    for plan in planned:
        if plan.matches(*request):
            plan.times -= 1
            return plan.kind
    chances: list[tuple[float, FaultKind]] = [
        (faults.api_429, "429"),
        (faults.api_timeout, "timeout"),
        (faults.api_500, "500"),
        (faults.api_lost, "lost"),
    ]
    return next((kind for chance, kind in chances if dice.falls(chance)), None)
