"""What the verbs answer: frozen values, decoded from the JSON that SQL returns."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One immutable change of one account, in credits. ``replayed``: the key was known, this is its first result.

    ``available`` is what could be spent right after it (None on a replay). The last fields are set by the verbs
    they belong to: the grant a ``grant`` made, what is ``left`` to refund, the ``shortfall`` of a clawback, ...
    """

    account: str
    unit: str
    kind: str
    delta: int
    balance_before: int
    balance_after: int
    seq: int | None = None
    available: int | None = None
    reason: str = ""
    actor: str | None = None
    metadata: dict[str, Any] | None = None
    key: str | None = None
    effective_at: datetime | None = None
    recorded_at: datetime | None = None
    replayed: bool = False
    dry_run: bool = False
    related_seq: int | None = None
    hold: int | None = None
    payment: str | None = None
    counterparty: str | None = None
    grant: int | None = None
    left: int | None = None
    shortfall: int | None = None
    voided: int | None = None
    captured: int | None = None
    to_seq: int | None = None
    to_balance_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at one instant: what has expired by then is not counted, even when no worker has run."""

    account: str
    unit: str
    posted: int
    held: int
    available: int
    overdraft_limit: int = 0
    version: int = 0
    transactions: int = 0
    user: str | None = None
    frozen: bool = False
    frozen_reason: str | None = None
    opened_at: datetime | None = None
    metadata: dict[str, Any] | None = None
    replayed: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAccount(Account):
    """An account that a search found: by which name (``matched``), and which home serves it."""

    home: str = "heller"
    matched: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitBooks:
    """All accounts of one unit together: ``owed`` to them (liabilities), ``debt`` that they owe, in credits."""

    accounts: int
    owed: int
    debt: int
    held: int
    frozen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Figures over all accounts as of ``taken_at``. ``deferred`` is money received for credits not used yet, by currency.

    ``difference`` is the trial balance: all accounts plus all kinds, which is 0.
    """

    difference: int
    accounts: dict[str, UnitBooks]
    units: dict[str, dict[str, Any]]
    deferred: dict[str, int]
    taken_at: datetime
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Credits given. ``cost`` is what was paid for all of them, in minor units of ``currency``.

    ``recurring`` is the name of the recurring grant whose period this is.
    """

    account: str
    unit: str
    grant: int
    amount: int
    source: str
    remaining: int | None = None
    seq: int | None = None
    priority: int = 100
    available_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    granted_at: datetime | None = None
    cost: int = 0
    currency: str | None = None
    payment: str | None = None
    reason: str = ""
    key: str | None = None
    recurring: str | None = None
    scheduled: bool = False
    replayed: bool = False
    available: int | None = None
    voided: int | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldState:
    """A reservation as it stands: ``state`` is open, captured, released or expired."""

    account: str
    unit: str
    hold: int
    amount: int
    captured: int
    state: str
    expires_at: datetime
    placed_at: datetime
    closed_at: datetime | None = None
    reason: str = ""
    actor: str | None = None
    key: str | None = None
    available: int | None = None
    replayed: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Draw:
    """How many credits one grant paid; ``grant`` None is what no grant covered."""

    grant: int | None
    amount: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error of one operation in a batch, as SQL says it."""

    error: str
    message: str
    detail: dict[str, Any] = field(default_factory=dict)


def decoded(raw: Any, kind: type[_T]) -> _T:
    """A value of ``kind`` out of what SQL returned."""
    return msgspec.convert(raw, kind)
