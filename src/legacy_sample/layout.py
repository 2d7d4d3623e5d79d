"""A layout: which of the legacy system's many schemas this database has.

``production`` and ``documented`` are fixed but for a few types; ``drifted`` is drawn from the seed,
among everything that was seen live. The flags switch lines of ``schemas/*.sql`` and decide which
kinds of mess the tables can hold at all.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from legacy_sample.model import SHAPES, LegacySampleError

ID_TYPES: Final = ("integer", "bigint", "text", "uuid")
_SERIAL: Final = {
    "integer": "serial",
    "bigint": "bigserial",
    "text": "text not null",
    "uuid": "uuid not null",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One live schema: names for the placeholders of the schema file and flags for its optional lines."""

    shape: str
    seed: int
    id_type: str
    names: Mapping[str, str]
    flags: frozenset[str]

    @property
    def currency(self) -> str:
        """What nearly every payment is in: the house currency, as this layout spells it."""
        return "usd" if "usd" in self.flags else "EUR"

    def key(self, kind: str, number: int) -> str:
        """A stable 32-digit name for a row; the same expression exists in SQL (``tables.py``)."""
        return hashlib.md5(f"{self.seed}:{kind}:{number}".encode(), usedforsecurity=False).hexdigest()

    def user_id(self, number: int) -> str:
        """The ``users.id`` of person ``number``, as text."""
        return self._id("users", number, self.id_type)

    def row_id(self, table: str, number: int) -> str:
        """The id of a payment or transaction, as text."""
        return self._id(table, number, self.names.get("row_id_type", "bigint"))

    def _id(self, table: str, number: int, id_type: str) -> str:
        if id_type in {"integer", "bigint"}:
            return str(number)
        digits = self.key(table, number)
        if id_type == "text":
            return f"{table[:3]}_{digits[:20]}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def choose(shape: str, seed: int, *, id_type: str | None = None) -> Layout:
    """The layout of ``shape``; ``id_type`` is for ``documented`` alone (default integer).

    Raises ``LegacySampleError`` for an unknown shape, or an id type the shape cannot have.
    """
    if shape not in SHAPES:
        raise LegacySampleError(f"there is no shape {shape!r}", f"Choose one of {', '.join(SHAPES)}.")
    if id_type is not None and (shape != "documented" or id_type not in ID_TYPES):
        raise LegacySampleError(
            f"shape {shape} has no choice of id type {id_type!r}",
            f"Leave it out, or take shape documented with one of {', '.join(ID_TYPES)}.",
        )
    if shape == "production":
        return _production(seed)
    return _documented(seed, id_type or "integer") if shape == "documented" else _drifted(seed)


def _production(seed: int) -> Layout:
    """Text references without keys; the status type had two names."""
    flags = {
        "customers", "loose_text", "loose", "session", "eur", "credits", "raw", "raw_nul", "meta", "meta_nul", "status_enum",
        "reason_text", "payment_link", "null_transaction_user", "ledger", "admin", "processed", "stripe_events", "user_name",
        "unique_payments",
    }  # fmt: skip
    names = {"status_type": ("payment_status", "paymentstatus")[seed % 2], "ledger_user": "user_id"}
    return Layout("production", seed, "integer", names, _derive(flags))


def _documented(seed: int, id_type: str) -> Layout:
    """Foreign keys from money to users; payments are linked by metadata and know no credits."""
    flags = {
        "user_customer", "user_times", "meta", "meta_nul", "reason_text", "event_column", "null_transaction_user",
        "null_payment_user", "null_balance", "ledger", "status_text", "payment_updates", "shared_customer",
    }  # fmt: skip
    names = {
        "id_type": id_type,
        "id_definition": _SERIAL[id_type],
        "row_id_type": id_type,
        "row_id_definition": _SERIAL[id_type],
        "ledger_user": "user_id",
    }
    return Layout("documented", seed, id_type, names, _derive(flags))


