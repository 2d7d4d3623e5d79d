"""Bodies of what operators decide: payments, rollout, endpoints, keys."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StrictBool

from heller.ledger.operations import DEFAULT_UNIT
from heller.web.api.models.fields import BIGINT_MAX, INT_MAX, UNITS, Body, Credits, Instant, Name, Reason
from heller.web.keys import OVERLAP_SECONDS, OVERLAP_SECONDS_MAX


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
    ] = [10, 50, 100]  # noqa: RUF012  # pydantic copies it
    bucketing: Literal["keyed", "plan"] = "keyed"
    soak_seconds: Annotated[int, Field(strict=True, ge=0, le=INT_MAX)] = 86_400
    settings: dict[str, JsonValue] = {}  # noqa: RUF012  # as above


class ChangeRollout(Decision):
    """A step of a rollout. ``version``: only if it is still that one."""

    version: Annotated[int | None, Field(strict=True, ge=0, le=BIGINT_MAX)] = None


class Promote(ChangeRollout):
    """The next stage."""

    even_unproven: Annotated[
        StrictBool, Field(description="Although the guardrails have not passed this stage.")
    ] = False


class PutEndpoint(Body):
    """Where events are sent to."""

    url: Annotated[
        str,
        Field(
            max_length=2_000, pattern=r"^https?://[^\s\x00-\x1f]+$", examples=["https://example.org/credits"]
        ),
    ]
    secret: Annotated[
        str | None,
        Field(
            pattern=r"^whsec_[A-Za-z0-9+/]{32,100}={0,2}$",
            description="What signs the deliveries, by the Standard Webhooks scheme. Without it a known endpoint keeps its own; a new one needs it.",
            examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        ),
    ] = None
    account: Annotated[Name | None, Field(description="Only events of this account.")] = None
    kinds: Annotated[
        list[Name] | None, Field(max_length=20, description="Only these kinds of transactions.")
    ] = None


class CreateKey(Body):
    """A new API key."""

    name: Name
    role: Literal["support", "operator", "admin"] = "operator"
    scopes: Annotated[
        list[Name] | None, Field(min_length=1, max_length=50, description="Without: all of the role.")
    ] = None
    expires_at: Instant | None = None
    rate_per_minute: Annotated[int | None, Field(strict=True, ge=1, le=INT_MAX)] = None


class RotateKey(Body):
    """A key in place of another."""

    overlap_seconds: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=OVERLAP_SECONDS_MAX,
            description="How long the old key stays valid; 0: not at all.",
        ),
    ] = OVERLAP_SECONDS
    expires_at: Annotated[
        Instant | None,
        Field(description="When the new key ends by itself; to be said where the old one does."),
    ] = None
