"""The limits of a rollout: which failure rates are good and bad, and what a stage must have seen before the next."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from heller.errors import InvalidArgument
from heller.rollout.statistics import Rates

STREAMS = ("errors", "latency", "webhooks")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a rollout; the plan's where none are given."""

    error_good: float = 0.01
    error_bad: float = 0.05
    slow_milliseconds: int = 2_000
    slow_good: float = 0.01
    slow_bad: float = 0.05
    webhook_good: float = 0.001
    webhook_bad: float = 0.01
    users_min: int = 30
    kinds_needed: tuple[str, ...] = ("purchase", "spend", "refund")
    no_data_seconds: int = 900
    cohort_p: float = 0.001
    auto_promote: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Limits":
        """The limits as given. Raises InvalidArgument for a name or value that is none."""
        known = {item.name for item in fields(cls)}
        for name in settings:
            if name not in known:
                raise InvalidArgument(
                    f"{name} is no limit; limits are {', '.join(sorted(known))}.", argument="settings"
                )
        given = dict(settings)
        if "kinds_needed" in given:
            given["kinds_needed"] = tuple(given["kinds_needed"])
        limits = cls(**given)
        try:
            for stream in STREAMS:
                limits.rates(stream)
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"The limits cannot be tested: {error}.", argument="settings") from error
        return limits

    def rates(self, stream: str) -> Rates:
        """The good and the bad rate of one stream of outcomes."""
        good, bad = {
            "errors": (self.error_good, self.error_bad),
            "latency": (self.slow_good, self.slow_bad),
            "webhooks": (self.webhook_good, self.webhook_bad),
        }[stream]
        return Rates(good=good, bad=bad)
