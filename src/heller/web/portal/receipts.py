"""What was paid: each payment with its receipt at Stripe, purchases that are under way, subscriptions."""

from typing import Annotated, Any

import stripe
from fastapi import Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from heller.database import call_many
from heller.stripe.checkout import Order, cancel_subscription, find_order, orders, receipt_url
from heller.web import csrf
from heller.web.portal.buying import stripe_of
from heller.web.portal.routing import Acting, View, Viewed, go, known, note, router, show
from heller.web.problems import NotFound
from heller.web.wiring import Wiring, wiring_of

PAGE = 25
ORDERS_MAX = 200


@router.get("/receipts")
async def receipts(
    request: Request, view: View, before: Annotated[str | None, Query(max_length=500)] = None
) -> Response:
    """A page of payments, newest first; ``before`` is the payment the last page ended with."""
    wiring, account = wiring_of(request), known(view)
    stripe_of(wiring)
    async with wiring.database.connection() as connection:
        found = await call_many(
            connection,
            "payments_of",
            account_id=account.account,
            unit=account.unit,
            before=before,
            limit=PAGE + 1,
        )
    placed = [
        o
        for o in await orders(wiring.database, account=account.account, limit=ORDERS_MAX)
        if o.unit == account.unit
    ]
    return show(
        request,
        view,
        "receipts",
        payments=found[:PAGE],
        older=found[PAGE - 1]["payment"] if len(found) > PAGE else None,
        before=before,
        waiting=[o for o in placed if o.state in {"open", "processing", "requires_action"}],
        subscriptions=[(o, await _standing(wiring, o)) for o in placed if o.subscription],
    )


async def _standing(wiring: Wiring, order: Order) -> dict[str, Any] | None:
    """How a subscription stands at Stripe; None when Stripe cannot be asked now."""
    try:
        found = await stripe_of(wiring).retrieve(
            "subscriptions", order.subscription or "", account=order.stripe_account
        )
    except stripe.StripeError:
        return None
    return {"status": found["status"], "ends": bool(found.get("cancel_at_period_end"))}


@router.get("/receipts/{payment:path}")
async def receipt(request: Request, view: View, payment: str) -> RedirectResponse:
    """On to the receipt that Stripe shows.

    Raises:
        NotFound: the payment is not the reader's, or has no receipt.
    """
    wiring, account = wiring_of(request), known(view)
    async with wiring.database.connection() as connection:
        rows = await call_many(
            connection, "stripe_payments", account_id=account.account, keys=[payment], limit=1
        )
    found = rows[0] if rows else {}
    url = None
    if found.get("payment_intent"):
        url = await receipt_url(stripe_of(wiring), found["payment_intent"], account=found["stripe_account"])
    if url is None:
        raise NotFound("There is no receipt of such a payment.")
    return go(url)


@router.post("/subscriptions/cancel", dependencies=[Depends(csrf.protect)])
async def cancel(
    request: Request, view: Acting, order: Annotated[str, Form(max_length=100)]
) -> RedirectResponse:
    """End a subscription with its period; what was paid for stays."""
    wiring = wiring_of(request)
    found = await find_order(wiring.database, order)
    if found is None or not _is_theirs(view, found):
        raise NotFound("There is no such subscription.")
    await note(request, view, "subscription.cancel", {"order": found.order_id})
    await cancel_subscription(wiring.database, stripe_of(wiring), found.order_id)
    return go(view.link("receipts"))


def _is_theirs(view: Viewed, order: Order) -> bool:
    return any(a.account == order.account_id and a.unit == order.unit for a in view.accounts)
