"""Rows of the legacy history in heller's terms, by the same rules as the copy.

Those are ``sql/bookings.sql`` and ``sql/entries.sql``, so that an account that was handed over looks exactly as a copied one.

Pure: rows in, entries out; one user at a time.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_CLASSES = (
    ("chargeback", r"\b(chargeback|charge_back|dispute|disputed)"),
    ("refund", r"\brefund"),
    ("purchase", r"^(purchase|payment|top.?up|buy|bought|kauf)|\bpurchase"),
    ("given", r"\b(bonus|welcome|seed|promo|promotion|gift|signup|sign_up|referral|free|trial|grant)"),
    ("admin", r"^admin"),
    ("manual", r"\b(admin|manual|adjust|adjustment|correction|korrektur|kulanz)"),
    ("transfer", r"^transfer"),
    (
        "usage",
        r"(usage|used|\buse\b|spend|spent|consum|debit|deduct|analys|match|improve|feature|resume|\bjob|verbrauch)",
    ),
)
_STATES = {
    "paid": {"paid", "credited", "completed", "complete", "succeeded", "success", "settled"},
    "refunded": {"refunded", "partially_refunded", "refund"},
    "chargeback": {"chargeback", "charged_back", "disputed", "dispute"},
    "canceled": {"canceled", "cancelled", "expired", "void"},
    "failed": {"failed", "failure", "declined"},
}
_PROVIDER_KEYS = re.compile(r"\b((?:pi|cs|ch|in)_[A-Za-z0-9_]+)")
_EVENTS = re.compile(r"\b(evt_[A-Za-z0-9_]+)")
_PAYMENT_IDS = re.compile(r'"(?:payment_id|paymentId|payment)"\s*:\s*"?([^",}\]\s\\{[]+)')


EARLIEST = datetime(1, 1, 1)  # noqa: DTZ001  # legacy times are compared as they stand


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A row of payments, read by the copy's own select."""

    label: str
    id: str
    provider: str
    intent: str | None
    session: str | None
    amount: int | None
    currency: str | None
    credits: int | None
    status: str | None
    event: str | None
    raw: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row of one of the histories; ``delta`` has its true sign."""

    label: str
    id: str
    ledger: bool
    delta: int
    reason: str | None
    description: str | None
    payment_ref: str | None
    admin_ref: str | None
    event: str | None
    metadata: str | None
    created_at: datetime | None
    actor: str | None = None
    comment: str | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Its provenance."""
        return self.label, self.id


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything one user has: the rows, which of the history heller knows already, and by which keys its payments.

    ``settled`` are payments that heller looks after itself: they are brought up to date only by new rows.
    """

    payments: Sequence[PaymentRow]
    history: Sequence[HistoryRow]
    known: frozenset[tuple[str, str]] = frozenset()
    keys: Mapping[tuple[str, str], str] = field(default_factory=dict)
    settled: frozenset[tuple[str, str]] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Canonical:
    """What an activation imports: payments, new entries, and rows that are part of another."""

    payments: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    merged: list[dict[str, Any]]


def canonical(
    rows: Rows, *, system: str, credits_of_price: Mapping[tuple[int, str], int] | None = None
) -> Canonical:
    """The entries of one user: known rows are left out, rows of one business event become one entry."""
    payments = {row.id: row for row in rows.payments}
    history = sorted(
        rows.history,
        key=lambda row: (row.created_at is None, row.created_at or EARLIEST, len(row.id), row.id),
    )
    links = {row.place: _payment_of(row, rows.payments) for row in history}
    _link_by_event(history, links)
    merges = _merges(history, links)
    bookings: dict[str, HistoryRow] = {}
    for row in sorted(
        history, key=lambda row: row.ledger
    ):  # a booking in credit_transactions before one in the ledger
        payment = links[row.place]
        if payment is not None and row.delta > 0 and row.place not in merges:
            bookings.setdefault(payment, row)
    keys = _payment_keys(rows, system)
    touched = {links[row.place] for row in history if row.place not in rows.known}
    entries = [
        _entry(row, payments.get(links[row.place] or ""), rows=rows, is_booking=bookings.get(links[row.place] or "") is row,
               payment_key=keys.get(links[row.place] or ""), merged=[place for place, into in merges.items() if into == row.place])
        for row in history
        if row.place not in rows.known and row.place not in merges
    ]  # fmt: skip
    taken = {
        payment.id: -sum(
            row.delta
            for row in history
            if links[row.place] == payment.id and row.delta < 0 and row.place not in merges
        )
        for payment in rows.payments
    }
    return Canonical(
        [_payment(row, bookings.get(row.id), taken=taken[row.id], rows=rows, key=keys[row.id], prices=credits_of_price or {})
         for row in rows.payments if (row.label, row.id) not in rows.settled or row.id in touched],
        entries,
        [{"table": place[0], "id": place[1], "into_table": into[0], "into_id": into[1]} for place, into in merges.items() if place not in rows.known],
    )  # fmt: skip


def state_of(status: str | None, statuses: Mapping[str, str]) -> str:
    """What a payment's status means: open, paid, refunded, chargeback, canceled, failed."""
    word = (status or "").strip().lower()
    if word in statuses:
        return statuses[word]
    return next((state for state, words in _STATES.items() if word in words), "open")


