"""The verbs of the ledger that are not hot: each one transaction with its entry in the audit log."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from heller import errors
from heller.ledger.results import Grant, HoldState, Transaction
from heller.web.api import models
from heller.web.api.answers import WRITE, responses
from heller.web.api.caller import Caller, answer, writes

router = APIRouter(tags=["credits"])

Writer = Annotated[Caller, writes("credits:write")]
Spender = Annotated[Caller, writes("credits:spend")]


@router.post(
    "/accounts/{account}/grants",
    status_code=201,
    response_model=Transaction | Grant,
    responses=responses(*WRITE),
)
async def grant(account: models.Account, body: models.GiveCredits, caller: Writer) -> Response:
    """Give credits: a transaction at once, or a scheduled grant when `available_at` is ahead."""
    result = await caller.change(
        "grant.create",
        account,
        lambda ledger: ledger.grant(account, **body.given(), **caller.signed),
        body.given(),
    )
    return answer(result, status=201)


@router.post(
    "/accounts/{account}/grants/{grant}/void",
    response_model=Transaction | Grant,
    responses=responses(*WRITE, errors.UnknownGrant, errors.ExceedsOriginal),
)
async def void(account: models.Account, grant: models.Place, body: models.Void, caller: Writer) -> Response:
    """Take back the unused rest of a grant; credits under a hold stay."""
    result = await caller.change(
        "grant.void",
        account,
        lambda ledger: ledger.void(account, grant, **body.given(), **caller.signed),
        {"grant": grant, **body.given()},
    )
    return answer(result)


@router.post(
    "/accounts/{account}/refund",
    response_model=Transaction,
    responses=responses(*WRITE, errors.UnknownTransaction, errors.ExceedsOriginal),
)
async def refund(account: models.Account, body: models.Refund, caller: Spender) -> Response:
    """Undo a spend, wholly or in part, into the grants that paid it."""
    result = await caller.change(
        "credits.refund",
        account,
        lambda ledger: ledger.refund(account, **body.given(), **caller.signed),
        body.given(),
    )
    return answer(result)


@router.post(
    "/accounts/{account}/reverse",
    response_model=Transaction,
    responses=responses(
        *WRITE, errors.UnknownTransaction, errors.ExceedsOriginal, errors.InsufficientCredits
    ),
)
async def reverse(account: models.Account, body: models.Reverse, caller: Writer) -> Response:
    """Undo what is left of any transaction as a whole, whatever its kind."""
    result = await caller.change(
        "credits.reverse",
        account,
        lambda ledger: ledger.reverse(account, **body.given(), **caller.signed),
        body.given(),
    )
    return answer(result)


@router.post(
    "/accounts/{account}/adjust",
    response_model=Transaction,
    responses=responses(*WRITE, errors.InsufficientCredits),
)
async def adjust(account: models.Account, body: models.Adjust, caller: Writer) -> Response:
    """Correct a balance by hand, up or down."""
    result = await caller.change(
        "credits.adjust",
        account,
        lambda ledger: ledger.adjust(account, **body.given(), **caller.signed),
        body.given(),
    )
    return answer(result)


@router.post(
    "/accounts/{account}/transfer",
    response_model=Transaction,
    responses=responses(*WRITE, errors.InsufficientCredits),
)
async def transfer(account: models.Account, body: models.Transfer, caller: Writer) -> Response:
    """Move credits to another account, all or nothing; they keep source, priority, expiry and cost."""
    result = await caller.change(
        "credits.transfer",
        account,
        lambda ledger: ledger.transfer(account, **body.given(), **caller.signed),
        body.given(),
    )
    return answer(result)


@router.post("/accounts/{account}/clawback", response_model=Transaction, responses=responses(*WRITE))
async def clawback(account: models.Account, body: models.Clawback, caller: Writer) -> Response:
    """A payment was taken back: its credits go, from its own grant first. What was not taken is `shortfall`."""
    result = await caller.change(
        "credits.clawback",
        account,
        lambda ledger: ledger.clawback(account, **body.given(), **caller.signed),
        body.given(),
    )
    return answer(result)


@router.post(
    "/accounts/{account}/reinstate",
    response_model=Transaction,
    responses=responses(*WRITE, errors.UnknownTransaction, errors.ExceedsOriginal),
)
async def reinstate(account: models.Account, body: models.Reinstate, caller: Writer) -> Response:
    """Undo a clawback: the dispute was won."""
    result = await caller.change(
        "credits.reinstate",
        account,
        lambda ledger: ledger.reinstate(account, **body.given(), **caller.signed),
        body.given(),
    )
    return answer(result)


@router.post(
    "/accounts/{account}/holds/{hold}/renew",
    response_model=HoldState,
    responses=responses(*WRITE, errors.UnknownHold, errors.HoldNotOpen),
)
async def renew(account: models.Account, hold: models.Place, body: models.Renew, caller: Spender) -> Response:
    """Make a hold last at least so long from now; it never ends sooner than before."""
    result = await caller.change(
        "hold.renew",
        account,
        lambda ledger: ledger.renew(account, hold, if_version=caller.if_version, **body.given()),
        {"hold": hold, **body.given()},
    )
    return answer(result)


@router.post(
    "/accounts/{account}/members/{member}/spend",
    response_model=Transaction,
    responses=responses(*WRITE, errors.UnknownMember, errors.LimitExceeded, errors.InsufficientCredits),
)
async def spend_as(
    account: models.Account, member: models.Id, body: models.SpendAs, caller: Spender
) -> Response:
    """A member of a team spends, as far as the account's credits and the member's cap allow."""
    given = body.given()
    result = await caller.change(
        "member.spend",
        account,
        lambda ledger: ledger.spend_as(
            account, member, key=caller.key, if_version=caller.if_version, **given
        ),
        {"member": member, **given},
    )
    return answer(result)
