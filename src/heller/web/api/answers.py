"""What answers look like: pages, problems, and which problems a route can have."""

from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from heller import errors
from heller.ledger.results import Account, Grant, HoldState, Transaction
from heller.rollout.state import Rollout
from heller.web import problems

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="The `cursor` of the next page; null where there is none.")


class Problem(BaseModel):
    """What went wrong (RFC 9457). Each `code` has data of its own besides."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:heller:problem:insufficient_credits"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["insufficient_credits"])
    hint: str | None
    request_id: str


class Outcome(BaseModel):
    """What became of one operation of a batch: a result or a problem."""

    result: Transaction | Account | Grant | HoldState | None = None
    problem: Problem | None = None


class Outcomes(BaseModel):
    """The outcomes of a batch, in the places of its operations."""

    outcomes: list[Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Posted at an instant."""

    account: str
    unit: str
    at: str
    posted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Whether there was something to remove."""

    removed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which home serves a user now: heller, legacy, moving, or unknown (never seen here)."""

    user: str
    account: str
    home: str
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A name a user is known by."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, every name it is known by, and its accounts."""

    user: str
    identities: list[Identity] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSession:
    """A link that signs a user into the portal, once."""

    user: str
    url: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetToken:
    """What a page needs to show a balance: `<script src="{script}" data-token="{token}" async></script>`."""

    account: str
    unit: str
    token: str
    script: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """How many deliveries are back in the queue."""

    retried: int


_AS_IT_STANDS: dict[str, Any] = {
    "percent": (int, ...),
    **{field.name: (field.type, ...) for field in fields(Rollout)},
}
RolloutNow = create_model(
    "RolloutNow",
    __doc__="The rollout as it stands; `percent` is the share of the buckets that should be at home in heller now.",
    **_AS_IT_STANDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who calls."""

    subject: str
    actor: str
    role: str
    scopes: list[str]
    user: str | None
    name: str | None
    via: str


Kinds = tuple[type[errors.HellerError], ...]

_ALWAYS: Kinds = (
    problems.Unauthenticated,
    problems.Forbidden,
    errors.InvalidArgument,
    problems.TooManyRequests,
    problems.Internal,
    errors.DatabaseUnavailable,
)
_OF_BODIES: Kinds = (problems.MalformedJson, problems.TooLarge, problems.UnsupportedMediaType)
READ: Kinds = (errors.UnknownAccount,)
WRITE: Kinds = (
    *_OF_BODIES,
    errors.UnknownAccount,
    errors.AccountFrozen,
    errors.AccountAway,
    errors.IdempotencyConflict,
    errors.StaleVersion,
    errors.Busy,
)
BODY: Kinds = _OF_BODIES
_EXAMPLES: dict[type[errors.HellerError], errors.HellerError] = {
    errors.InsufficientCredits: errors.InsufficientCredits(
        "user-1 has 3 credits available; 10 are needed",
        hint="Buy or grant credits first, or ask for less.",
        account="user-1",
        required=10,
        available=3,
        held=0,
    ),
    errors.IdempotencyConflict: errors.IdempotencyConflict(
        "the key analysis-42 was used with another amount",
        hint="Use a new key for a new intent; repeat the same request to get the first result.",
        account="user-1",
        key="analysis-42",
        differs="amount",
    ),
}


def responses(*kinds: type[errors.HellerError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of a route's errors, an example for each."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in dict.fromkeys((*kinds, *_ALWAYS)):
        error = _EXAMPLES.get(kind) or kind((kind.__doc__ or kind.code).splitlines()[0])
        status = problems.status_of(error)
        entry = found.setdefault(
            status,
            {
                "description": "",
                "content": {
                    problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
                },
            },
        )
        entry["description"] = "; ".join(filter(None, (entry["description"], f"`{kind.code}`")))
        example = problems.problem(
            error,
            request_id="1f0c9a5e7d3b2a64",
            top_up="https://credits.example.org/portal/buy" if kind is errors.InsufficientCredits else None,
        )
        entry["content"][problems.MEDIA_TYPE]["examples"][kind.code] = {"value": example}
    return found
