"""How a long step tells what it has done so far."""

from typing import Protocol


class Progress(Protocol):
    """Called with the step's name, what is done and the total (0 when unknown); must return at once."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note of the progress of one step."""


def silent(step: str, done: int, total: int) -> None:
    """Progress nobody watches."""
    del step, done, total
