"""The twin's time, which can be moved, so that tests never sleep."""

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Real time plus an offset, or a time that stands still until it is moved."""

    offset_seconds: float = 0.0
    frozen_at: float | None = None

    def now(self) -> float:
        """Seconds since 1970, as the twin believes."""
        return time.time() + self.offset_seconds if self.frozen_at is None else self.frozen_at

    def timestamp(self) -> int:
        """Whole seconds: what ``created`` fields hold."""
        return int(self.now())

    def advance(self, seconds: float) -> None:
        """Move by so many seconds; negative moves back."""
        if self.frozen_at is None:
            self.offset_seconds += seconds
        else:
            self.frozen_at += seconds

    def freeze(self, at: float | None = None) -> None:
        """Stand still, at ``at`` or now."""
        self.frozen_at = self.now() if at is None else at

    def flow(self) -> None:
        """Go on from where the clock stands."""
        if self.frozen_at is not None:
            self.offset_seconds = self.frozen_at - time.time()
            self.frozen_at = None
