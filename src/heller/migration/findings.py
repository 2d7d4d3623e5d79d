"""What an audit can find: code, level, the sentence for a founder, and the choices where one is needed.

The rows of each code come from ``sql/findings/CODE.sql``: key, account, credits, detail.
"""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["blocker", "warning", "note"]
UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One code. ``one`` and ``many`` are the sentence for a single row and for several.

    ``choices`` explains each choice, the recommended one first; without choices nothing is asked.
    ``to_user`` says that ``user:<id>`` is a choice as well. ``per`` names what a row's key is.
    """

    code: str
    level: Level
    one: str
    many: str
    choices: dict[str, str] = field(default_factory=dict)
    to_user: bool = False
    per: str = "row"
    from_rows: bool = True

    @property
    def recommended(self) -> str:
        """The choice that ``--decide recommended`` takes."""
        return next(iter(self.choices), "")

    def sentence(self, count: int, total: int) -> str:
        """The finding in plain words with its numbers."""
        text = self.one if count == 1 else self.many
        return text.format(n=f"{count:,}", credits=f"{total:,}", absolute=f"{abs(total):,}")


_LEAVE = "change nothing: the balance stays what the source says"

FINDINGS: tuple[FindingKind, ...] = (
    FindingKind(
        "unknown_user", "blocker",
        "Rows worth {credits} credits belong to a user id that matches nobody.",
        "Rows worth {credits} credits belong to {n} user ids that match nobody.",
        {
            "hold": "keep the credits on an account of their own, unclaimed:<id>, until their owner turns up",
            "skip": "leave these rows out; they stay listed as quarantined",
        },
        to_user=True, per="user id as the rows write it",
    ),
    FindingKind(
        "ambiguous_user", "blocker",
        "Rows worth {credits} credits name a user by something that several users share.",
        "Rows worth {credits} credits name users by {n} names that several users share.",
        {
            "hold": "keep the credits on an account of their own, unclaimed:<name>, until someone says whose they are",
            "skip": "leave these rows out; they stay listed as quarantined",
        },
        to_user=True, per="name as the rows write it",
    ),
    FindingKind(
        "null_balance", "blocker",
        "One user's balance is empty or no number; the history says {credits} credits.",
        "{n} users' balances are empty or no number; their history says {credits} credits.",
        {
            "history": "the balance is what the transactions add up to",
            "zero": "the balance is 0",
        },
        per="user id",
    ),
    FindingKind(
        "fractional_balance", "blocker",
        "One user's balance holds a fraction of a credit. If credits have decimals, give the mapping a scale instead of rounding.",
        "{n} users' balances hold fractions of a credit. If credits have decimals, give the mapping a scale instead of rounding.",
        {"up": "round it up to the next whole credit; the opening difference says by how much"},
        per="user id",
    ),
    FindingKind(
        "negative_balance", "blocker",
        "One user owes {absolute} credits.",
        "{n} users owe {absolute} credits together.",
        {
            "keep": "carry the debt over; the next purchase pays it first",
            "forgive": "give the credits that bring the balance up to 0, as a transaction of its own",
        },
        per="user id",
    ),
    FindingKind(
        "payment_without_transaction", "warning",
        "One payment was paid but no transaction ever booked its {credits} credits.",
        "{n} payments were paid but no transaction ever booked their {credits} credits.",
        {
            "leave": _LEAVE + " (it may hold these credits already)",
            "credit": "book the purchase now, on top of the balance",
        },
        per="payment id",
    ),
    FindingKind(
        "payment_booked_twice", "warning",
        "One payment was booked more than once: {credits} credits too many.",
        "{n} payments were booked more than once: {credits} credits too many.",
        {
            "leave": _LEAVE,
            "take_back": "take the credits of the further bookings back, below the balance",
        },
        per="payment id",
    ),
    FindingKind(
        "refund_taken_twice", "warning",
        "For one payment more credits were taken back than it brought: {credits} too many.",
        "For {n} payments more credits were taken back than they brought: {credits} too many.",
        {
            "leave": _LEAVE,
            "give_back": "give back what was taken beyond the payment, on top of the balance",
        },
        per="payment id",
    ),
    FindingKind(
        "refund_not_taken", "warning",
        "One payment was refunded or charged back but its {credits} credits were never taken.",
        "{n} payments were refunded or charged back but their {credits} credits were never taken.",
        {
            "leave": _LEAVE,
            "take_back": "take the credits back now, below the balance",
        },
        per="payment id",
    ),
    FindingKind(
        "ghost_user", "warning",
        "One user was made up for a payment whose buyer was not found; {credits} credits are stranded there.",
        "{n} users were made up for payments whose buyers were not found; {credits} credits are stranded there.",
        {"keep": "carry the made-up user over as it is; its credits can be transferred later"},
        to_user=True, per="user id of the made-up user",
    ),
    FindingKind(
        "duplicate_email", "warning",
        "One e-mail address belongs to several users; they stay separate.",
        "{n} e-mail addresses belong to several users each; they stay separate.",
    ),
    FindingKind(
        "duplicate_stripe_customer", "warning",
        "One user has several Stripe customers, or shares one with another user.",
        "{n} users have several Stripe customers each, or share one with another user.",
    ),
    FindingKind(
        "duplicate_event", "warning",
        "One Stripe event was booked by several rows: {credits} credits more than once.",
        "{n} Stripe events were booked by several rows each: {credits} credits more than once.",
    ),
    FindingKind(
        "balance_without_history", "warning",
        "One user has {credits} credits and not a single row that says where they came from.",
        "{n} users have {credits} credits and not a single row that says where they came from.",
    ),
    FindingKind(
        "history_differs_from_balance", "warning",
        "One user's transactions do not add up to the balance; the difference is {credits} credits.",
        "{n} users' transactions do not add up to their balances; the differences come to {credits} credits.",
    ),
    FindingKind(
        "ledger_differs_from_balance", "warning",
        "One user's credit_ledger does not add up to the balance; the difference is {credits} credits.",
        "{n} users' credit_ledger rows do not add up to their balances; the differences come to {credits} credits.",
    ),
    FindingKind(
        "booked_to_another_user", "warning",
        "One payment of one user was booked for another: {credits} credits.",
        "{n} payments of one user were booked for another: {credits} credits.",
    ),
    FindingKind(
        "partial_refund_taken_in_full", "warning",
        "For one payment part of the money went back, but {credits} credits more than that part were taken.",
        "For {n} payments part of the money went back, but {credits} credits more than that part were taken.",
    ),
    FindingKind(
        "orphan_transaction", "warning",
        "One transaction ({credits} credits) belongs to nobody we know.",
        "{n} transactions ({credits} credits) belong to nobody we know.",
    ),
    FindingKind(
        "orphan_payment", "warning",
        "One payment ({credits} credits) belongs to nobody we know.",
        "{n} payments ({credits} credits) belong to nobody we know.",
    ),
    FindingKind(
        "missing_payment", "warning",
        "One transaction ({credits} credits) points at a payment that is not there.",
        "{n} transactions ({credits} credits) point at payments that are not there.",
    ),
    FindingKind(
        "purchase_without_payment", "warning",
        "One purchase of {credits} credits is in the history without its payment.",
        "{n} purchases of {credits} credits are in the history without their payments.",
    ),
    FindingKind(
        "estimated_credits", "warning",
        "For one paid payment nothing says how many credits it bought; {credits} is an estimate from its price.",
        "For {n} paid payments nothing says how many credits they bought; {credits} is an estimate from their prices.",
    ),
    FindingKind(
        "unreadable_amount", "warning",
        "One payment's amount is no whole number of cents and stays behind. If amounts have decimals (4.99), give the mapping a scale for amount: without it whole ones (5.00) are read as cents.",
        "{n} payments' amounts are no whole numbers of cents and stay behind. If amounts have decimals (4.99), give the mapping a scale for amount: without it whole ones (5.00) are read as cents.",
    ),
    FindingKind(
        "duplicate_payment", "warning",
        "One Stripe id stands on several payments.",
        "{n} Stripe ids stand on several payments each.",
    ),
    FindingKind(
        "payment_without_reference", "warning",
        "One paid payment carries no Stripe id, so a repeated notice of it could not be recognised.",
        "{n} paid payments carry no Stripe id, so repeated notices of them could not be recognised.",
    ),
    FindingKind(
        "unreadable_row", "warning",
        "One row cannot be carried over; it is listed with its reason.",
        "{n} rows cannot be carried over; they are listed with their reasons.",
    ),
    FindingKind(
        "double_counting_trigger", "warning",
        "A trigger adds each transaction to the balance and the application does the same: one balance is exactly twice its history, {credits} credits too high.",
        "A trigger adds each transaction to the balance and the application does the same: {n} balances are exactly twice their history, {credits} credits too high together.",
    ),
    FindingKind(
        "unknown_payment_status", "warning",
        "One payment has a status nobody wrote down; it is kept as open.",
        "{n} payments have a status nobody wrote down; they are kept as open.",
    ),
    FindingKind(
        "blank_email", "note",
        "One user has no e-mail address.",
        "{n} users have no e-mail address.",
    ),
    FindingKind(
        "several_ids", "note",
        "One person is written under several ids; it is one account now.",
        "{n} people are written under several ids each; each is one account now.",
    ),
    FindingKind(
        "zero_delta", "note",
        "One row moved no credits and stays behind.",
        "{n} rows moved no credits and stay behind.",
    ),
    FindingKind(
        "event_failed", "note",
        "One Stripe event was never finished by the old system.",
        "{n} Stripe events were never finished by the old system.",
    ),
    FindingKind(
        "foreign_currency", "note",
        "One payment is in another currency than the others; systems that know one currency drop such purchases.",
        "{n} payments are in other currencies than the rest; systems that know one currency drop such purchases.",
    ),
    FindingKind(
        "metadata_not_an_object", "note",
        "One row's extra data is not a JSON object; it is kept as it is.",
        "{n} rows' extra data is not a JSON object; it is kept as it is.",
    ),
    FindingKind(
        "metadata_nul_escape", "note",
        "One row's extra data cannot be read as JSON; it is kept as text.",
        "{n} rows' extra data cannot be read as JSON; it is kept as text.",
    ),
    FindingKind(
        "future_timestamp", "note",
        "One row is dated in the future.",
        "{n} rows are dated in the future.",
    ),
    FindingKind(
        "past_timestamp", "note",
        "One row is dated before 1971.",
        "{n} rows are dated before 1971.",
    ),
    FindingKind(
        "missing_timestamp", "note",
        "One row does not say when it happened; it is placed at the time of the migration.",
        "{n} rows do not say when they happened; they are placed at the time of the migration.",
    ),
    FindingKind(
        "free_text_reason", "note",
        "One reason was typed by a person; it is copied word for word.",
        "{n} reasons were typed by people; they are copied word for word.",
    ),
    FindingKind(
        "long_reason", "note",
        "One reason is longer than 1,000 characters; it is copied whole.",
        "{n} reasons are longer than 1,000 characters; they are copied whole.",
    ),
    FindingKind(
        "naive_timestamps", "note",
        "One column of times does not say which time zone it means; it is read as the mapping's time_zone, UTC where it gives none.",
        "{n} columns of times do not say which time zone they mean; they are read as the mapping's time_zone, UTC where it gives none.",
        per="column", from_rows=False,
    ),
)  # fmt: skip

FINDING = {kind.code: kind for kind in FINDINGS}
