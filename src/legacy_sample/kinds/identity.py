"""People known by several names, by none, by somebody else's, and people who never were."""

from typing import Final

from legacy_sample.case import Case, Person
from legacy_sample.kinds.kind import kind


def _live_under(case: Case, person: Person, name: str) -> None:
    """A purchase and a spend written under another name of the person, and counted."""
    case.book(case.pay(person, ref=name), to=person, ref=name)
    case.spend(person, ref=name)


def session_uuid(case: Case) -> None:
    """Rows under a session library's uuid, which shares a Stripe customer with the user's own payment."""
    person = case.regular()
    digits = case.word("uuid", 32)
    name = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
    case.rows.customers = [row for row in case.rows.customers if row.user_ref != person.id]
    case.name_customer(name, person.customer)
    payment = case.pay(None, ref=name, raw={"object": "payment_intent", "metadata": {}})
    case.book(payment, to=person, ref=name)
    case.spend(person, ref=name)


def email_as_id(case: Case) -> None:
    """Rows under the e-mail address, spelled with capitals."""
    person = case.regular()
    _live_under(case, person, person.email.title())


def clerk_id(case: Case) -> None:
    """Rows under an identity provider's ``user_...``; the payment's raw data tells the e-mail."""
    person = case.regular()
    name = f"user_2{case.word('clerk', 26)}"
    raw = {
        "object": "checkout.session",
        "customer_details": {"email": person.email},
        "metadata": {"user_id": name},
    }
    case.book(case.pay(None, ref=name, raw=raw), to=person, ref=name)
    case.spend(person, ref=name)


def auth0_id(case: Case) -> None:
    """Rows under ``auth0|...``; the checkout session carries the user's own id."""
    person = case.regular()
    name = f"auth0|{case.word('auth0', 24)}"
    raw = {"object": "checkout.session", "client_reference_id": person.id}
    case.book(case.pay(None, ref=name, raw=raw), to=person, ref=name)
    case.spend(person, ref=name)


def customer_links_names(case: Case) -> None:
    """Rows under a name that ``stripe_customers`` ties to the customer in the user row."""
    person = case.regular()
    name = f"user_3{case.word('clerk', 26)}"
    case.rows.customers = [row for row in case.rows.customers if row.user_ref != person.id]
    case.name_customer(name, person.customer)
    case.book(case.pay(None, ref=name, raw={}), to=person, ref=name)


def nobody_bought(case: Case) -> None:
    """A credited payment of a ``user_...`` that nothing ties to a user."""
    name = f"user_4{case.word('clerk', 26)}"
    case.book(case.pay(None, ref=name), to=None)


def nobody_paid(case: Case) -> None:
    """A payment of nobody that was never credited: an orphan."""
    case.pay(None, ref=f"guest_{case.word('guest', 12)}", status="PAID")


def nobody_spent(case: Case) -> None:
    """Spends of an ``auth0|...`` that nothing ties to a user."""
    name = f"auth0|{case.word('auth0', 24)}"
    for cost in (10, 5):
        case.add(None, -cost, "job_match" if cost == 5 else "resume_analysis", ref=name)  # noqa: PLR2004 the price of a match


def deleted_user(case: Case) -> None:
    """Rows of a user id that is no longer there."""
    name = case.layout.user_id(case.desk.users + 1000 + case.number)
    case.book(case.pay(None, ref=name), to=None)
    case.add(None, -10, "resume_analysis", ref=name)


def name_of_two(case: Case) -> None:
    """One ``user_...`` whose payments tell the e-mails of two different users."""
    one, other = case.regular(), case.regular()
    name = f"user_5{case.word('clerk', 26)}"
    for person in (one, other):
        raw = {"object": "checkout.session", "customer_details": {"email": person.email}}
        case.book(case.pay(None, ref=name, raw=raw), to=None)


def email_of_two(case: Case) -> None:
    """Two users whose addresses differ in case, and rows under a third spelling."""
    one = case.regular()
    case.regular(email=one.email.title())
    case.book(case.pay(None, ref=one.email.upper()), to=None)


def transaction_of_null(case: Case) -> None:
    """A transaction without a user id."""
    case.add(None, 25, "ADMIN")


def payment_of_null(case: Case) -> None:
    """A paid payment without a user id."""
    case.pay(None, status="PAID")


def ghost_beside_buyer(case: Case) -> None:
    """A buyer under a new id was not found: a ghost user was made and has the paid credits."""
    buyer = case.regular()
    lost = f"user_6{case.word('clerk', 26)}"[:20]
    ghost = case.person(email=f"emergency_{lost}@temp.com", name=f"Emergency User {lost[:8]}")
    raw = {
        "object": "checkout.session",
        "customer_details": {"email": buyer.email},
        "metadata": {"user_id": lost},
    }
    case.book(case.pay(ghost, credits=500, cents=2000, raw=raw), to=ghost)


def ghost_of_nobody(case: Case) -> None:
    """A ghost user with paid credits, and nothing that says whose they are."""
    lost = case.word("ghost", 20)
    ghost = case.person(email=f"emergency_{lost}@temp.com", name=f"Emergency User {lost[:8]}")
    case.book(case.pay(ghost, raw={"object": "payment_intent"}), to=ghost)


def emails_differ_in_case(case: Case) -> None:
    """One person with two user rows."""
    one = case.regular()
    case.regular(email=one.email.title())


def two_customers(case: Case) -> None:
    """One person with two Stripe customers, one under the id and one under the e-mail."""
    person = case.regular()
    case.name_customer(person.email, f"cus_{case.word('customer', 14)}")


def shared_customer(case: Case) -> None:
    """Two user rows with the same Stripe customer."""
    one, other = case.regular(), case.regular()
    other.row.customer = one.row.customer


def blank_email(case: Case) -> None:
    """A user whose address is blank (or NULL, where the column allows it)."""
    person = case.regular()
    person.row.email = None if case.has("null_balance") and case.number % 2 else " " * (case.number % 50)


KINDS: Final = (
    kind(1, "several_ids", session_uuid, needs="loose_text customers raw"),
    kind(1, "several_ids", email_as_id, needs="loose_text"),
    kind(1, "several_ids", clerk_id, needs="loose_text raw"),
    kind(1, "several_ids", auth0_id, needs="loose_text raw"),
    kind(1, "several_ids", customer_links_names, needs="loose_text customers user_customer"),
    kind(0, "unknown_user orphan_payment orphan_transaction", nobody_bought, needs="loose_text"),
    kind(0, "unknown_user orphan_payment payment_without_transaction", nobody_paid, needs="loose_text"),
    kind(0, "unknown_user orphan_transaction", nobody_spent, needs="loose_text"),
    kind(0, "unknown_user orphan_payment orphan_transaction", deleted_user, needs="loose"),
    kind(2, "ambiguous_user", name_of_two, needs="loose_text raw"),
    kind(2, "ambiguous_user duplicate_email", email_of_two, needs="loose_text"),
    kind(0, "orphan_transaction", transaction_of_null, needs="null_transaction_user"),
    kind(0, "orphan_payment payment_without_transaction", payment_of_null, needs="null_payment_user"),
    kind(2, "ghost_user", ghost_beside_buyer),
    kind(1, "ghost_user", ghost_of_nobody),
    kind(2, "duplicate_email", emails_differ_in_case),
    kind(1, "duplicate_stripe_customer", two_customers, needs="customers"),
    kind(2, "duplicate_stripe_customer", shared_customer, needs="shared_customer"),
    kind(1, "blank_email", blank_email, most=3),
)
