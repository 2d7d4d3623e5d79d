"""Bodies of the verbs about holds."""

from typing import Annotated

from pydantic import Field, StrictBool

from heller.ledger.operations import DEFAULT_HOLD_SECONDS
from heller.web.api.models.fields import (
    AllowPartial,
    Change,
    Credits,
    EffectiveAt,
    Rest,
    Seconds,
    Step,
    Whole,
)


class PlaceHold(Change):
    """Reserve credits."""

    amount: Credits
    seconds: Annotated[Seconds, Field(description="How long.")] = DEFAULT_HOLD_SECONDS
    overrun_limit: Annotated[Whole, Field(description="How much more a capture may take.")] = 0
    allow_partial: AllowPartial = False
    min_available_after: Rest = None


class Capture(Change):
    """Spend held credits; without an amount all that is left."""

    amount: Credits | None = None
    final: Annotated[StrictBool, Field(description="false: the hold stays open for more.")] = True
    effective_at: EffectiveAt = None


class Renew(Step):
    """Make a hold last at least so long from now."""

    seconds: Seconds = DEFAULT_HOLD_SECONDS


class Release(Step):
    """End a hold without spending."""
