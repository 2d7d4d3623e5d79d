"""Payments and balances that went wrong: the legacy system's own ways of losing and making credits."""

from typing import Final

from legacy_sample.case import Case, Person
from legacy_sample.kinds.kind import kind


def booked_twice(case: Case) -> None:
    """The reconciler credited a payment that had its transaction already; both were counted."""
    person = case.regular()
    payment = case.pay(person, status="PAID")
    case.book(payment, to=person)
    case.book(payment, to=person)
    case.spend(person)


def booked_twice_counted_once(case: Case) -> None:
    """Two bookings of one payment, of which the balance saw one."""
    person = case.regular()
    payment = case.pay(person)
    case.book(payment, to=person)
    case.book(payment, to=person, counted=False)


def credited_after_refund(case: Case) -> None:
    """A late "succeeded" after the refund credited again."""
    person = case.regular()
    payment = case.pay(person)
    case.book(payment, to=person)
    case.book(payment, to=person, delta=-payment.credits, reason="REFUND")
    case.book(payment, to=person)


def paid_not_credited(case: Case) -> None:
    """The helper rolled back inside the webhook's transaction: paid, and nothing else."""
    person = case.regular()
    case.pay(person, status="PAID")


def webhook_failed(case: Case) -> None:
    """Text compared with an integer column: an error on each delivery, so nobody was credited."""
    person = case.regular()
    case.pay(person, status="PAID", credits=500, cents=2000)
    error = "operator does not exist: integer = character varying"
    case.receive(("logged",), status="failed", error=error)


def refund_taken_thrice(case: Case) -> None:
    """One refund came as three event types, and each took the credits back."""
    person = case.regular()
    payment = case.pay(person, status="REFUNDED")
    case.book(payment, to=person)
    for _ in range(3):
        case.book(payment, to=person, delta=-payment.credits, reason="REFUND")


def refund_not_taken(case: Case) -> None:
    """Refunded, and the credits are still there."""
    person = case.regular()
    case.book(case.pay(person, status="REFUNDED"), to=person)


def chargeback_not_taken(case: Case) -> None:
    """Charged back, and the credits are still there."""
    person = case.regular()
    case.book(case.pay(person, status="CHARGEBACK"), to=person)


def partial_refund_taken_in_full(case: Case) -> None:
    """Half of the money went back and all of the credits."""
    person = case.regular()
    raw = case.session(person.id, person) | {"amount": 500, "amount_refunded": 250}
    payment = case.pay(person, raw=raw)
    case.book(payment, to=person)
    case.book(payment, to=person, delta=-payment.credits, reason="REFUND")


def balance_from_nowhere(case: Case) -> None:
    """A balance and not one transaction."""
    case.person().row.balance = 200


def balance_above_history(case: Case) -> None:
    """As in the live export: more in the user row than any record explains."""
    person = case.regular()
    person.row.balance = person.history + 100


def balance_below_history(case: Case) -> None:
    """Less in the user row than the records say."""
    person = case.regular()
    person.row.balance = person.history - 50


def counted_twice(case: Case) -> None:
    """The code and the trigger both added each delta."""
    person = case.regular()
    case.grant(person, 100, "Bonus")
    person.row.balance = 2 * person.history


def overdrawn(case: Case) -> None:
    """Two spends at once, both allowed: a negative balance that the history explains."""
    person = case.person()
    case.book(case.pay(person, credits=50, cents=499), to=person)
    for _ in range(12):
        case.spend(person)


def overdrawn_from_nowhere(case: Case) -> None:
    """A negative balance without a record."""
    case.person().row.balance = -35


def null_balance(case: Case) -> None:
    """NULL in the user row of someone with a history."""
    case.regular().row.balance = None


def null_balance_of_newcomer(case: Case) -> None:
    """NULL in the user row of someone without any."""
    case.person().row.balance = None


def _faithful_buyer(case: Case) -> Person:
    """Two purchases in the house currency, so that it is the most frequent one however small the database."""
    person = case.regular()
    case.book(case.pay(person), to=person)
    return person