def class_of(reason: str | None, description: str | None) -> str:
    """What a reason says: the first of the classes whose words it has."""
    said = " ".join(part for part in (reason, description) if part is not None).lower()
    return next((name for name, pattern in _CLASSES if re.search(pattern, said)), "other")


def kind_of(row: HistoryRow, *, has_payment: bool, kinds: Mapping[str, str]) -> str:
    """The kind of the transaction that a row becomes."""
    mapped = kinds.get((row.reason if row.reason is not None else row.description or "").strip().lower())
    if mapped:
        return mapped
    name = class_of(row.reason, row.description)
    if name == "chargeback":
        return "clawback" if row.delta < 0 else "reinstate"
    if name == "refund":
        return "clawback" if row.delta < 0 else "refund"
    if row.delta > 0 and (name == "purchase" or has_payment):
        return "purchase"
    if row.delta > 0 and name in {"given", "admin"}:
        return "grant"
    if name == "transfer":
        return "transfer"
    if name == "usage":
        return "spend" if row.delta < 0 else "refund"
    return "adjust"


def _payment_of(row: HistoryRow, payments: Iterable[PaymentRow]) -> str | None:
    """The payment a history row points at, surest first: its number, a key of the provider, the event."""
    payments = list(payments)
    if any(payment.id == row.payment_ref for payment in payments):
        return row.payment_ref
    text = " ".join(part for part in (row.metadata, row.reason, row.description, row.event) if part)
    tokens = set(_PROVIDER_KEYS.findall(text))
    numbers = set(_PAYMENT_IDS.findall(row.metadata or ""))
    found = {p.id for p in payments if p.intent in tokens or p.session in tokens or p.id in numbers}
    if not found and row.event:
        found = {p.id for p in payments if row.event == p.event or row.event in _EVENTS.findall(p.raw or "")}
    return found.pop() if len(found) == 1 else None


def _link_by_event(history: Sequence[HistoryRow], links: dict[tuple[str, str], str | None]) -> None:
    """A ledger row with the event of a linked transaction is of the same payment."""
    for row in history:
        if row.ledger and row.event and links[row.place] is None:
            same = {
                links[o.place] for o in history if not o.ledger and o.event == row.event and links[o.place]
            }
            if len(same) == 1:
                links[row.place] = same.pop()


