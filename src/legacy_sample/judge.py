"""What is wrong with the rows of one case, judged from the rows and not from the intention.

The definitions are those of README.md in this folder; this module is their second writing, kept apart
from the code that plants.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from legacy_sample.layout import Layout
from legacy_sample.model import PaymentRow, Rows, TransactionRow

STATUSES: Final = frozenset({"INIT", "PAID", "CREDITED", "REFUNDED", "CHARGEBACK", "CANCELED", "FAILED"})
SETTLED: Final = frozenset({"PAID", "CREDITED"})
TAKEN_BACK: Final = frozenset({"REFUNDED", "CHARGEBACK"})
REASONS: Final = frozenset(
    {"PURCHASE", "REFUND", "CHARGEBACK", "ADMIN", "resume_analysis", "job_match", "resume_improvement"}
)
REFUND_REASONS: Final = frozenset({"REFUND", "CHARGEBACK"})
LONG_REASON: Final = 1000
EPOCH_END: Final = datetime(1971, 1, 1, tzinfo=UTC)
FUTURE: Final = datetime(2030, 1, 1, tzinfo=UTC)
_GHOST: Final = re.compile(r"emergency_.*@temp\.com", re.IGNORECASE)

Finding = tuple[str, str]


def _object(text: str | None) -> dict[str, Any]:
    """The JSON object in ``text``, or an empty one for anything else."""
    value = json.loads(text) if text is not None else None
    return value if isinstance(value, dict) else {}


class Names:
    """Who is meant by a ``user_id``: resolved before any money is looked at."""

    def __init__(self, rows: Rows, layout: Layout) -> None:
        self.ids = {user.id for user in rows.users}
        self.emails: dict[str, set[str]] = defaultdict(set)
        for user in rows.users:
            address = (user.email or "").strip().lower()
            if address:
                self.emails[address].add(user.id)
        self.customers: dict[str, set[str]] = defaultdict(set)
        for user in rows.users:
            if user.customer and "user_customer" in layout.flags:
                self.customers[user.customer].add(user.id)
        payments = (
            [(payment.user_ref, _object(payment.raw)) for payment in rows.payments]
            if "raw" in layout.flags
            else []
        )
        ties = [(row.user_ref, row.customer) for row in rows.customers] if "customers" in layout.flags else []
        for ref, customer in [*ties, *((ref, raw.get("customer")) for ref, raw in payments)]:
            if customer:
                self.customers[customer] |= self.direct(ref)
        self.evidence: dict[str, set[str]] = defaultdict(set)
        for ref, customer in ties:
            self.evidence[ref] |= self.customers.get(customer or "", set())
        for ref, raw in payments:
            if ref is not None:
                self.evidence[ref] |= self.customers.get(raw.get("customer", ""), set())
                self.evidence[ref] |= self.direct(raw.get("client_reference_id"))
                self.evidence[ref] |= self.direct((raw.get("customer_details") or {}).get("email"))

    def direct(self, name: str | None) -> set[str]:
        """Users whose id or (case ignored) e-mail is ``name``."""
        if name is None or not name.strip():
            return set()
        return {name} if name in self.ids else self.emails.get(name.strip().lower(), set())

    def resolve(self, name: str | None) -> set[str]:
        """Users meant by ``name``: by id, else by e-mail, else by what other rows tie it to."""
        if name is None:
            return set()
        return self.direct(name) or self.evidence.get(name, set())

    def one(self, name: str | None) -> str | None:
        """The user meant by ``name`` if there is exactly one."""
        users = self.resolve(name)
        return next(iter(users)) if len(users) == 1 else None


def judge(rows: Rows, layout: Layout) -> set[Finding]:
    """All findings of the rows, as (code, id)."""
    names = Names(rows, layout)
    findings: set[Finding] = set()
    for part in (
        _users(rows, names, layout),
        _addresses(rows, names),
        _names(rows, names),
        _customers(rows, names, layout),
        _events(rows, layout),
    ):
        findings.update(part)
    linked: dict[int, list[TransactionRow]] = defaultdict(list)
    for transaction in rows.transactions:
        if transaction.payment_id is not None:
            linked[transaction.payment_id].append(transaction)
    for payment in rows.payments:
        findings.update((code, layout.row_id("payments", payment.id)) for code in _payment(payment, layout))
        booked = linked[payment.id]
        findings.update(
            (code, layout.row_id("payments", payment.id))
            for code in _bookings(payment, booked, names, layout)
        )
    for transaction in rows.transactions:
        own = layout.row_id("credit_transactions", transaction.id)
        findings.update((code, own) for code in _transaction(transaction, names, layout))
    findings.update(_values(rows, layout))
    intents = Counter(payment.intent for payment in rows.payments if payment.intent is not None)
    findings.update(("duplicate_payment", intent) for intent, count in intents.items() if count > 1)
    return findings


def _users(rows: Rows, names: Names, layout: Layout) -> Iterator[Finding]:
    """Balances against histories, and what a user row is by itself."""
    history: Counter[str] = Counter()
    ledger: Counter[str] = Counter()
    for transaction in rows.transactions:
        history[names.one(transaction.user_ref) or ""] += transaction.delta
    with_history = {names.one(transaction.user_ref) for transaction in rows.transactions}
    for entry in rows.ledger:
        ledger[names.one(entry.user_ref) or ""] += entry.delta
    with_ledger = {names.one(entry.user_ref) for entry in rows.ledger} if "ledger" in layout.flags else set()
    for user in rows.users:
        if user.balance is None:
            yield "null_balance", user.id
            continue
        if user.balance < 0:
            yield "negative_balance", user.id
        if user.balance and user.id not in with_history:
            yield "balance_without_history", user.id
        if user.id in with_history and user.balance != history[user.id]:
            yield "history_differs_from_balance", user.id
        if user.id in with_ledger and user.balance != ledger[user.id]:
            yield "ledger_differs_from_balance", user.id


def _addresses(rows: Rows, names: Names) -> Iterator[Finding]:
    """Blank, made-up and repeated e-mail addresses."""
    for user in rows.users:
        if not (user.email or "").strip():
            yield "blank_email", user.id
        elif _GHOST.fullmatch(user.email or ""):
            yield "ghost_user", user.id
    for address, owners in names.emails.items():
        if len(owners) > 1:
            yield "duplicate_email", address


def _names(rows: Rows, names: Names) -> Iterator[Finding]:
    """Names that mean nobody, two, or one person among several names."""
    used: dict[str, set[str]] = defaultdict(set)
    for ref in references(rows):
        users = names.resolve(ref)
        if not users:
            yield "unknown_user", ref
        elif len(users) > 1:
            yield "ambiguous_user", ref
        else:
            used[next(iter(users))].add(ref)
    for user, refs in used.items():
        if len(refs) > 1:
            yield "several_ids", user


def references(rows: Rows) -> Iterator[str]:
    """Every name that payments, transactions and ledger use for a user, as often as they do."""
    tables: tuple[Iterable[Any], ...] = (rows.payments, rows.transactions, rows.ledger)
    for table in tables:
        for row in table:
            if row.user_ref is not None:
                yield row.user_ref


def _customers(rows: Rows, names: Names, layout: Layout) -> Iterator[Finding]:
    """One person with two Stripe customers, or one Stripe customer with two people."""
    pairs: set[tuple[str, str]] = set()
    if "user_customer" in layout.flags:
        pairs.update((user.id, user.customer) for user in rows.users if user.customer)
    if "customers" in layout.flags:
        for row in rows.customers:
            owner = names.one(row.user_ref)
            if owner is not None and row.customer is not None:
                pairs.add((owner, row.customer))
    per_user = Counter(user for user, _ in pairs)
    per_customer = Counter(customer for _, customer in pairs)
    for user, customer in pairs:
        if per_user[user] > 1 or per_customer[customer] > 1:
            yield "duplicate_stripe_customer", user


def _events(rows: Rows, layout: Layout) -> Iterator[Finding]:
    """One event in both dedupe tables, or on two transactions."""
    if {"processed", "stripe_events"} <= layout.flags:
        for event in rows.events:
            if event.processed and event.logged:
                yield "duplicate_event", event.event
    if "event_column" in layout.flags:
        booked = Counter(row.event for row in rows.transactions if row.event is not None)
        for name, count in booked.items():
            if count > 1:
                yield "duplicate_event", name


def _payment(payment: PaymentRow, layout: Layout) -> Iterator[str]:
    """What a payment row is by itself."""
    if "currency" in layout.flags and payment.currency.upper() != layout.currency.upper():
        yield "foreign_currency"
    if payment.status not in STATUSES:
        yield "unknown_payment_status"
    without_session = payment.session is None or "session" not in layout.flags
    if payment.status in SETTLED and payment.intent is None and without_session:
        yield "payment_without_reference"


def _bookings(
    payment: PaymentRow, booked: list[TransactionRow], names: Names, layout: Layout
) -> Iterator[str]:
    """A payment and the transactions linked to it."""
    if not names.resolve(payment.user_ref):
        yield "orphan_payment"
    credited = [row.delta for row in booked if row.delta > 0]
    taken = -sum(row.delta for row in booked if row.delta < 0 and row.reason in REFUND_REASONS)
    if payment.status in SETTLED and not booked:
        yield "payment_without_transaction"
    if payment.status in SETTLED and not credited and not (payment.credits and "credits" in layout.flags):
        yield "estimated_credits"
    if len(credited) > 1:
        yield "payment_booked_twice"
    if taken > sum(credited):
        yield "refund_taken_twice"
    if payment.status in TAKEN_BACK and credited and not taken:
        yield "refund_not_taken"
    returned = _object(payment.raw).get("amount_refunded") if "raw" in layout.flags else None
    if returned and taken * payment.cents > sum(credited) * returned:
        yield "partial_refund_taken_in_full"
    buyer = names.one(payment.user_ref)
    owners = {names.one(row.user_ref) for row in booked}
    if buyer is not None and owners - {buyer, None}:
        yield "booked_to_another_user"


def _transaction(transaction: TransactionRow, names: Names, layout: Layout) -> Iterator[str]:
    """What a transaction row is by itself."""
    if not names.resolve(transaction.user_ref):
        yield "orphan_transaction"
    if transaction.delta == 0:
        yield "zero_delta"
    if transaction.reason == "PURCHASE" and transaction.payment_id is None and transaction.delta > 0:
        yield "purchase_without_payment"
    if transaction.reason not in REASONS and "reason_text" in layout.flags:
        yield "free_text_reason"
        if len(transaction.reason) > LONG_REASON:
            yield "long_reason"


def _values(rows: Rows, layout: Layout) -> Iterator[Finding]:
    """JSON and times of payments and transactions; the ids here say the table as well."""
    documents: list[tuple[str, str | None]] = []
    if "raw" in layout.flags:
        documents += [(f"payments:{layout.row_id('payments', row.id)}", row.raw) for row in rows.payments]
    if "meta" in layout.flags:
        documents += [(_own(row, layout), row.meta) for row in rows.transactions]
    for own, text in documents:
        if text is not None and not isinstance(json.loads(text), dict):
            yield "metadata_not_an_object", own
        if text is not None and "\\u0000" in text:
            yield "metadata_nul_escape", own
    moments = [(_own(row, layout), row.created_at) for row in rows.transactions]
    moments += [(f"payments:{layout.row_id('payments', row.id)}", row.created_at) for row in rows.payments]
    for own, at in moments:
        if at < EPOCH_END:
            yield "past_timestamp", own
        if at >= FUTURE:
            yield "future_timestamp", own


def _own(row: TransactionRow, layout: Layout) -> str:
    return f"credit_transactions:{layout.row_id('credit_transactions', row.id)}"
