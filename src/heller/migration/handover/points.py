"""The named points of a move: between any two of them a coordinator may die, and nothing is lost.

``NAMES`` lists them in order, first of a handover, then of a refusal, then of a return; points ending in -ing lie inside
the transaction, before its commit.
"""

from collections.abc import Callable

Reached = Callable[[str], None]

NAMES = (
    "legacy.before_seal", "legacy.sealing", "legacy.sealed", "heller.before_activate", "heller.activating", "heller.activated",
    "heller.before_refuse", "heller.refusing", "heller.refused",
    "heller.before_seal", "heller.sealing", "heller.sealed", "legacy.before_activate", "legacy.activating", "legacy.activated",
)  # fmt: skip


def unwatched(_point: str) -> None:
    """Nobody watches."""
