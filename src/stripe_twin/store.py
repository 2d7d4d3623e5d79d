"""Where the twin keeps its objects: one space per account and mode, as on Stripe.

An object is the JSON that the API answers with. Keys that begin with ``_`` are the twin's own notes (a secret, the
behaviour of a card); they are kept with the object and never shown.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stripe_twin.errors import missing
from stripe_twin.shapes import Json


@dataclass(slots=True)
class Space:
    """The objects of one account in one mode, and the answers kept for its idempotency keys."""

    account: str
    livemode: bool
    tables: dict[str, dict[str, Json]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Json] = field(default_factory=dict)

    def put(self, kind: str, item: Json) -> Json:
        """Add an object, or replace the one of the same id."""
        self.tables.setdefault(kind, {})[item["id"]] = item
        self.kinds[item["id"]] = kind
        return item

    def rows(self, kind: str) -> Iterator[Json]:
        """All objects of a kind, newest first."""
        return reversed(list(self.tables.get(kind, {}).values()))

    def find(self, identifier: str) -> Json | None:
        """The object of any kind with this id."""
        kind = self.kinds.get(identifier)
        return None if kind is None else self.tables[kind][identifier]

    def get(self, kind: str, identifier: str, *, param: str | None = None) -> Json:
        """The object of this kind; else the error Stripe answers with (400 when a parameter named it)."""
        item = self.tables.get(kind, {}).get(identifier)
        if item is None:
            raise missing(kind, identifier, param=param or "id", status=400 if param else 404)
        return item

    def remove(self, identifier: str) -> None:
        """Forget an object, as if it never was."""
        kind = self.kinds.pop(identifier)
        del self.tables[kind][identifier]

    def dump(self) -> Json:
        """The space as JSON."""
        return {
            "account": self.account,
            "livemode": self.livemode,
            "tables": self.tables,
            "answers": self.answers,
        }

    @classmethod
    def load(cls, state: Json) -> "Space":
        """The space that ``dump`` wrote."""
        kinds = {identifier: kind for kind, rows in state["tables"].items() for identifier in rows}
        return cls(state["account"], state["livemode"], state["tables"], kinds, state["answers"])


@dataclass(slots=True)
class Store:
    """All spaces; written to one file when a path was given."""

    spaces: dict[tuple[str, bool], Space] = field(default_factory=dict)

    def space(self, account: str, livemode: bool) -> Space:
        """The space of an account in a mode; made when first asked for."""
        key = (account, livemode)
        if key not in self.spaces:
            self.spaces[key] = Space(account, livemode)
        return self.spaces[key]

    def holding(self, identifier: str, account: str | None = None) -> Space:
        """The space that holds an object; of several, the one of ``account``, else the first made."""
        for space in self.spaces.values():
            if identifier in space.kinds and account in (None, space.account):
                return space
        raise missing("object", identifier)

    def dump(self) -> list[Json]:
        """All spaces as JSON."""
        return [space.dump() for space in self.spaces.values()]

    def load(self, states: list[Json]) -> None:
        """Take over what ``dump`` wrote."""
        for state in states:
            space = Space.load(state)
            self.spaces[space.account, space.livemode] = space


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state so that a crash leaves either the old or the new file."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