def _merges(
    history: Sequence[HistoryRow], links: Mapping[tuple[str, str], str | None]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Ledger rows that are the same business event as a transaction: the n-th of a payment with the n-th, or by event."""
    merges: dict[tuple[str, str], tuple[str, str]] = {}
    groups: dict[tuple[str, bool, bool], list[HistoryRow]] = {}
    for row in history:
        name = (
            f"payment {links[row.place]}" if links[row.place] else f"event {row.event}" if row.event else None
        )
        if name:
            groups.setdefault((name, row.delta > 0, row.ledger), []).append(row)
    for (name, up, is_ledger), rows in groups.items():
        if is_ledger:
            for mine, other in zip(rows, groups.get((name, up, False), ()), strict=False):
                merges[mine.place] = other.place
    return merges


def _payment_key(row: PaymentRow, system: str) -> str:
    """The key by which a payment is known: the provider's id of it."""
    name = _stripped(row.intent) or _stripped(row.session)
    if name is None:
        return f"{system}:{row.label}:{row.id}"
    provider = _provider(row)
    return name if provider == "stripe" else f"{provider}:{name}"


def _payment_keys(rows: Rows, system: str) -> dict[str, str]:
    """The key of each payment: as heller knows it, else the provider's id for the first that carries it."""
    keys: dict[str, str] = {}
    for row in rows.payments:
        known = rows.keys.get((row.label, row.id))
        mine = known or _payment_key(row, system)
        keys[row.id] = mine if known or mine not in keys.values() else f"{system}:{row.label}:{row.id}"
    return keys


def _entry(
    row: HistoryRow,
    payment: PaymentRow | None,
    *,
    rows: Rows,
    is_booking: bool,
    payment_key: str | None,
    merged: list[tuple[str, str]],
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "payment_id": payment.id if payment else None,
        "event": _stripped(row.event),
        "admin_action": row.admin_ref,
        "comment": row.comment,
        "merged": sorted(":".join(place) for place in merged) or None,
    }
    metadata = {name: value for name, value in metadata.items() if value is not None} | _legacy(row.metadata)
    paid = is_booking and payment is not None and (payment.amount or 0) > 0 and payment.currency
    if (
        row.place in rows.named
    ):  # made through the facade: exactly the request it was, so that a retry is a replay
        named = rows.named[row.place]
        return {
            "source_table": row.label, "source_id": row.id, "delta": row.delta, "kind": named["kind"], "reason": named["reason"],
            "payment_key": payment_key, "idempotency_key": named["key"], "metadata": named["metadata"],
            "at": row.created_at.isoformat() if row.created_at else None,
        }  # fmt: skip
    return {
        "source_table": row.label,
        "source_id": row.id,
        "delta": row.delta,
        "kind": kind_of(row, has_payment=payment is not None, kinds=rows.kinds),
        "reason": ": ".join(part.strip() for part in (row.reason, row.description) if part and part.strip()),
        "actor": row.actor,
        "payment_key": payment_key,
        "idempotency_key": payment_key if is_booking else _stripped(row.event),
        "cost": payment.amount if paid and payment else 0,
        "currency": payment.currency.strip().upper() if paid and payment and payment.currency else None,
        "metadata": metadata or None,
        "at": row.created_at.isoformat() if row.created_at else None,
    }


def _legacy(text: str | None) -> dict[str, Any]:
    """The row's own metadata, as JSON where it is JSON."""
    if text is None or text.strip() == "{}":
        return {}
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):
        return {"legacy_text": text}
    return {"legacy_text": text} if "\\u0000" in text else {"legacy": value}


def _payment(
    row: PaymentRow,
    booking: HistoryRow | None,
    *,
    taken: int,
    rows: Rows,
    key: str,
    prices: Mapping[tuple[int, str], int],
) -> dict[str, Any]:
    state = state_of(row.status, rows.statuses)
    currency = (row.currency or "").strip().upper() or None
    worth = row.credits or (booking.delta if booking else 0)
    if not worth:
        worth = prices.get((row.amount or 0, currency or ""), (row.amount or 0) // 5)
    credits = max(worth, booking.delta if booking else 0, 0)
    if state in {"open", "failed", "canceled"}:
        became = state
    elif state == "chargeback":
        became = "disputed"
    elif 0 < taken < credits:
        became = "partly_refunded"
    elif state == "refunded" or taken > 0:
        became = "refunded"
    else:
        became = "settled"
    provider, intent, session = _provider(row), _stripped(row.intent), _stripped(row.session)
    is_first = key in {intent, session, f"{provider}:{intent}", f"{provider}:{session}"}
    return {
        "payment_key": key,
        "provider": provider,
        "intent": intent if is_first else None,
        "session": session if is_first else None,
        "amount": row.amount,
        "currency": currency,
        "credits": credits,
        "net_credits": {"settled": credits, "partly_refunded": credits - taken}.get(became, 0),
        "state": became,
        "source_table": row.label,
        "source_id": row.id,
        "at": row.created_at.isoformat() if row.created_at else None,
    }


def _provider(row: PaymentRow) -> str:
    return (_stripped(row.provider) or "stripe").lower()


def _stripped(text: str | None) -> str | None:
    return (text or "").strip() or None
