"""Around an account: members and their caps, low-balance alerts, automatic top-ups."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from heller import errors
from heller.ledger.alerts import Alert, TopUpRule
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.teams import Member, MemberSpending
from heller.web.api import models
from heller.web.api.answers import BODY, READ, Page, Removed, responses
from heller.web.api.caller import Caller, answer, reads
from heller.web.problems import NotFound

router = APIRouter(tags=["around an account"])

Reader = Annotated[Caller, reads("credits:read")]
Writer = Annotated[Caller, reads("credits:write")]
Threshold = Annotated[
    int, Path(ge=-models.BIGINT_MAX, le=models.BIGINT_MAX, description="Available credits.")
]


@router.get("/accounts/{account}/members", response_model=Page[Member], responses=responses(*READ))
async def list_members(
    account: models.Account,
    caller: Reader,
    unit: models.Unit = DEFAULT_UNIT,
    include_former: Annotated[bool, Query(description="Also those who left.")] = False,
    limit: models.Limit = models.PAGE_MAX,
    cursor: models.Cursor = None,
) -> Response:
    """The members of a team's account, with what each has spent in the current period."""
    await caller.see(account)
    found = await caller.wiring.heller.members(
        account,
        unit=unit,
        include_former=include_former,
        after=caller.place(cursor, str) or "",
        limit=limit,
    )
    return caller.page(list(found), limit=limit, after=lambda last: last.member)


@router.put(
    "/accounts/{account}/members/{member}",
    response_model=Member,
    responses=responses(*BODY, *READ),
)
async def put_member(
    account: models.Account, member: models.Id, body: models.PutMember, caller: Writer
) -> Response:
    """Let somebody spend from an account, up to a cap per calendar period (UTC); again changes it."""
    result = await caller.change(
        "member.put", account, lambda ledger: ledger.put_member(account, member, **body.given()),
        {"member": member, **body.given()},
    )  # fmt: skip
    return answer(result)


@router.delete(
    "/accounts/{account}/members/{member}",
    response_model=Member,
    responses=responses(*READ, errors.UnknownMember),
)
async def remove_member(
    account: models.Account, member: models.Id, caller: Writer, unit: models.Unit = DEFAULT_UNIT
) -> Response:
    """End a membership; what was spent stays on record."""
    result = await caller.change(
        "member.remove",
        account,
        lambda ledger: ledger.remove_member(account, member, unit=unit),
        {"member": member},
    )
    return answer(result)


@router.get("/accounts/{account}/spending", response_model=Page[MemberSpending], responses=responses(*READ))
async def list_spending(
    account: models.Account,
    caller: Reader,
    since: Annotated[models.At | None, Query(description="Not before, by `effective_at`.")] = None,
    until: Annotated[models.At | None, Query(description="Before.")] = None,
    unit: models.Unit = DEFAULT_UNIT,
) -> Response:
    """Who spent what of an account in a period, the largest first."""
    await caller.see(account)
    found = await caller.wiring.heller.spending_by_member(account, since=since, until=until, unit=unit)
    return answer({"items": found, "next": None})


@router.get("/accounts/{account}/alerts", response_model=Page[Alert], responses=responses(*READ))
async def list_alerts(
    account: models.Account,
    caller: Reader,
    unit: models.Unit = DEFAULT_UNIT,
    limit: models.Limit = models.PAGE_MAX,
    cursor: models.Cursor = None,
) -> Response:
    """The low-balance alerts of an account."""
    await caller.see(account)
    found = await caller.wiring.heller.alerts(
        account, unit=unit, after=caller.place(cursor, int), limit=limit
    )
    return caller.page(list(found), limit=limit, after=lambda last: last.threshold)


@router.put("/accounts/{account}/alerts/{threshold}", response_model=Alert, responses=responses(*BODY, *READ))
async def put_alert(
    account: models.Account, threshold: Threshold, body: models.PutAlert, caller: Writer
) -> Response:
    """Ask to be told when available falls below a threshold."""
    result = await caller.change(
        "alert.put", account, lambda ledger: ledger.put_alert(account, threshold, **body.given()),
        {"threshold": threshold, **body.given()},
    )  # fmt: skip
    return answer(result)


@router.delete("/accounts/{account}/alerts/{threshold}", response_model=Removed, responses=responses(*READ))
async def remove_alert(
    account: models.Account, threshold: Threshold, caller: Writer, unit: models.Unit = DEFAULT_UNIT
) -> Response:
    """End an alert."""
    removed = await caller.change(
        "alert.remove",
        account,
        lambda ledger: ledger.remove_alert(account, threshold, unit=unit),
        {"threshold": threshold},
    )
    return answer(Removed(removed=removed))


@router.get("/accounts/{account}/top-up-rule", response_model=TopUpRule, responses=responses(*READ, NotFound))
async def get_top_up_rule(
    account: models.Account, caller: Reader, unit: models.Unit = DEFAULT_UNIT
) -> Response:
    """When this account buys credits by itself."""
    await caller.see(account)
    rule = await caller.wiring.heller.top_up_rule(account, unit=unit)
    if rule is None:
        raise NotFound(f"{account} has no top-up rule.")
    return answer(rule)


@router.put("/accounts/{account}/top-up-rule", response_model=TopUpRule, responses=responses(*BODY, *READ))
async def put_top_up_rule(account: models.Account, body: models.PutTopUpRule, caller: Writer) -> Response:
    """Let an account buy a price by itself; again changes it. The worker does it."""
    result = await caller.change(
        "top_up_rule.put",
        account,
        lambda ledger: ledger.put_top_up_rule(account, **body.given()),
        body.given(),
    )
    return answer(result)


@router.post(
    "/accounts/{account}/top-up-rule/resume", response_model=TopUpRule, responses=responses(*BODY, *READ)
)
async def resume_top_up(account: models.Account, body: models.WithUnit, caller: Writer) -> Response:
    """End the pause after failures."""
    result = await caller.change(
        "top_up_rule.resume",
        account,
        lambda ledger: ledger.resume_top_up(account, unit=body.unit),
        body.given(),
    )
    return answer(result)


@router.delete("/accounts/{account}/top-up-rule", response_model=Removed, responses=responses(*READ))
async def remove_top_up_rule(
    account: models.Account, caller: Writer, unit: models.Unit = DEFAULT_UNIT
) -> Response:
    """End automatic top-ups."""
    removed = await caller.change(
        "top_up_rule.remove",
        account,
        lambda ledger: ledger.remove_top_up_rule(account, unit=unit),
        {"unit": unit},
    )
    return answer(Removed(removed=removed))
