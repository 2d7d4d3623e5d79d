"""What requests carry. Unknown fields are refused, numbers are whole numbers, instants have a zone."""

import re
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
)

from heller.ledger.operations import DEFAULT_HOLD_SECONDS, DEFAULT_UNIT, OPERATIONS_MAX
from heller.web.security import SLASH

BIGINT_MAX = 2**63 - 1
INT_MAX = 2**31 - 1
PAGE_DEFAULT = 100
PAGE_MAX = 1_000
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_DATED = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")  # else 0.5 and 20260131 would be seconds since 1970
UNITS = r"^[^\x00-\x1f\x7f]{1,40}$"


def _instant(value: Any) -> Any:
    if not isinstance(value, str) or not _DATED.match(value):
        raise ValueError("an instant is text such as 2026-01-31T12:00:00Z")  # pydantic wants ValueError
    return value


def _slashes(value: Any) -> Any:
    return value.replace(SLASH, "/") if isinstance(value, str) else value


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("contains a NUL character")
    return value


Credits = Annotated[int, Field(strict=True, ge=1, le=BIGINT_MAX, examples=[10], description="Whole credits.")]
Whole = Annotated[int, Field(strict=True, ge=0, le=BIGINT_MAX)]
Number = Annotated[int, Field(strict=True, ge=1, le=BIGINT_MAX)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=INT_MAX)]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant), Field(examples=["2026-12-31T23:59:59Z"])]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE)]
Reason = Annotated[
    str,
    AfterValidator(_no_nul),
    Field(max_length=2000, examples=["job analysis"], description="Why; kept for ever."),
]
Signed = Annotated[
    int,
    Field(
        strict=True,
        ge=-BIGINT_MAX,
        le=BIGINT_MAX,
        examples=[-50],
        description="Whole credits, up or down, not 0.",
    ),
]
Metadata = Annotated[
    dict[str, JsonValue], Field(description="Up to 16 kB of your own JSON.", examples=[{"job": "42"}])
]

