"""The kinds of mess: what each plants, what the tables must have for it, and how many are planted."""

from random import Random
from typing import Final

from legacy_sample.kinds import identity, money, oddities
from legacy_sample.kinds.kind import Kind
from legacy_sample.layout import Layout

USERS_PER_CASE: Final = 1000
FULL_SET_USERS: Final = 50

KINDS: Final[tuple[Kind, ...]] = (*identity.KINDS, *money.KINDS, *oddities.KINDS)


def plan(layout: Layout, users: int) -> list[tuple[Kind, int]]:
    """How many cases of each kind ``users`` people hold: one for each thousand, at least one from 50 users on.

    Below 50 users the kinds are shuffled by the seed and taken as long as their people fit.
    """
    possible = [kind for kind in KINDS if kind.fits(layout)]
    if users >= FULL_SET_USERS:
        return [(kind, min(max(1, users // USERS_PER_CASE), kind.most or users)) for kind in possible]
    Random(f"kinds {layout.seed}").shuffle(possible)
    chosen: list[tuple[Kind, int]] = []
    left = users
    for kind in possible:
        if kind.people <= left:
            chosen.append((kind, 1))
            left -= kind.people
    return chosen


__all__ = ["FULL_SET_USERS", "KINDS", "USERS_PER_CASE", "Kind", "plan"]
