"""What an account gets every period, set and ended on its page."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from heller.ledger.heller import Ledger
from heller.ledger.operations import DEFAULT_UNIT
from heller.web import pages
from heller.web.console.accounts import address
from heller.web.console.shared import PROTECTED, Fields, Operator, acting, attempt
from heller.web.wiring import wiring_of

router = APIRouter()

KEPT = ("expires", "time_zone", "source", "priority", "cost", "currency", "reason", "metadata")
"""What the form does not have, of a recurring grant that is there."""


@router.post("/account/recurring", dependencies=PROTECTED)
async def put(request: Request, principal: Operator) -> Response:
    """Give credits every period. A name that is there keeps the settings that the form does not have."""
    fields = await Fields.of(request)
    account, unit = fields.optional("account") or "", fields.optional("unit") or DEFAULT_UNIT

    async def work() -> str:
        name, amount, period = fields.text("name"), fields.whole("amount"), fields.text("period")
        rollover, reason = fields.optional_whole("rollover") or 0, fields.text("reason")
        async with acting(
            request, principal, "recurring_grant.put", account, recurring=name, amount=amount, period=period, rollover=rollover,
            reason=reason, unit=unit,
        ) as deed:  # fmt: skip
            ledger = wiring_of(request).heller.within(deed.connection)
            kept = await _kept(ledger, account, name, unit)
            done = await ledger.put_recurring_grant(
                account, name, amount, period=period, rollover=rollover, unit=unit, **kept
            )
        _, formats = pages.translator(request), pages.formats(request)
        return _(
            "%(amount)s credits come every period, next on %(day)s.",
            amount=formats.number(amount),
            day=formats.day(done.next_at),
        )

    return await attempt(request, address(account, unit), "recurring", work)


async def _kept(ledger: Ledger, account: str, name: str, unit: str) -> dict[str, Any]:
    known = await ledger.recurring_grants(account, unit=unit, include_ended=True)
    return {setting: getattr(r, setting) for r in known if r.name == name for setting in KEPT}


@router.post("/account/recurring/end", dependencies=PROTECTED)
async def end(request: Request, principal: Operator) -> Response:
    """Give no further period."""
    fields = await Fields.of(request)
    account, unit = fields.optional("account") or "", fields.optional("unit") or DEFAULT_UNIT

    async def work() -> str:
        name = fields.text("name")
        async with acting(
            request, principal, "recurring_grant.remove", account, recurring=name, unit=unit
        ) as deed:
            await (
                wiring_of(request)
                .heller.within(deed.connection)
                .remove_recurring_grant(account, name, unit=unit)
            )
        _ = pages.translator(request)
        return _("No further period of %(name)s begins.", name=name)

    return await attempt(request, address(account, unit), "recurring", work)