Slashed = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE), BeforeValidator(_slashes)]
Account = Annotated[Slashed, Path(description="The account's id.", examples=["user-1"])]
Unit = Annotated[str, Query(pattern=UNITS, description="The kind of credits.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=2_000, description="The `next` of the page before.")]
At = Annotated[AwareDatetime, BeforeValidator(_instant)]
Place = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
Id = Annotated[
    Annotated[str, Field(min_length=1, max_length=320, pattern=PRINTABLE), BeforeValidator(_slashes)], Path()
]


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """The arguments that were given."""
        return self.model_dump(exclude_none=True)


class Change(Body):
    """What every verb takes."""

    unit: Annotated[str, Field(pattern=UNITS, description="The kind of credits.")] = DEFAULT_UNIT
    reason: Reason | None = None
    metadata: Metadata | None = None
    dry_run: Annotated[StrictBool, Field(description="Answer what would happen and change nothing.")] = False


class OpenAccount(Body):
    """A new account."""

    account: Name
    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT
    user: Annotated[Name | None, Field(description="The user or team it belongs to.")] = None
    overdraft_limit: Annotated[Whole, Field(description="How far spends may go below zero.")] = 0
    metadata: Metadata | None = None


class Spend(Change):
    """Credits taken for something."""

    amount: Credits
    allow_partial: Annotated[StrictBool, Field(description="Take what is there.")] = False
    min_available_after: Annotated[Whole | None, Field(description="Keep at least this rest.")] = None
    effective_at: Instant | None = None


class GiveCredits(Change):
    """Credits given."""

    amount: Credits
    source: Literal["purchase", "promotion", "subscription", "adjustment", "migration"] = "promotion"
    priority: Annotated[
        int, Field(strict=True, ge=-INT_MAX, le=INT_MAX, description="Smaller burns first.")
    ] = 100
    available_at: Annotated[
        Instant | None, Field(description="From when they count; ahead: a scheduled grant.")
    ] = None
    expires_at: Annotated[Instant | None, Field(description="When the rest is forfeited.")] = None
    cost: Annotated[
        Whole, Field(description="What was paid for all of them, in minor units of `currency`.")
    ] = 0
    currency: Annotated[str | None, Field(pattern="^[A-Za-z]{3}$", examples=["eur"])] = None
    payment: Annotated[Name | None, Field(description="The key of the payment that bought them.")] = None
    effective_at: Instant | None = None


class Void(Change):
    """Take back the unused rest of a grant."""


class Refund(Change):
    """Undo a spend; without an amount wholly."""

    seq: Annotated[Number, Field(description="The spend.")]
    amount: Credits | None = None


class Reverse(Change):
    """Undo what is left of any transaction."""

    seq: Annotated[Number, Field(description="The transaction.")]
    policy: Annotated[
        Literal["refuse", "debt"], Field(description="debt: what was used since becomes debt.")
    ] = "refuse"


class Adjust(Change):
    """Correct a balance by hand."""

    amount: Signed
    reason: Annotated[Reason, Field(min_length=1)]
    policy: Annotated[
        Literal["refuse", "debt"], Field(description="debt: the balance may go below zero.")
    ] = "refuse"
    effective_at: Instant | None = None


class Transfer(Change):
    """Move credits to another account."""

    to: Name
    amount: Credits


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


class Reinstate(Change):
    """Undo a clawback."""

    seq: Annotated[Number, Field(description="The clawback.")]
    amount: Credits | None = None


class PlaceHold(Change):
    """Reserve credits."""

    amount: Credits
    seconds: Annotated[Seconds, Field(description="How long.")] = DEFAULT_HOLD_SECONDS
    overrun_limit: Annotated[Whole, Field(description="How much more a capture may take.")] = 0


class Capture(Change):
    """Spend held credits; without an amount all that is left."""

    amount: Credits | None = None
    final: Annotated[StrictBool, Field(description="false: the hold stays open for more.")] = True


class Renew(Body):
    """Make a hold last at least so long from now."""

    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT
    seconds: Seconds = DEFAULT_HOLD_SECONDS


class Release(Body):
    """End a hold without spending."""

    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT


class WithUnit(Body):
    """Which unit of the account."""

    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT


class Freeze(WithUnit):
    """Take no change of an account."""

    reason: Annotated[Reason, Field(min_length=1)]


class PutMember(WithUnit):
    """What a member of a team may spend."""

    cap: Annotated[Whole | None, Field(description="Credits per period; null is no cap.")] = None
    period: Literal["day", "week", "month", "year", "ever"] = "month"


class SpendAs(Change):
    """A member spends."""

    amount: Credits


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


class PutEndpoint(Body):
    """Where events are sent to."""

    url: Annotated[
        str,
        Field(
            max_length=2_000, pattern=r"^https?://[^\s\x00-\x1f]+$", examples=["https://example.org/credits"]
        ),
    ]
    secret: Annotated[
        str,
        Field(
            pattern=r"^whsec_[A-Za-z0-9+/]{32,100}={0,2}$",
            description="What signs the deliveries, by the Standard Webhooks scheme.",
            examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        ),
    ]
    account: Annotated[Name | None, Field(description="Only events of this account.")] = None
    kinds: Annotated[
        list[Name] | None, Field(max_length=20, description="Only these kinds of transactions.")
    ] = None


class AddIdentity(Body):
    """A name that one user is known by."""

    kind: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$", examples=["email", "auth0"])]
    name: Annotated[
        str, Field(min_length=1, max_length=320, pattern=PRINTABLE, examples=["anna@example.org"])
    ]


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


class Decision(Body):
    """What a person decides, and why."""

    reason: Annotated[Reason, Field(min_length=1)]


class Assign(Decision):
    """Whose a payment is and what it is worth."""

    account: Name
    credits: Credits
    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT


class StartRollout(Decision):
    """A rollout from its first stage."""

    stages: Annotated[
        list[Annotated[int, Field(strict=True, ge=1, le=100)]], Field(min_length=1, max_length=20)
    ] = [10, 50, 100]
    bucketing: Literal["keyed", "plan"] = "keyed"
    soak_seconds: Annotated[int, Field(strict=True, ge=0, le=INT_MAX)] = 86_400
    settings: dict[str, JsonValue] = {}


class ChangeRollout(Decision):
    """A step of a rollout. ``version``: only if it is still that one."""

    version: Annotated[int | None, Field(strict=True, ge=0, le=BIGINT_MAX)] = None


class Promote(ChangeRollout):
    """The next stage."""

    even_unproven: Annotated[
        StrictBool, Field(description="Although the guardrails have not passed this stage.")
    ] = False


class CreateKey(Body):
    """A new API key."""

    name: Name
    role: Literal["support", "operator", "admin"] = "operator"
    scopes: Annotated[
        list[Name] | None, Field(min_length=1, max_length=50, description="Without: all of the role.")
    ] = None
    expires_at: Instant | None = None
    rate_per_minute: Annotated[int | None, Field(strict=True, ge=1, le=INT_MAX)] = None


class _Operation(Body):
    account: Name
    key: Annotated[str | None, Field(min_length=1, max_length=255, pattern=PRINTABLE)] = None
    if_version: Annotated[int | None, Field(strict=True, ge=0, le=BIGINT_MAX)] = None


class SpendOperation(_Operation, Spend):
    """As POST .../spend."""

    verb: Literal["spend"]


class GrantOperation(_Operation, GiveCredits):
    """As POST .../grants."""

    verb: Literal["grant"]


class VoidOperation(_Operation, Void):
    """As POST .../grants/{grant}/void."""

    verb: Literal["void"]
    grant: Number


class RefundOperation(_Operation, Refund):
    """As POST .../refund."""

    verb: Literal["refund"]


class ReverseOperation(_Operation, Reverse):
    """As POST .../reverse."""

    verb: Literal["reverse"]


class AdjustOperation(_Operation, Adjust):
    """As POST .../adjust."""

    verb: Literal["adjust"]


class TransferOperation(_Operation, Transfer):
    """As POST .../transfer."""

    verb: Literal["transfer"]


class ClawbackOperation(_Operation, Clawback):
    """As POST .../clawback."""

    verb: Literal["clawback"]


class ReinstateOperation(_Operation, Reinstate):
    """As POST .../reinstate."""

    verb: Literal["reinstate"]


class HoldOperation(_Operation, PlaceHold):
    """As POST .../holds."""

    verb: Literal["hold"]


class CaptureOperation(_Operation, Capture):
    """As POST .../holds/{hold}/capture."""

    verb: Literal["capture"]
    hold: Number


class ReleaseOperation(Release):
    """As POST .../holds/{hold}/release."""

    verb: Literal["release"]
    account: Name
    hold: Number


class RenewOperation(Renew):
    """As POST .../holds/{hold}/renew."""

    verb: Literal["renew"]
    account: Name
    hold: Number


class OpenAccountOperation(OpenAccount):
    """As POST /v1/accounts."""

    verb: Literal["open_account"]


Operation = Annotated[
    SpendOperation
    | GrantOperation
    | VoidOperation
    | RefundOperation
    | ReverseOperation
    | AdjustOperation
    | TransferOperation
    | ClawbackOperation
    | ReinstateOperation
    | HoldOperation
    | CaptureOperation
    | ReleaseOperation
    | RenewOperation
    | OpenAccountOperation,
    Field(discriminator="verb"),
]


class Batch(Body):
    """Many operations in one call."""

    operations: Annotated[list[Operation], Field(min_length=1, max_length=OPERATIONS_MAX)]
    atomic: Annotated[StrictBool, Field(description="All or none: the first refusal is the answer.")] = False
