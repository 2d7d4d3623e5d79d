"""Bodies about accounts, and the names of their users."""

from typing import Annotated

from pydantic import Field

from heller.ledger.operations import DEFAULT_UNIT
from heller.web.api.models.fields import (
    PRINTABLE,
    UNITS,
    Body,
    DryRun,
    Metadata,
    Name,
    Reason,
    Whole,
    WithUnit,
)


class OpenAccount(Body):
    """A new account."""

    account: Name
    unit: Annotated[str, Field(pattern=UNITS)] = DEFAULT_UNIT
    user: Annotated[Name | None, Field(description="The user or team it belongs to.")] = None
    overdraft_limit: Annotated[Whole, Field(description="How far spends may go below zero.")] = 0
    metadata: Metadata | None = None
    dry_run: DryRun = False


class ChangeAccount(WithUnit):
    """Properties to change; what is not given stays."""

    overdraft_limit: Annotated[Whole | None, Field(description="How far spends may go below zero.")] = None
    metadata: Metadata | None = None
    dry_run: DryRun = False


class Freeze(WithUnit):
    """Take no change of an account."""

    reason: Annotated[Reason, Field(min_length=1)]


class AddIdentity(Body):
    """A name that one user is known by."""

    kind: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$", examples=["email", "auth0"])]
    name: Annotated[
        str, Field(min_length=1, max_length=320, pattern=PRINTABLE, examples=["anna@example.org"])
    ]
