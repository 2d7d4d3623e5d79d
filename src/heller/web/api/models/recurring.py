"""Bodies of recurring grants."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from heller.web.api.models.fields import (
    ZONES,
    Credits,
    Currency,
    Instant,
    Metadata,
    Priority,
    Reason,
    Source,
    Step,
    Whole,
)


class PutRecurringGrant(Step):
    """Credits of every period."""

    amount: Credits
    period: Literal["day", "week", "month", "quarter", "year"] = "month"
    rollover: Annotated[
        Whole, Field(description="So many of a period's credits, at most, live on for one more period.")
    ] = 0
    expires: Annotated[
        StrictBool, Field(description="False: what is left at the end of a period stays for good.")
    ] = True
    anchor: Annotated[
        Instant | None, Field(description="An instant at which a period begins (default: the first one's).")
    ] = None
    time_zone: Annotated[
        str,
        Field(pattern=ZONES, description="By whose calendar and clock.", examples=["Europe/Berlin"]),
    ] = "UTC"
    starts_at: Annotated[Instant | None, Field(description="No period begins before (default: now).")] = None
    ends_at: Annotated[Instant | None, Field(description="No period begins then or later.")] = None
    source: Source = "subscription"
    priority: Priority = 100
    cost: Annotated[
        Whole, Field(description="What is paid for one period, in minor units of `currency`.")
    ] = 0
    currency: Currency | None = None
    reason: Annotated[Reason | None, Field(description="Of the transactions (default: the name).")] = None
    metadata: Metadata | None = None
