"""Bodies about buying, and about links and tokens for a customer's own pages."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from heller.ledger.operations import DEFAULT_UNIT
from heller.web.api.models.fields import PRINTABLE, UNITS, Body, Credits, Metadata, Name, Whole, WithUnit


class AddPrice(Body):
    """Something to buy: so many credits for so much money."""

    price: Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)]
    product: Name
    pack: Name
    credits: Credits
    currency: Annotated[str, Field(pattern="^[A-Za-z]{3}$", examples=["eur"])]
    amount: Annotated[Whole, Field(description="In minor units.", examples=[990])]
    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT
    period: Annotated[
        Literal["day", "week", "month", "year"] | None, Field(description="A subscription's.")
    ] = None
    carry: Annotated[
        Literal["expire", "roll_over"] | None, Field(description="What becomes of a period's rest.")
    ] = None
    valid_days: Annotated[int | None, Field(strict=True, ge=1, le=36_500)] = None
    stripe_price: Name | None = None
    metadata: Metadata | None = None


class BuyItem(Body):
    """One line of a purchase."""

    price: Name
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 1


Url = Annotated[str, Field(max_length=2_000, pattern=r"^https?://[^\s\x00-\x1f]+$")]


class Checkout(WithUnit):
    """A purchase to start."""

    items: Annotated[list[BuyItem], Field(min_length=1, max_length=20)]
    success_url: Annotated[
        Url, Field(description="Where the buyer comes back to; `session_id=...` is added.")
    ]
    cancel_url: Url
    save_card: Annotated[StrictBool, Field(description="Keep the payment method for automatic top-ups.")] = (
        False
    )
    metadata: Metadata | None = None


class OpenPortal(Body):
    """A link that signs one user into the portal, once."""

    user: Name
    path: Annotated[str, Field(pattern=r"^/portal(/[A-Za-z0-9/_-]*)?$", max_length=200)] = "/portal"
    seconds: Annotated[int, Field(strict=True, ge=1, le=3_600, description="How long the link works.")] = 300


class MakeWidgetToken(Body):
    """A token for the balance widget of one account."""

    account: Name
    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT
    seconds: Annotated[
        int, Field(strict=True, ge=60, le=2_592_000, description="How long the token works.")
    ] = 86_400
