"""``/console/discrepancies``: differences between Stripe and the ledger that reconcile found."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from heller.database import call
from heller.stripe.reconcile import discrepancies
from heller.web import pages
from heller.web.console.accounts import address
from heller.web.console.shared import (
    PAGE,
    PROTECTED,
    Before,
    Fields,
    Number,
    Operator,
    Support,
    acting,
    attempt,
    page,
)
from heller.web.wiring import wiring_of

router = APIRouter(prefix="/discrepancies")

HERE = "/console/discrepancies"
TABS = ("open", "healed", "closed", "all")


@router.get("")
async def listed(
    request: Request, principal: Support, tab: str = "open", payment: str = "", before: Before = None
) -> Response:
    """The differences by state, newest first."""
    tab = tab if tab in TABS else "open"
    found = await discrepancies(
        wiring_of(request).database,
        state=None if tab == "all" else tab,
        payment_key=payment.strip() or None,
        before=before,
        limit=PAGE,
    )
    return await page(
        request,
        "discrepancies.html",
        principal,
        current=HERE,
        tab=tab,
        tabs=TABS,
        payment=payment,
        found=found,
        before=before,
        next_before=found[-1]["discrepancy_id"] if len(found) == PAGE else None,
        address=address,
    )


@router.post("/{number}/close", dependencies=PROTECTED)
async def close(request: Request, principal: Operator, number: Number) -> Response:
    """Say that a difference is dealt with."""
    fields = await Fields.of(request)

    async def work() -> str:
        reason = fields.text("reason")
        async with acting(request, principal, "discrepancy.close", str(number), reason=reason) as deed:
            await call(
                deed.connection,
                "stripe_close_discrepancy",
                discrepancy_id=number,
                actor=principal.actor,
                reason=reason,
            )
        _ = pages.translator(request)
        return _("The discrepancy is closed.")

    return await attempt(request, HERE, f"close-{number}", work)
