"""One planted case: a few people of their own, and rows that go wrong in one named way.

A case never touches the people of another, so what is wrong with it can be judged from its rows alone.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from legacy_sample.layout import Layout
from legacy_sample.model import (
    AdminRow,
    CustomerRow,
    EventRow,
    LedgerRow,
    PaymentRow,
    Rows,
    TransactionRow,
    UserRow,
)
from legacy_sample.names import DOMAINS, FIRST, LAST

START: Final = datetime(2023, 9, 2, tzinfo=UTC)
_SPENDS: Final = ((10, "resume_analysis"), (5, "job_match"), (15, "resume_improvement"))


@dataclass(slots=True)
class Desk:
    """What all cases of one build share: the layout, the free person numbers, the last ids given."""

    layout: Layout
    users: int
    numbers: Iterator[int]
    payments: int = 0
    transactions: int = 0
    admin: int = 0
    events: int = 0
    ledger: int = 0
    cases: int = 0


@dataclass(slots=True)
class Person:
    """Someone in a case: the ``users`` row, the Stripe customer, and the sum of the transactions so far."""

    row: UserRow
    customer: str
    history: int = 0

    @property
    def id(self) -> str:
        """The ``users.id`` as text."""
        return self.row.id

    @property
    def email(self) -> str:
        """The address; only for people who have one."""
        return self.row.email or ""


@dataclass(slots=True)
class Case:
    """Builds the rows of one case in the order of time."""

    desk: Desk
    kind: str
    rows: Rows = field(default_factory=Rows)
    draw: Random = field(init=False)
    number: int = field(init=False)
    clock: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.desk.cases += 1
        self.number = self.desk.cases
        self.draw = Random(f"{self.layout.seed} {self.layout.shape} {self.kind} {self.number}")
        self.clock = START + timedelta(microseconds=self.draw.randrange(600 * 86_400_000_000))

    @property
    def layout(self) -> Layout:
        """The layout this case is written in."""
        return self.desk.layout

    def has(self, flag: str) -> bool:
        """Whether the layout has ``flag``."""
        return flag in self.layout.flags

    def word(self, what: str, length: int = 24) -> str:
        """A stable made-up identifier, another one for each ``what``."""
        return self.layout.key(f"case {what}", self.number)[:length]

    def later(self) -> datetime:
        """The next moment of the case, minutes to two days on, with microseconds."""
        self.clock += timedelta(microseconds=60_000_000 + self.draw.randrange(2 * 86_400_000_000))
        return self.clock

    def person(self, *, email: str | None = None, name: str | None = None) -> Person:
        """A new user with a Stripe customer and no credits yet."""
        number = next(self.desk.numbers)
        first, last = FIRST[self.draw.randrange(len(FIRST))], LAST[self.draw.randrange(len(LAST))]
        domain = DOMAINS[self.draw.randrange(len(DOMAINS))]
        customer = f"cus_{self.layout.key('customer', number)[:14]}"
        row = UserRow(
            id=self.layout.user_id(number),
            email=f"{first[1]}.{last[1]}.{number}@{domain}" if email is None else email,
            name=name or f"{first[0]} {last[0]}",
            balance=0,
            customer=customer if self.has("user_customer") else None,
            created_at=self.clock,
        )
        self.rows.users.append(row)
        if self.has("customers"):
            self.name_customer(row.id, customer)
        return Person(row, customer)

    def name_customer(self, ref: str, customer: str | None) -> None:
        """A row of ``stripe_customers``."""
        self.rows.customers.append(CustomerRow(ref, customer, self.clock))

    def regular(self, *, email: str | None = None) -> Person:
        """Someone with an ordinary past: one pack of 500 and a few spends, all in order."""
        person = self.person(email=email)
        self.book(self.pay(person, credits=500, cents=2000), to=person)
        for _ in range(self.draw.randrange(4, 9)):
            self.spend(person)
        return person

    def pay(
        self, person: Person | None, *, ref: str | None = None, raw: Any = ..., **values: Any
    ) -> PaymentRow:
        """A payment of 100 credits for 5.00, under the person's id or ``ref``; ``values`` override columns."""
        self.desk.payments += 1
        number, at = self.desk.payments, self.later()
        user_ref = ref if ref is not None or person is None else person.id
        if raw is ...:
            raw = self.session(user_ref, person)
        row = PaymentRow(
            id=number,
            user_ref=user_ref,
            intent=f"pi_4{self.layout.key('case intent', number)[:23]}",
            session=f"cs_live_b1{self.layout.key('case session', number)}",
            cents=500,
            currency=self.layout.currency,
            credits=100,
            status="CREDITED",
            raw=raw if raw is None or isinstance(raw, str) else json.dumps(raw),
            created_at=at,
            updated_at=at,
        )
        for column, value in values.items():
            setattr(row, column, value)
        self.rows.payments.append(row)
        return row

    def session(self, ref: str | None, person: Person | None) -> dict[str, Any]:
        """What Stripe said of the checkout."""
        raw: dict[str, Any] = {"object": "checkout.session", "client_reference_id": ref}
        if person is not None:
            raw |= {"customer": person.customer, "customer_details": {"email": person.email}}
        return raw

    def book(
        self,
        payment: PaymentRow,
        *,
        to: Person | None,
        delta: int | None = None,
        reason: str = "PURCHASE",
        counted: bool = True,
        ref: str | None = None,
        event: str | None = None,
        in_tables: tuple[str, ...] | None = None,
    ) -> TransactionRow:
        """Book ``payment`` (all its credits unless ``delta``) with its webhook event.

        ``counted`` says whether the user row was changed as well; ``in_tables`` names the dedupe
        tables that know the event (one of the two unless given).
        """
        event = event or self.receive(in_tables)
        user_ref = ref or (to.id if to else payment.user_ref)
        row = self.add(to, payment.credits if delta is None else delta, reason, ref=user_ref, counted=counted)
        row.payment_id, row.intent, row.event = payment.id, payment.intent, event
        return row

    def add(
        self,
        to: Person | None,
        delta: int,
        reason: str,
        *,
        ref: str | None = None,
        counted: bool = True,
        meta: Any = ...,
    ) -> TransactionRow:
        """One transaction; without a person it counts for nobody."""
        self.desk.transactions += 1
        before = to.history if to else 0
        text = meta if meta is None or isinstance(meta, str) else json.dumps({} if meta is ... else meta)
        row = TransactionRow(
            id=self.desk.transactions,
            user_ref=ref if ref is not None or to is None else to.id,
            payment_id=None,
            intent=None,
            admin_action_id=None,
            event=None,
            delta=delta,
            reason=reason,
            meta=text,
            balance_before=before,
            balance_after=before + delta,
            created_at=self.later(),
        )
        self.rows.transactions.append(row)
        if to is not None:
            to.history += delta
            if counted and to.row.balance is not None:
                to.row.balance += delta
        return row

    def spend(self, person: Person, **values: Any) -> TransactionRow:
        """One use of a feature at its price."""
        cost, feature = _SPENDS[self.draw.randrange(3)]
        values.setdefault("meta", {"feature": feature})
        return self.add(person, -cost, feature, **values)

    def grant(self, person: Person, credits_given: int, comment: str) -> TransactionRow:
        """Credits an operator gave, with the admin action where the layout has such a table."""
        row = self.add(person, credits_given, "ADMIN")
        if self.has("admin"):
            self.desk.admin += 1
            action = AdminRow(
                self.desk.admin, "admin@example.com", person.id, credits_given, comment, row.created_at
            )
            self.rows.admin.append(action)
            row.admin_action_id = action.id
        return row

    def receive(
        self, in_tables: tuple[str, ...] | None = None, *, status: str = "completed", error: str | None = None
    ) -> str:
        """A webhook event as the dedupe tables remember it; returns its id."""
        self.desk.events += 1
        number = self.desk.events
        tables = in_tables if in_tables is not None else (("processed",), ("logged",))[number % 3 == 0]
        event = f"evt_3{self.layout.key('case event', number)[:23]}"
        self.rows.events.append(
            EventRow(
                id=number,
                event=event,
                type="checkout.session.completed",
                processed="processed" in tables,
                logged="logged" in tables,
                status=status,
                error=error,
                created_at=self.clock,
            )
        )
        return event

    def enter(self, person: Person, delta: int, reason: str) -> None:
        """A row of the ledger that the page reads."""
        self.desk.ledger += 1
        self.rows.ledger.append(LedgerRow(self.desk.ledger, person.id, delta, reason, None, self.later()))
