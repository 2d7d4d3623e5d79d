"""The words of the sample: what a build returns, its error, and the rows before they take a shape.

A canonical row holds what the legacy system knew, whatever its columns were called. ``tables.py``
gives it the columns of the chosen layout.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SHAPES = ("production", "documented", "drifted")


@dataclass(eq=False)
class LegacySampleError(Exception):
    """The sample cannot be built: ``message`` says why, ``hint`` what to do next."""

    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Credits:
    """The three accounts of truth: user rows, transactions, ledger (each a plain sum of its column)."""

    balance: int
    transactions: int
    ledger: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What was built: ``rows`` per table, the three totals, planted findings per code."""

    shape: str
    seed: int
    users: int
    rows: Mapping[str, int]
    credits: Credits
    planted: Mapping[str, int]


@dataclass(slots=True)
class UserRow:
    """One row of ``users``; ``id`` is text in every layout until it is written."""

    id: str
    email: str | None
    name: str
    balance: int | None
    customer: str | None
    created_at: datetime


@dataclass(slots=True)
class PaymentRow:
    """One row of ``payments``; ``status`` is of the production vocabulary, ``raw`` is JSON text."""

    id: int
    user_ref: str | None
    intent: str | None
    session: str | None
    cents: int
    currency: str
    credits: int
    status: str
    raw: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class TransactionRow:
    """One row of ``credit_transactions``; ``intent`` is the payment's, for layouts that link by metadata."""

    id: int
    user_ref: str | None
    payment_id: int | None
    intent: str | None
    admin_action_id: int | None
    event: str | None
    delta: int
    reason: str
    meta: str | None
    balance_before: int
    balance_after: int
    created_at: datetime


@dataclass(slots=True)
class LedgerRow:
    """One row of ``credit_ledger``."""

    id: int
    user_ref: str
    delta: int
    reason: str
    event: str | None
    created_at: datetime


@dataclass(slots=True)
class CustomerRow:
    """One row of ``stripe_customers``."""

    user_ref: str
    customer: str | None
    created_at: datetime


@dataclass(slots=True)
class EventRow:
    """One webhook event; ``processed`` and ``logged`` say in which of the two dedupe tables it is."""

    id: int
    event: str
    type: str
    processed: bool
    logged: bool
    status: str
    error: str | None
    created_at: datetime


@dataclass(slots=True)
class AdminRow:
    """One row of ``admin_actions``."""

    id: int
    actor: str
    target: str
    delta: int
    comment: str
    created_at: datetime


@dataclass(slots=True)
class Rows:
    """The canonical rows of one planted case, or of many."""

    users: list[UserRow] = field(default_factory=list)
    customers: list[CustomerRow] = field(default_factory=list)
    payments: list[PaymentRow] = field(default_factory=list)
    transactions: list[TransactionRow] = field(default_factory=list)
    ledger: list[LedgerRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    admin: list[AdminRow] = field(default_factory=list)
