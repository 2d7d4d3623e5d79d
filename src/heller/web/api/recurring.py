"""Recurring grants: what an account gets anew every period."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from heller import errors
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.recurring import RecurringGrant
from heller.web.api import models
from heller.web.api.answers import BODY, READ, Page, responses
from heller.web.api.caller import Caller, answer, reads

router = APIRouter(tags=["around an account"])

Reader = Annotated[Caller, reads("credits:read")]
Writer = Annotated[Caller, reads("credits:write")]


@router.get(
    "/accounts/{account}/recurring-grants", response_model=Page[RecurringGrant], responses=responses(*READ)
)
async def list_recurring_grants(
    account: models.Account,
    caller: Reader,
    unit: models.Unit = DEFAULT_UNIT,
    include_ended: Annotated[
        bool, Query(description="Also those of which no further period begins.")
    ] = False,
) -> Response:
    """What an account gets every period, each with when its next period begins."""
    await caller.see(account)
    found = await caller.wiring.heller.recurring_grants(account, unit=unit, include_ended=include_ended)
    return answer({"items": found, "next": None})


@router.put(
    "/accounts/{account}/recurring-grants/{name}",
    response_model=RecurringGrant,
    responses=responses(*BODY, *READ, errors.AccountFrozen),
)
async def put_recurring_grant(
    account: models.Account, name: models.Id, body: models.PutRecurringGrant, caller: Writer
) -> Response:
    """Give an account credits every period, from now on; again changes it, from the next period on. No period is given twice."""
    result = await caller.change(
        "recurring_grant.put", account, lambda ledger: ledger.put_recurring_grant(account, name, **body.given()),
        {"recurring": name, **body.given()},
    )  # fmt: skip
    return answer(result)


@router.delete(
    "/accounts/{account}/recurring-grants/{name}",
    response_model=RecurringGrant,
    responses=responses(*READ, errors.UnknownGrant),
)
async def remove_recurring_grant(
    account: models.Account, name: models.Id, caller: Writer, unit: models.Unit = DEFAULT_UNIT
) -> Response:
    """No further period begins. The credits of the one in progress stay until its end; voiding their grant takes them back."""
    result = await caller.change(
        "recurring_grant.remove",
        account,
        lambda ledger: ledger.remove_recurring_grant(account, name, unit=unit),
        {"recurring": name},
    )
    return answer(result)
