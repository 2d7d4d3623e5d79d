"""Bodies of what is around an account: members, alerts, automatic top-ups."""

from typing import Annotated, Literal

from pydantic import Field

from heller.web.api.models.fields import (
    BIGINT_MAX,
    INT_MAX,
    AllowPartial,
    Change,
    Credits,
    EffectiveAt,
    Name,
    Number,
    Rest,
    Whole,
    WithUnit,
)


class PutMember(WithUnit):
    """What a member of a team may spend."""

    cap: Annotated[Whole | None, Field(description="Credits per period; null is no cap.")] = None
    period: Literal["day", "week", "month", "year", "ever"] = "month"


class SpendAs(Change):
    """A member spends."""

    amount: Credits
    allow_partial: AllowPartial = False
    min_available_after: Rest = None
    effective_at: EffectiveAt = None


class PutAlert(WithUnit):
    """When to be told again."""

    rearm_at: Annotated[
        int | None, Field(strict=True, ge=-BIGINT_MAX, le=BIGINT_MAX, description="At least the threshold.")
    ] = None


class PutTopUpRule(WithUnit):
    """When an account buys credits by itself."""

    threshold: Annotated[Credits, Field(description="Below this many available credits.")]
    price: Name
    quantity: Annotated[int, Field(strict=True, ge=1, le=INT_MAX)] = 1
    ceiling: Annotated[
        Number | None, Field(description="The most money in `ceiling_days`, in minor units.")
    ] = None
    ceiling_days: Annotated[int, Field(strict=True, ge=1, le=3_650)] = 30
    cooldown_seconds: Annotated[int, Field(strict=True, ge=0, le=INT_MAX)] = 300
    failures_max: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 3
