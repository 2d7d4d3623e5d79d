"""What a kind of mess is."""

from collections.abc import Callable
from dataclasses import dataclass

from legacy_sample.case import Case
from legacy_sample.layout import Layout


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to go wrong.

    ``needs`` are flags of the layout without which the tables cannot hold it, ``never`` flags that
    rule it out; ``people`` is the number of user rows one case takes, ``most`` an upper limit of cases
    (0: none); ``codes`` are findings that each case must lead to, whatever the layout.
    """

    name: str
    people: int
    plant: Callable[[Case], None]
    codes: frozenset[str]
    needs: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    most: int = 0

    def fits(self, layout: Layout) -> bool:
        """Whether the layout's tables can hold it."""
        return self.needs <= layout.flags and not (self.never & layout.flags)


def kind(
    people: int, codes: str, plant: Callable[[Case], None], *, needs: str = "", never: str = "", most: int = 0
) -> Kind:
    """A kind named after its function; the lists are words in a string."""
    found, required, excluded = (frozenset(words.split()) for words in (codes, needs, never))
    return Kind(plant.__name__, people, plant, found, required, excluded, most=most)
