"""Values that break readers: odd JSON, odd times, odd words."""

from datetime import UTC, datetime
from typing import Final

from legacy_sample.case import Case
from legacy_sample.kinds.kind import kind

_METADATA: Final = (
    '[1, 2, {"a": []}]',
    '"just a string"',
    "3.50",
    "null",
    "true",
    '{"a": {"b": {"c": [{"d": null}]}}}',
    '{"note": "Grüße 👋", "note": "twice the same key"}',
    None,
)
_NUL: Final = r'{"note": "cut\u0000here"}'
_FUTURE: Final = (
    datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, 1, tzinfo=UTC),
)
_PAST: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(1900, 2, 28, 12, 0, 0, 1, tzinfo=UTC))


def odd_metadata(case: Case) -> None:
    """Transactions whose metadata is a list, a string, a number, null, nested, or NULL.

    Type ``json`` also stores the escape of NUL, which no text function can read.
    """
    person = case.regular()
    for text in _METADATA:
        case.add(person, -5, "job_match", meta=text)
    if case.has("meta_nul"):
        case.add(person, -5, "job_match", meta=_NUL)


def odd_raw_data(case: Case) -> None:
    """Payments whose raw data is a list, a string, a number, null, nested, or NULL."""
    person = case.regular()
    for text in _METADATA:
        case.book(case.pay(person, raw=text), to=person)
    if case.has("raw_nul"):
        case.book(case.pay(person, raw=_NUL), to=person)


def zero_and_odd_times(case: Case) -> None:
    """A change of nothing, a row of 1970 or 1900 and one of the far future."""
    person = case.regular()
    case.add(person, 0, "ADMIN")
    case.spend(person).created_at = _PAST[case.number % 2]
    case.spend(person).created_at = _FUTURE[case.number % 2]
    payment = case.pay(person)
    case.book(payment, to=person)
    payment.created_at = payment.updated_at = _FUTURE[case.number % 2]


def unknown_status(case: Case) -> None:
    """Payment statuses nobody wrote down."""
    person = case.regular()
    for status in ("requires_capture", "???", ""):
        case.pay(person, status=status)


def free_text_reason(case: Case) -> None:
    """Reasons people typed, one of them a long one."""
    person = case.regular()
    case.add(person, 20, "Kulanz wg. Ausfall am 3. März 🎁")
    case.add(person, -5, "migration cleanup ' ; -- \t\\N")
    case.add(person, 5, "see ticket: " + "the customer wrote again and again. " * 150)


KINDS: Final = (
    kind(1, "metadata_not_an_object", odd_metadata, needs="meta"),
    kind(1, "metadata_not_an_object", odd_raw_data, needs="raw"),
    kind(1, "zero_delta past_timestamp future_timestamp", zero_and_odd_times),
    kind(1, "unknown_payment_status", unknown_status, needs="status_text"),
    kind(1, "free_text_reason long_reason", free_text_reason, needs="reason_text"),
)