def foreign_dropped(case: Case) -> None:
    """A purchase in another currency was acknowledged and dropped."""
    person = _faithful_buyer(case)
    case.pay(person, status="PAID", currency="CHF" if case.number % 2 else "GBP", cents=650)


def foreign_credited(case: Case) -> None:
    """A purchase in another currency that was credited all the same."""
    person = _faithful_buyer(case)
    case.book(case.pay(person, currency="JPY", cents=900), to=person)


def credits_unknown(case: Case) -> None:
    """Paid, not booked, and no number of credits: it can only be estimated from the amount."""
    person = case.regular()
    case.pay(person, status="PAID", credits=0, cents=(500, 3500, 999)[case.number % 3])


def ledger_contradicts(case: Case) -> None:
    """The ledger that the page sums says something else than the user row."""
    person = case.regular()
    case.enter(person, 500, "purchase:price_medium")
    case.enter(person, -10_000, "usage")


def event_twice(case: Case) -> None:
    """Each dedupe table let the same event through once."""
    person = case.regular()
    payment = case.pay(person)
    event = case.receive(("processed", "logged"))
    case.book(payment, to=person, event=event)
    second = case.book(payment, to=person, event=event)
    if case.has("event_unique"):
        second.event = None


def booked_to_another(case: Case) -> None:
    """A lookup by name pattern (or by ``NULL or session``) credited the wrong person."""
    buyer, lucky = case.regular(), case.regular()
    case.book(case.pay(buyer), to=lucky)


def purchase_without_payment(case: Case) -> None:
    """The payment was deleted; the purchase remains with a payment id of NULL."""
    person = case.regular()
    case.add(person, 100, "PURCHASE")


def payment_without_reference(case: Case) -> None:
    """Credited, and neither payment intent nor checkout session are known."""
    person = case.regular()
    case.book(case.pay(person, intent=None, session=None), to=person)


def payment_twice(case: Case) -> None:
    """Two payment rows of one payment intent, each booked."""
    person = case.regular()
    first = case.pay(person)
    case.book(first, to=person)
    case.book(case.pay(person, intent=first.intent), to=person)


_TWICE: Final = "payment_booked_twice"
KINDS: Final = (
    kind(1, _TWICE, booked_twice),
    kind(1, f"{_TWICE} history_differs_from_balance", booked_twice_counted_once),
    kind(1, _TWICE, credited_after_refund),
    kind(1, "payment_without_transaction", paid_not_credited),
    kind(1, "payment_without_transaction", webhook_failed, needs="stripe_events"),
    kind(1, "refund_taken_twice", refund_taken_thrice),
    kind(1, "refund_not_taken", refund_not_taken),
    kind(1, "refund_not_taken", chargeback_not_taken),
    kind(1, "partial_refund_taken_in_full", partial_refund_taken_in_full, needs="raw"),
    kind(1, "balance_without_history", balance_from_nowhere),
    kind(1, "history_differs_from_balance", balance_above_history),
    kind(1, "history_differs_from_balance", balance_below_history),
    kind(1, "history_differs_from_balance", counted_twice),
    kind(1, "negative_balance", overdrawn),
    kind(1, "negative_balance balance_without_history", overdrawn_from_nowhere),
    kind(1, "null_balance", null_balance, needs="null_balance"),
    kind(1, "null_balance", null_balance_of_newcomer, needs="null_balance"),
    kind(1, "foreign_currency payment_without_transaction", foreign_dropped, needs="currency"),
    kind(1, "foreign_currency", foreign_credited, needs="currency"),
    kind(1, "estimated_credits payment_without_transaction", credits_unknown),
    kind(1, "ledger_differs_from_balance", ledger_contradicts, needs="ledger_filled"),
    kind(1, f"duplicate_event {_TWICE}", event_twice, needs="events_can_repeat"),
    kind(2, "booked_to_another_user", booked_to_another),
    kind(1, "purchase_without_payment", purchase_without_payment),
    kind(1, "payment_without_reference", payment_without_reference),
    kind(1, "duplicate_payment", payment_twice, needs="payment_link", never="unique_payments"),
)
