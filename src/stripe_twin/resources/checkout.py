"""Checkout sessions: the routes. What a buyer does with one is in ``buyer.py``.

As on Stripe today, a session has no payment intent before the buyer submits.
"""

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import PageParams, Params, merged_metadata
from stripe_twin.resources import payments
from stripe_twin.resources.catalogue import make_product, price_values
from stripe_twin.resources.checkout_params import (
    CustomerUpdate,
    Discount,
    IntentData,
    LineItem,
    SessionCreate,
    SessionList,
    SessionUpdate,
    SetupIntentData,
    SubscriptionData,
)
from stripe_twin.resources.customers import live_customer
from stripe_twin.resources.totals import reckon
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

MINUTE_SECONDS, HOUR_SECONDS = 60, 3600
LIFE_SECONDS_MIN, LIFE_SECONDS_MAX = 30 * MINUTE_SECONDS, 24 * HOUR_SECONDS
# Settings of the page that are kept and shown, and change nothing here.
ECHOED = {
    "consent_collection",
    "custom_text",
    "payment_method_collection",
    "payment_method_options",
    "phone_number_collection",
    "return_url",
    "saved_payment_method_options",
    "tax_id_collection",
}


def _price_of(world: World, space: Space, line: LineItem, index: int) -> Json:
    at = f"line_items[{index}]"
    if (line.price is None) == (line.price_data is None):
        raise invalid(f"You must specify either `price` or `price_data` in {at}.", param=at)
    if line.price is not None:
        price = space.get("price", line.price, param=f"{at}[price]")
        if not price["active"]:
            message = "The price specified is inactive. This field only accepts active prices."
            raise invalid(message, param=f"{at}[price]")
        return price
    data = line.price_data
    if data is None or (data.product is None) == (data.product_data is None):
        raise invalid("Give either `product` or `product_data`.", param=f"{at}[price_data]")
    values = price_values(data)
    if data.product is not None:
        product = space.get("product", data.product, param=f"{at}[price_data][product]")
    elif data.product_data is not None:
        product = make_product(world, space, data.product_data)
    return world.make(space, "price", values | {"product": product["id"], "active": False})


def make_line(world: World, space: Space, price: Json, quantity: int) -> Json:
    """A line of a session that sells a price."""
    product = space.find(price["product"]) or {}
    return world.draft(
        space,
        "item",
        {
            "price": dict(price),
            "quantity": quantity,
            "currency": price["currency"],
            "description": product.get("name"),
        },
    )


def _lines(call: Call, params: SessionCreate) -> list[Json]:
    lines = []
    for index, wanted in enumerate(params.line_items):
        price = _price_of(call.world, call.space, wanted, index)
        if params.mode == "payment" and price["recurring"] is not None:
            message = "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices."
            raise invalid(message, param=f"line_items[{index}][price]")
        line = make_line(call.world, call.space, price, wanted.quantity)
        line["metadata"] = merged_metadata({}, wanted.metadata)
        if wanted.adjustable_quantity is not None:
            line["adjustable_quantity"] = wanted.adjustable_quantity.model_dump()
        lines.append(line)
    currencies = {line["currency"] for line in lines}
    if len(currencies) > 1:
        raise invalid("All line items must have the same currency.", param="line_items")
    if params.mode == "subscription" and not any(line["price"]["recurring"] for line in lines):
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode.", param="line_items"
        )
    return lines


def _check(call: Call, params: SessionCreate) -> int:
    """Refuse what contradicts itself; the time at which the session expires."""
    if params.mode != "setup" and not params.line_items:
        raise invalid(
            f"Missing required param: line_items for mode {params.mode}.",
            param="line_items",
            code="parameter_missing",
        )
    if params.success_url is None and params.ui_mode in (None, "hosted", "hosted_page"):
        raise invalid("Missing required param: success_url.", param="success_url", code="parameter_missing")
    if params.allow_promotion_codes and params.discounts:
        raise invalid("You may only specify one of these parameters: allow_promotion_codes, discounts.")
    if params.customer is not None and params.customer_email is not None:
        raise invalid("You may only specify one of these parameters: customer, customer_email.")
    now = call.world.clock.timestamp()
    expires_at = params.expires_at or now + LIFE_SECONDS_MAX
    if not now + LIFE_SECONDS_MIN - MINUTE_SECONDS <= expires_at <= now + LIFE_SECONDS_MAX + MINUTE_SECONDS:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise invalid(message, param="expires_at")
    return expires_at


def _check_tax_location(customer: Json | None, params: SessionCreate) -> None:
    is_taxed = params.automatic_tax is not None and params.automatic_tax.enabled
    if customer is None or not is_taxed or customer["address"]:
        return
    if params.customer_update is None or params.customer_update.address != "auto":
        message = (
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to "
            "the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto'."
        )
        raise invalid(message, code="customer_tax_location_invalid")


