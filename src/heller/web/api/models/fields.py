"""What fields and parameters look like. Unknown fields are refused, numbers are whole numbers, instants have a zone."""

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

from heller.ledger.operations import DEFAULT_UNIT
from heller.web.security import SLASH

BIGINT_MAX = 2**63 - 1
INT_MAX = 2**31 - 1
PAGE_DEFAULT = 100
PAGE_MAX = 1_000
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_DATED = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")  # else 0.5 and 20260131 would be seconds since 1970
UNITS = r"^[^\x00-\x1f\x7f]{1,40}$"
ZONES = r"^[A-Za-z0-9_+/-]{1,64}$"


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
EffectiveAt = Annotated[Instant | None, Field(description="When it counts, if not now; past or future.")]
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
Zone = Annotated[str, Query(pattern=ZONES, description="The time zone of the days, such as Europe/Berlin.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=2_000, description="The `next` of the page before.")]
At = Annotated[AwareDatetime, BeforeValidator(_instant)]
Source = Literal["purchase", "promotion", "subscription", "adjustment", "migration"]
Priority = Annotated[int, Field(strict=True, ge=-INT_MAX, le=INT_MAX, description="Smaller burns first.")]
Currency = Annotated[str, Field(pattern="^[A-Za-z]{3}$", examples=["eur"])]
Place = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
Id = Annotated[
    Annotated[str, Field(min_length=1, max_length=320, pattern=PRINTABLE), BeforeValidator(_slashes)], Path()
]


AllowPartial = Annotated[StrictBool, Field(description="Take what is there.")]
Rest = Annotated[Whole | None, Field(description="Keep at least this rest.")]
DryRun = Annotated[StrictBool, Field(description="Answer what would happen and change nothing.")]


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
    dry_run: DryRun = False


class WithUnit(Body):
    """Which unit of the account."""

    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT


class Step(Body):
    """What a step takes that writes no transaction."""

    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT
    dry_run: DryRun = False
