"""Bodies of the verbs that change credits."""

from typing import Annotated, Literal

from pydantic import Field

from heller.web.api.models.fields import (
    AllowPartial,
    Change,
    Credits,
    Currency,
    EffectiveAt,
    Instant,
    Name,
    Number,
    Priority,
    Reason,
    Rest,
    Signed,
    Source,
    Whole,
)


class Spend(Change):
    """Credits taken for something."""

    amount: Credits
    allow_partial: AllowPartial = False
    min_available_after: Rest = None
    effective_at: EffectiveAt = None


class GiveCredits(Change):
    """Credits given."""

    amount: Credits
    source: Source = "promotion"
    priority: Priority = 100
    available_at: Annotated[
        Instant | None, Field(description="From when they count; ahead: a scheduled grant.")
    ] = None
    expires_at: Annotated[Instant | None, Field(description="When the rest is forfeited.")] = None
    cost: Annotated[
        Whole, Field(description="What was paid for all of them, in minor units of `currency`.")
    ] = 0
    currency: Currency | None = None
    payment: Annotated[Name | None, Field(description="The key of the payment that bought them.")] = None
    effective_at: EffectiveAt = None


class Void(Change):
    """Take back the unused rest of a grant."""

    effective_at: EffectiveAt = None


class Refund(Change):
    """Undo a spend; without an amount wholly."""

    seq: Annotated[Number, Field(description="The spend.")]
    amount: Credits | None = None
    effective_at: EffectiveAt = None


class Reverse(Change):
    """Undo what is left of any transaction."""

    seq: Annotated[Number, Field(description="The transaction.")]
    policy: Annotated[
        Literal["refuse", "debt"], Field(description="debt: what was used since becomes debt.")
    ] = "refuse"
    effective_at: EffectiveAt = None


class Adjust(Change):
    """Correct a balance by hand."""

    amount: Signed
    reason: Annotated[Reason, Field(min_length=1)]
    policy: Annotated[
        Literal["refuse", "debt"], Field(description="debt: the balance may go below zero.")
    ] = "refuse"
    effective_at: EffectiveAt = None


class Transfer(Change):
    """Move credits to another account."""

    to: Name
    amount: Credits
    allow_partial: AllowPartial = False
    min_available_after: Rest = None
    effective_at: EffectiveAt = None


class Clawback(Change):
    """A payment was taken back."""

    amount: Credits
    payment: Name | None = None
    policy: Annotated[
        Literal["debt", "clamp", "grant"],
        Field(
            description="debt: what was spent becomes debt; clamp: never below what is free; grant: only that purchase's rest."
        ),
    ] = "debt"
    effective_at: EffectiveAt = None


class Reinstate(Change):
    """Undo a clawback."""

    seq: Annotated[Number, Field(description="The clawback.")]
    amount: Credits | None = None
    effective_at: EffectiveAt = None