def _drifted(seed: int) -> Layout:
    """Any mix of what was seen live; every choice is drawn from the seed."""
    draw = Random(f"drifted layout {seed}")
    flags = {
        "user_name",
        "null_balance",
        "null_payment_user",
        "null_transaction_user",
        draw.choice(("usd", "eur")),
    }
    for flag in (
        "user_customer", "user_times", "email_unique", "customers", "session", "raw", "payment_updates", "credits",
        "admin", "stripe_events", "event_column", "unique_payments",
    ):  # fmt: skip
        if draw.randrange(3):
            flags.add(flag)
    id_type = draw.choice(("integer", "integer", "bigint", "text", "uuid"))
    reference_type = _draw_references(draw, flags, id_type)
    _draw_transactions(draw, flags)
    flags.add(draw.choice(("processed_by_provider", "processed_by_event", "processed_never")))
    if "processed_never" not in flags:
        flags.add("processed")
    if draw.randrange(4):
        flags.add("ledger")
        if draw.randrange(2):
            flags.add("ledger_filled")
        if "customers" in flags and draw.randrange(2):
            flags.add("ledger_key")
    if "user_customer" in flags:
        flags.add("shared_customer")
    json_type = draw.choice(("json", "jsonb"))
    if json_type == "json":
        flags.update(f"{column}_nul" for column in ("raw", "meta") if column in flags)
    status_type = draw.choice(("payment_status", "paymentstatus", "varchar(50)", "text"))
    flags.add("status_enum" if status_type.startswith("payment") else "status_text")
    if "status_text" in flags and draw.randrange(2):
        flags.add("status_lower")
    names = {
        "id_definition": _SERIAL[id_type],
        "reference_type": reference_type,
        "status_type": status_type,
        "timestamp": draw.choice(("timestamptz", "timestamp")),
        "json_type": json_type,
        "session_column": draw.choice(("provider_checkout_session_id", "stripe_session_id")),
        "intent_column": draw.choice(("provider_payment_intent_id", "stripe_payment_intent_id")),
        "amount_column": draw.choice(("amount_total_cents", "amount_cents", "amount")),
        "credits_column": draw.choice(("expected_credits", "credits_granted")),
        "raw_column": draw.choice(("raw_provider_data", "metadata")),
        "meta_column": draw.choice(("meta", "metadata")),
        "delta_column": draw.choice(("delta_credits", "delta", "amount")),
        "ledger_user": draw.choice(("user_id", "clerk_user_id")),
    }
    return Layout("drifted", seed, id_type, names, _derive(flags))


def _derive(flags: set[str]) -> frozenset[str]:
    """Add the flags that follow from others."""
    if flags & {"usd", "eur"}:
        flags.add("currency")
    if {"processed", "stripe_events"} <= flags or ("event_column" in flags and "event_unique" not in flags):
        flags.add("events_can_repeat")
    return frozenset(flags)


def _draw_references(draw: Random, flags: set[str], id_type: str) -> str:
    """How money points at users: loosely as text, or in the type of the id, with or without a key."""
    manner = draw.choice(("text", "typed", "keyed"))
    if manner == "keyed":
        flags.add("reference_key")
        return id_type
    flags.add("loose")
    if manner == "text" or id_type == "text":
        flags.add("loose_text")
        return "text"
    return id_type


def _draw_transactions(draw: Random, flags: set[str]) -> None:
    """The emergency table, the later one with its enum and trigger, or the production one."""
    variant = draw.choice(("emergency", "later", "plain"))
    if variant == "emergency":
        flags.update({"transaction_type", "running_balance"})
    elif variant == "later":
        flags.update({"reason_enum", "trigger", "event_column", "event_unique"})
    else:
        flags.add("reason_text")
    if draw.randrange(3):
        flags.add("payment_link")
    if "payment_link" not in flags or draw.randrange(4):
        flags.add("meta")
