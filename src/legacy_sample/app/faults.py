"""How the legacy system lost credits, each behind a switch that is off: regression cases one can start and watch."""

from enum import StrEnum

from legacy_sample.model import LegacySampleError


class Fault(StrEnum):
    """One defect as it was found in the old code; the value names the switch."""

    ROLLBACK_CASCADE = "rollback_cascade"
    """A helper rolls back and commits inside the webhook's own transaction: the dedupe row vanishes, the next statement fails."""
    TEXT_ID = "text_id"
    """``where id = :user_id`` with text against an integer column: an error on each webhook."""
    NULL_MATCH = "null_match"
    """The payment is looked up by an intent that may be NULL: another user's open payment is found."""
    FULL_REFUND = "full_refund"
    """A partial refund takes back all credits, and each event type of one refund takes them again."""
    LATE_SUCCEEDED = "late_succeeded"
    """A "succeeded" that comes after the refund, or a second time, credits again."""
    EURO_ONLY = "euro_only"
    """Purchases that are not in EUR are acknowledged and dropped."""
    ERRORS_ARE_200 = "errors_are_200"
    """Errors of the webhook are answered with 200, so they are never sent again."""
    NAME_MATCH = "name_match"
    """A buyer who is not found by id is looked up by a piece of the name: the wrong person is credited."""
    ZERO_ON_ERROR = "zero_on_error"
    """Reading the balance turns every error into 0."""


def faults_of(text: str) -> frozenset[Fault]:
    """Names separated by commas; ``all`` for all. Raises LegacySampleError for a name that is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return frozenset(Fault)
    try:
        return frozenset(Fault(name) for name in names)
    except ValueError as error:
        raise LegacySampleError(f"{error}", f"Known faults are {', '.join(Fault)}, or all.") from error
