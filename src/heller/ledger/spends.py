"""Plain spends travel as arrays and come back as arrays: a third of the work of JSON on both sides.

What a spend needs beyond these fields (``allow_partial``, ``dry_run``, ...) goes through ``heller.apply``.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from heller.errors import HellerError
from heller.ledger.operations import DEFAULT_UNIT, Operation, Result, result_of
from heller.ledger.results import Transaction

FIELDS = ("account", "amount", "key", "reason", "unit", "actor", "metadata")
BIGINT_MAX = 2**63 - 1
SHORT_CHARACTERS_MAX = 2_000

_SPEND_MANY = """
select seqs, balances, availables, recorded_at, to_jsonb(others)::text
from heller.spend_many(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[])
"""
_KNOWN = frozenset(FIELDS) | {"verb"}
_TEXTS = ("account", "key", "reason", "unit", "actor")
_CONTROL = re.compile(rb'\\[^"\\]')
_encode = msgspec.json.Encoder().encode


def is_short(operation: Operation) -> bool:
    """Whether an operation is a spend of a few printable texts: there is nothing in it that could be wrong, or JSON."""
    get = operation.get
    amount = get("amount")
    if (
        get("verb") != "spend"
        or not operation.keys() <= _KNOWN
        or type(amount) is not int
        or not -BIGINT_MAX <= amount <= BIGINT_MAX
        or get("metadata") is not None
        or type(get("account")) is not str
    ):
        return False
    for name in _TEXTS:
        text = get(name)
        if text is not None and (
            type(text) is not str or not text.isprintable() or len(text) > SHORT_CHARACTERS_MAX
        ):
            return False
    return True


def is_plain(operation: Operation, text: bytes) -> bool:
    """Whether an operation, of which ``text`` is the JSON, can travel in an array."""
    return (
        operation.get("verb") == "spend"
        and operation.keys() <= _KNOWN
        and -BIGINT_MAX <= operation.get("amount", BIGINT_MAX + 1) <= BIGINT_MAX
        and not (b"\\" in text and _CONTROL.search(text))  # JSON's \n is no newline in an array
    )


async def spend_many(
    connection: AsyncConnection, operations: Sequence[Operation]
) -> list[Result | HellerError]:
    """Do plain spends in one call, each with its own result or error in the same place."""
    values = [_array([operation.get(name) for operation in operations]) for name in FIELDS[:-1]]
    values.append(_array([_document(operation.get("metadata")) for operation in operations]))
    row: Any = await (await connection.execute(_SPEND_MANY, values)).fetchone()
    seqs, balances, availables, recorded_at, others = row
    if others is None:
        return [
            _Spend(operation, seq, balance, available, recorded_at).sealed()
            for operation, seq, balance, available in zip(operations, seqs, balances, availables, strict=True)
        ]
    return [
        _Spend(operation, seq, balance, available, recorded_at).sealed()
        if other is None
        else result_of("spend", other)
        for operation, seq, balance, available, other in zip(
            operations, seqs, balances, availables, msgspec.json.decode(others), strict=True
        )
    ]


def _array(values: list[Any]) -> str | None:
    """PostgreSQL's text form of an array: JSON's, but for the brackets and control characters."""
    if not any(value is not None for value in values):
        return None
    return "{" + _encode(values)[1:-1].decode() + "}"


def _document(metadata: Mapping[str, Any] | None) -> str | None:
    return None if metadata is None else _encode(metadata).decode()


class _Spend:
    """A Transaction before it is frozen: a frozen class sets each of 27 slots by a call, a fifth of a spend's time."""

    __slots__ = Transaction.__slots__

    def __init__(
        self, operation: Operation, seq: int, balance: int, available: int, recorded_at: datetime
    ) -> None:
        amount = operation["amount"]
        self.account = operation["account"]
        self.unit = operation.get("unit") or DEFAULT_UNIT
        self.kind = "spend"
        self.delta = -amount
        self.balance_before = balance + amount
        self.balance_after = balance
        self.seq = seq
        self.available = available
        self.reason = operation.get("reason") or ""
        self.actor = operation.get("actor")
        self.metadata = operation.get("metadata") or None
        self.key = operation.get("key")
        self.effective_at = self.recorded_at = recorded_at
        self.replayed = self.dry_run = False
        self.related_seq = self.hold = self.payment = self.counterparty = self.grant = self.left = None
        self.shortfall = self.voided = self.captured = self.to_seq = self.to_balance_after = None

    def sealed(self) -> Transaction:
        self.__class__ = Transaction  # type: ignore[assignment]  # the same slots
        return self  # type: ignore[return-value]
