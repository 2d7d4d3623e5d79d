"""Buying credits: the packs, the way to Stripe's checkout, and what the buyer sees on coming back."""

import secrets
from typing import Annotated, Literal
from urllib.parse import urlsplit

import stripe
from fastapi import Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from heller import Heller
from heller.ledger.operations import DEFAULT_UNIT
from heller.stripe import Item, StripeApi, buy, confirm, prices
from heller.stripe.checkout import find_order
from heller.stripe.customers import customer_of
from heller.web import csrf
from heller.web.portal.routing import Acting, View, Viewed, go, known, note, router, show
from heller.web.problems import Forbidden, NotFound, NotSetUp
from heller.web.wiring import Wiring, wiring_of

QUANTITY_MAX = 20
LOOKS_MAX = 20
FINAL = ("paid", "failed", "expired", "canceled")


def stripe_of(wiring: Wiring) -> StripeApi:
    """Stripe.

    Raises:
        NotSetUp: this installation sells nothing.
    """
    if wiring.stripe is None:
        raise NotSetUp("This installation has no Stripe.")
    return wiring.stripe


@router.get("/buy")
async def packs(
    request: Request, view: View, cancelled: Annotated[Literal["", "1"], Query()] = ""
) -> Response:
    """What can be bought."""
    wiring = wiring_of(request)
    stripe_of(wiring)
    unit = view.account.unit if view.account else DEFAULT_UNIT
    offered = [price for price in await prices(wiring.database) if price.unit == unit]
    offered.sort(key=lambda price: (price.currency, price.amount, price.price))
    return show(
        request,
        view,
        "buy",
        packs=[price for price in offered if price.period is None],
        plans=[price for price in offered if price.period is not None],
        key=secrets.token_urlsafe(12),
        cancelled=bool(cancelled),
        quantity_max=QUANTITY_MAX,
    )


@router.post("/buy", dependencies=[Depends(csrf.protect)])
async def start(
    request: Request,
    view: Acting,
    *,
    price: Annotated[str, Form(max_length=100)],
    key: Annotated[str, Form(min_length=8, max_length=100)],
    quantity: Annotated[int, Form(ge=1, le=QUANTITY_MAX)] = 1,
    save_card: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Place the order, then on to Stripe's page. The form sent twice is one order."""
    wiring = wiring_of(request)
    api = stripe_of(wiring)
    account = view.account.account if view.account else await _open(wiring.heller, view)
    await note(request, view, "checkout.start", {"account": account, "price": price, "quantity": quantity})
    order = await buy(
        wiring.database,
        api,
        account,
        [Item(price, quantity)],
        success_url=wiring.settings.address + view.link("bought"),
        cancel_url=wiring.settings.address + view.link("buy", cancelled=1),
        unit=view.account.unit if view.account else DEFAULT_UNIT,
        key=f"portal:{key}:{quantity}:{save_card:d}",  # another quantity is another intent
        save_card=save_card,
        actor=view.principal.actor,
    )
    if order.session_url is None or urlsplit(order.session_url).scheme not in {"https", "http"}:
        raise NotFound("Stripe gave no page for this purchase.")
    return go(order.session_url)


async def _open(heller: Heller, view: Viewed) -> str:
    """The first account of somebody who has none yet."""
    user = view.principal.user
    if user is None:
        raise Forbidden("Nobody has opened an account for you.", hint="Ask whoever runs this service.")
    await heller.open_account(user, user=user)
    return user


@router.get("/bought")
async def bought(
    request: Request,
    view: View,
    session_id: Annotated[str, Query(max_length=200)],
    look: Annotated[int, Query(ge=0, le=LOOKS_MAX)] = 0,
) -> Response:
    """The buyer is back: look at Stripe at once, so that the credits are there without waiting for the webhook.

    Raises:
        NotFound: no order of the reader's has this session.
    """
    wiring = wiring_of(request)
    api = stripe_of(wiring)
    order = await find_order(wiring.database, session_id)
    if order is None or order.account_id != known(view).account:
        raise NotFound("There is no such purchase.")
    outcome = None
    if order.state not in FINAL:
        try:
            purchase = await confirm(wiring.database, api, session_id, account=order.account_id)
        except (
            stripe.StripeError
        ):  # the webhook or reconcile will do it; the page says that it takes a moment
            pass
        else:
            order, outcome = purchase.order, purchase.outcome
    account = await wiring.heller.balance(order.account_id, unit=order.unit)
    is_parked = outcome is not None and outcome.outcome == "parked"
    return show(
        request,
        view,
        "bought",
        order=order,
        balance=account.available,
        is_parked=is_parked,
        next_look=look + 1 if order.state not in FINAL and not is_parked and look < LOOKS_MAX else None,
    )


@router.post("/billing", dependencies=[Depends(csrf.protect)])
async def billing(request: Request, view: Acting) -> RedirectResponse:
    """On to Stripe's own pages about cards and invoices."""
    wiring = wiring_of(request)
    api = stripe_of(wiring)
    account = known(view)
    customer = await customer_of(wiring.database, api, account.user or account.account)
    session = await api.create(
        "billing_portal.sessions",
        {"customer": customer, "return_url": wiring.settings.address + view.link("receipts")},
        key=f"billing:{secrets.token_urlsafe(16)}",
    )
    return go(str(session["url"]))
