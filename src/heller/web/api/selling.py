"""Buying: prices, checkout, orders, and links into the portal."""

import hashlib
import secrets
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from heller import errors
from heller.database import call
from heller.stripe import catalogue, checkout
from heller.stripe.catalogue import Price
from heller.stripe.checkout import Item, Order
from heller.web import audit
from heller.web.api import models
from heller.web.api.answers import BODY, READ, Page, PortalSession, responses
from heller.web.api.caller import Caller, answer, reads, writes
from heller.web.problems import NotFound, NotSetUp

router = APIRouter(tags=["buying"])

Buyer = Annotated[Caller, reads("checkout")]
Seller = Annotated[Caller, reads("prices:write")]
SECRET_BYTES = 32


@router.get("/prices", response_model=Page[Price], responses=responses())
async def list_prices(
    caller: Buyer, include_retired: Annotated[bool, Query(description="Also what is sold no more.")] = False
) -> Response:
    """What can be bought."""
    found = await catalogue.prices(caller.wiring.database, include_retired=include_retired)
    return answer({"items": found, "next": None})


@router.post("/prices", status_code=201, response_model=Price, responses=responses(*BODY))
async def add_price(body: models.AddPrice, caller: Seller) -> Response:
    """Sell something. Again with the same figures changes its words only; other figures are another price."""
    given = body.given()
    result = await catalogue.add_price(caller.wiring.database, given.pop("price"), **given)
    await caller.note("price.add", body.price, body.given())
    return answer(result, status=201)


@router.delete("/prices/{price}", response_model=Price, responses=responses(NotFound))
async def retire_price(price: models.Id, caller: Seller) -> Response:
    """Sell it no more."""
    try:
        result = await catalogue.retire_price(caller.wiring.database, price)
    except errors.InvalidArgument as error:
        raise NotFound(error.message) from None
    await caller.note("price.retire", price)
    return answer(result)


@router.post(
    "/accounts/{account}/checkout",
    status_code=201,
    response_model=Order,
    responses=responses(*BODY, *READ, errors.ProviderError, NotSetUp),
)
async def start_checkout(
    account: models.Account, body: models.Checkout, caller: Annotated[Caller, writes("checkout")]
) -> Response:
    """Start a purchase: send the buyer to `session_url`. The credits come when Stripe says that it is paid."""
    await caller.see(account)
    given = body.given()
    items = [Item(**item) for item in given.pop("items")]
    order = await checkout.buy(
        caller.wiring.database,
        caller.stripe,
        account,
        items,
        key=caller.key,
        actor=caller.principal.actor,
        **given,
    )
    if not order.replayed:
        await caller.note("order.place", order.order_id, {"account": account, "items": body.given()["items"]})
    return answer(order, status=201)


@router.post(
    "/checkout/{session}/confirm",
    response_model=Order,
    responses=responses(errors.ProviderError, NotSetUp),
)
async def confirm_checkout(session: models.Id, caller: Buyer) -> Response:
    """The buyer came back: look at Stripe now, so that the credits are there without waiting. `state` paid: they are."""
    order = await checkout.find_order(caller.wiring.database, session)
    if order is not None:
        await caller.see(order.account_id)
    purchase = await checkout.confirm(caller.wiring.database, caller.stripe, session)
    return answer(purchase.order)


@router.get("/accounts/{account}/orders", response_model=Page[Order], responses=responses(*READ))
async def list_orders(
    account: models.Account,
    caller: Buyer,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """What an account was promised, newest first."""
    await caller.see(account)
    found = await checkout.orders(
        caller.wiring.database,
        account=account,
        before=caller.moment(cursor),
        limit=limit,
    )
    return caller.page(list(found), limit=limit, after=lambda last: [last.placed_at, last.order_id])


@router.get("/orders/{order}", response_model=Order, responses=responses(NotFound, *READ))
async def get_order(order: models.Id, caller: Buyer) -> Response:
    """One order, by its id, session or subscription."""
    found = await checkout.find_order(caller.wiring.database, order)
    if found is None:
        raise NotFound(f"There is no order {order}.")
    await caller.see(found.account_id)
    return answer(found)


@router.post(
    "/portal-sessions", status_code=201, response_model=PortalSession, responses=responses(*BODY, *READ)
)
async def open_portal_session(
    body: models.OpenPortal, caller: Annotated[Caller, reads("portal:write")]
) -> Response:
    """A link that signs one of your users into the portal, once and soon. Redirect the user to it; do not send it by mail."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    async with caller.wiring.database.transaction() as connection:
        raw: dict[str, Any] = await call(
            connection,
            "open_portal_session",
            secret_hash=hashlib.sha256(secret.encode()).digest(),
            user_id=body.user,
            actor=caller.principal.actor,
            path=body.path,
            seconds=body.seconds,
        )
        await audit.note(
            connection,
            caller.principal,
            "portal_session.open",
            body.user,
            body.given(),
            request_id=caller.request_id,
        )
    url = f"{caller.wiring.settings.address}/sign-in/portal?secret={secret}"
    return answer(msgspec.convert(raw | {"url": url}, PortalSession), status=201)
