"""Bodies of a batch: each verb as an operation."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from heller.ledger.operations import OPERATIONS_MAX
from heller.web.api.models.accounts import OpenAccount
from heller.web.api.models.credits import (
    Adjust,
    Clawback,
    GiveCredits,
    Refund,
    Reinstate,
    Reverse,
    Spend,
    Transfer,
    Void,
)
from heller.web.api.models.fields import BIGINT_MAX, PRINTABLE, Body, Name, Number
from heller.web.api.models.holds import Capture, PlaceHold, Release, Renew


class _OfAccount(Body):
    account: Name
    if_version: Annotated[
        int | None,
        Field(strict=True, ge=0, le=BIGINT_MAX, description="Only if the account is still at this version."),
    ] = None


class _Operation(_OfAccount):
    key: Annotated[str | None, Field(min_length=1, max_length=255, pattern=PRINTABLE)] = None


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


class ReleaseOperation(_OfAccount, Release):
    """As POST .../holds/{hold}/release."""

    verb: Literal["release"]
    hold: Number


class RenewOperation(_OfAccount, Renew):
    """As POST .../holds/{hold}/renew."""

    verb: Literal["renew"]
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
