"""What people type into forms, checked in their language before the ledger is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field

from heller.web.formats import minor_units

NUMBER_MAX = 1_000_000_000_000


@dataclass(slots=True)
class Form:
    """The values of one form and what is wrong with them, by field."""

    values: dict[str, str]
    say: Callable[..., str]
    errors: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, *, least: int = 1, most: int = NUMBER_MAX) -> int | None:
        """A whole number; None when the field is blank or wrong, which is noted."""
        text = self.values[name].strip()
        if not text:
            return None
        plain = text.replace(" ", "")
        if not (plain.isascii() and plain.isdecimal()) or not least <= int(plain) <= most:
            self.errors[name] = self.say(
                "Give a whole number from %(least)s to %(most)s.", least=least, most=most
            )
            return None
        return int(plain)

    def needed(self, name: str, *, least: int = 1, most: int = NUMBER_MAX) -> int:
        """A whole number that must be there; 0 when it is not, which is noted."""
        found = self.number(name, least=least, most=most)
        if found is None and name not in self.errors:
            self.errors[name] = self.say("This is needed.")
        return found or 0

    def money(self, name: str, currency: str) -> int | None:
        """An amount of money in minor units; None when blank or wrong, which is noted."""
        text = self.values[name].strip()
        if not text:
            return None
        try:
            amount = minor_units(text, currency)
        except ValueError:
            amount = 0
        if not 0 < amount <= NUMBER_MAX:
            self.errors[name] = self.say("Give an amount of money, such as 50.00.")
            return None
        return amount