def _given_coupon(space: Space, discounts: list[Discount]) -> tuple[Json | None, str | None]:
    if not discounts:
        return None, None
    if discounts[0].promotion_code is not None:
        code = space.get("promotion_code", discounts[0].promotion_code, param="discounts[0][promotion_code]")
        return space.get("coupon", code["promotion"]["coupon"]), code["id"]
    return space.get("coupon", discounts[0].coupon or "", param="discounts[0][coupon]"), None


def make_session(world: World, space: Space, values: Json) -> Json:
    """A session, reckoned, with its page."""
    notes: Json = {"_coupon": None, "_promotion_code": None, "_intent_data": {}, "_line_items": []}
    draft = world.draft(space, "checkout.session", notes | values)
    if draft["_line_items"]:
        reckon(draft, world.tax_percent)
    if draft["amount_total"] == 0:
        draft["payment_status"] = "no_payment_required"
    draft["url"] = f"{world.base_url}/pay/c/{draft['id']}"
    world.is_changed = True
    return space.put("checkout.session", draft)


@route("POST", "/v1/checkout/sessions")
def create_session(call: Call) -> Json:
    """Make a session; nothing is charged before the buyer submits."""
    params, world, space = call.read(SessionCreate), call.world, call.space
    expires_at = _check(call, params)
    _check_tax_location(live_customer(space, params.customer), params)
    lines = _lines(call, params)
    coupon, promotion_code = _given_coupon(space, params.discounts)
    names = (
        "client_reference_id",
        "customer",
        "customer_email",
        "success_url",
        "cancel_url",
        "locale",
        "submit_type",
        "mode",
        "allow_promotion_codes",
        "billing_address_collection",
        "customer_creation",
    )
    values: Json = {name: getattr(params, name) for name in names}
    if params.mode == "payment" and params.customer is None and params.customer_creation is None:
        values["customer_creation"] = "if_required"
    values |= {
        "currency": lines[0]["currency"] if lines else params.currency,
        "expires_at": expires_at,
        "metadata": merged_metadata({}, params.metadata),
        "payment_method_types": params.payment_method_types or ["card", "sepa_debit"],
        "ui_mode": params.ui_mode or "hosted_page",
        "_line_items": lines,
        "_coupon": coupon,
        "_promotion_code": promotion_code,
        "_customer_update": (params.customer_update or CustomerUpdate()).model_dump(),
        "_intent_data": _data(params.payment_intent_data or IntentData()),
        "_subscription_data": _data(params.subscription_data or SubscriptionData()),
        "_setup_data": _data(params.setup_intent_data or SetupIntentData()),
    }
    values |= params.model_dump(include=ECHOED, exclude_none=True)
    if params.discounts:
        values["discounts"] = [d.model_dump() for d in params.discounts]
    session = make_session(world, space, values)
    for name in ("automatic_tax", "adaptive_pricing", "invoice_creation"):
        switch = getattr(params, name)
        if switch is not None:
            session[name] = session[name] | switch.model_dump(exclude_none=True)
    if lines:
        reckon(session, world.tax_percent)
    return session


def _data(data: IntentData | SubscriptionData | SetupIntentData) -> Json:
    return data.model_dump(exclude={"metadata"}) | {"metadata": merged_metadata({}, data.metadata)}


@route("GET", "/v1/checkout/sessions")
def list_sessions(call: Call) -> Json:
    """List sessions."""
    params = call.read(SessionList)
    email = None if params.customer_details is None else params.customer_details.email.lower()
    return call.page(
        "checkout.session",
        params,
        lambda s: (
            same(params.payment_intent, s["payment_intent"])
            and same(params.subscription, s["subscription"])
            and same(params.customer, s["customer"])
            and same(params.status, s["status"])
            and same(params.payment_link, s["payment_link"])
            and (email is None or str((s["customer_details"] or {}).get("email")).lower() == email)
        ),
    )


@route("GET", "/v1/checkout/sessions/{id}")
def retrieve_session(call: Call) -> Json:
    """One session."""
    return call.item("checkout.session")


@route("POST", "/v1/checkout/sessions/{id}")
def update_session(call: Call) -> Json:
    """Change a session's metadata."""
    session, params = call.item("checkout.session"), call.read(SessionUpdate)
    session["metadata"] = merged_metadata(session["metadata"], params.metadata)
    return session


@route("GET", "/v1/checkout/sessions/{id}/line_items")
def list_line_items(call: Call) -> Json:
    """What a session sells."""
    session = call.item("checkout.session")
    return call.page_of(session["_line_items"], call.read(PageParams))


@route("POST", "/v1/checkout/sessions/{id}/expire")
def expire_session(call: Call) -> Json:
    """Close a session before anybody pays."""
    session = call.item("checkout.session")
    call.read(Params)
    if session["status"] != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of `{session["status"]}`.'
        raise invalid(message)
    expire(call.world, call.space, session)
    return session


def expire(world: World, space: Space, session: Json) -> None:
    """Close an open session; an attempt that was under way is cancelled."""
    session |= {"status": "expired", "url": None}
    intent = space.find(session.get("_intent") or "")
    if intent is not None and intent["status"] in payments.CONFIRMABLE:
        payments.cancel(world, space, intent, "abandoned")
    world.emit(space, "checkout.session.expired", session)
