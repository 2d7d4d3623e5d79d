"""What buyers, their banks and time do: submit a checkout, pass a challenge, let a debit settle, renew a period."""

from dataclasses import dataclass, field

from stripe_twin.errors import ApiError, invalid
from stripe_twin.resources import billing, payments
from stripe_twin.resources.checkout import expire, make_line, make_session
from stripe_twin.resources.coupons import usable_promotion
from stripe_twin.resources.customers import make_customer
from stripe_twin.resources.payment_methods import Outcome, make_method, make_setup_intent, succeed_setup
from stripe_twin.resources.totals import reckon
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

BUYER_EMAIL = "buyer@example.com"
# What the page would ask for where tax depends on it.
BUYER_ADDRESS = {
    "city": "Berlin",
    "country": "DE",
    "line1": "Teststraße 1",
    "line2": None,
    "postal_code": "10115",
    "state": None,
}
SESSION_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Choices:
    """What a buyer fills in at checkout. ``quantities`` are by line id; ``presentment`` is (currency, amount)."""

    outcome: Outcome = "card"
    email: str | None = None
    name: str | None = None
    promotion_code: str | None = None
    quantities: dict[str, int] = field(default_factory=dict)
    presentment: tuple[str, int] | None = None
    return_url: str | None = None


def _adjust(session: Json, quantities: dict[str, int]) -> None:
    lines = {line["id"]: line for line in session["_line_items"]}
    for identifier, quantity in quantities.items():
        line = lines.get(identifier)
        rule = None if line is None else line["adjustable_quantity"]
        if line is None or rule is None or not rule["enabled"]:
            raise invalid(f"The quantity of {identifier} cannot be changed.", param="quantity")
        low, high = rule["minimum"] or 0, 99 if rule["maximum"] is None else rule["maximum"]
        if not low <= quantity <= high:
            raise invalid(f"The quantity must be between {low} and {high}.", param="quantity")
        line["quantity"] = quantity


def _apply(world: World, space: Space, session: Json, choices: Choices) -> None:
    """Take over what the buyer filled in, and reckon anew."""
    _adjust(session, choices.quantities)
    if choices.promotion_code:
        if not session["allow_promotion_codes"]:
            raise invalid("This checkout takes no promotion codes.", param="promotion_code")
        reckon(session, world.tax_percent)
        promotion, coupon = usable_promotion(
            world,
            space,
            choices.promotion_code,
            subtotal=session["amount_subtotal"],
            customer=session["customer"],
        )
        session |= {"_coupon": coupon, "_promotion_code": promotion["id"]}
        session["discounts"] = [{"coupon": None, "promotion_code": promotion["id"]}]
    if session["_line_items"]:
        reckon(session, world.tax_percent)
    customer = space.find(session["customer"] or "") or {}
    email = choices.email or customer.get("email") or session["customer_email"] or BUYER_EMAIL
    session["customer_details"] = {
        "address": dict(BUYER_ADDRESS) if session["automatic_tax"]["enabled"] else None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": choices.name or customer.get("name"),
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
    writes = session.get("_customer_update", {})
    for name in ("address", "name"):
        if customer and writes.get(name) == "auto":
            customer[name] = session["customer_details"][name]
    needs_customer = session["customer_creation"] == "always" or session["mode"] == "subscription"
    if session["customer"] is None and needs_customer:
        session["customer"] = make_customer(world, space, {"email": email, "name": choices.name})["id"]


def _intent_of(world: World, space: Space, session: Json, choices: Choices) -> Json:
    """The session's payment intent, made when the buyer first submits."""
    intent = space.find(session.get("_intent") or "")
    if intent is not None:
        intent["amount"] = session["amount_total"]
        return intent
    data = session["_intent_data"]
    values: Json = {
        "amount": session["amount_total"],
        "currency": session["currency"],
        "customer": session["customer"],
        "description": data.get("description"),
        "metadata": dict(data.get("metadata", {})),
        "payment_method_types": list(session["payment_method_types"]),
        "receipt_email": data.get("receipt_email"),
        "setup_future_usage": data.get("setup_future_usage"),
        "capture_method": data.get("capture_method", "automatic"),
        "statement_descriptor": data.get("statement_descriptor"),
        "statement_descriptor_suffix": data.get("statement_descriptor_suffix"),
        "_session": session["id"],
    }
    if session["mode"] == "subscription":
        values |= {"setup_future_usage": "off_session", "description": "Subscription creation"}
    if choices.presentment is not None:
        currency, amount = choices.presentment
        values["presentment_details"] = {"presentment_currency": currency, "presentment_amount": amount}
        session["presentment_details"] = dict(values["presentment_details"])
    intent = payments.make_intent(world, space, values)
    session["_intent"] = intent["id"]
    if session["mode"] == "payment":
        session["payment_intent"] = intent["id"]
    return intent


def submit(world: World, space: Space, session: Json, choices: Choices) -> Json | None:
    """The buyer submits; the payment intent, or None when nothing was due. A declined card raises (402)."""
    if session["status"] == "open" and session["expires_at"] <= world.clock.now():
        expire(world, space, session)
    if session["status"] != "open":
        raise invalid(f"This checkout session is {session['status']}.")
    _apply(world, space, session, choices)
    if session["mode"] == "setup":
        _set_up(world, space, session, choices)
        return None
    if session["amount_total"] == 0:
        _complete(world, space, session, None)
        return None
    intent = _intent_of(world, space, session, choices)
    method = make_method(world, space, choices.outcome, email=session["customer_details"]["email"])
    payments.confirm(world, space, intent, method, return_url=choices.return_url)
    follow(world, space, intent)
    return intent


def _set_up(world: World, space: Space, session: Json, choices: Choices) -> None:
    data = session["_setup_data"]
    values = {
        "customer": session["customer"],
        "metadata": dict(data["metadata"]),
        "description": data["description"],
    }
    setup = make_setup_intent(world, space, values)
    succeed_setup(world, space, setup, make_method(world, space, choices.outcome))
    session |= {
        "status": "complete",
        "payment_status": "no_payment_required",
        "setup_intent": setup["id"],
        "url": None,
    }
    world.emit(space, "checkout.session.completed", session)


def follow(world: World, space: Space, intent: Json) -> None:
    """Bring the session after its payment: complete it, or tell how a debit ended."""
    session = space.find(intent.get("_session") or "")
    if session is None:
        return
    if session["status"] == "open" and intent["status"] in ("succeeded", "processing"):
        _complete(world, space, session, intent)
    elif session["status"] == "complete" and session["payment_status"] == "unpaid":
        if intent["status"] == "succeeded":
            session["payment_status"] = "paid"
            invoice = space.find(session["invoice"] or "")
            if invoice is not None:
                billing.pay_invoice(world, space, invoice, intent)
            world.emit(space, "checkout.session.async_payment_succeeded", session)
        elif intent["status"] == "requires_payment_method":
            world.emit(space, "checkout.session.async_payment_failed", session)


def _complete(world: World, space: Space, session: Json, intent: Json | None) -> None:
    is_paid = intent is None or intent["status"] == "succeeded"
    session |= {"status": "complete", "url": None}
    session["payment_status"] = "no_payment_required" if intent is None else "paid" if is_paid else "unpaid"
    invoice = None
    if session["mode"] == "subscription":
        method = None if intent is None else space.find(intent["payment_method"] or "")
        subscription = billing.make_subscription(world, space, session, method)
        invoice = billing.make_invoice(
            world, space, session, subscription=subscription, billing_reason="subscription_create"
        )
        subscription["latest_invoice"] = invoice["id"]
        session |= {"subscription": subscription["id"], "invoice": invoice["id"]}
    elif session["invoice_creation"]["enabled"]:
        data = session["invoice_creation"]["invoice_data"]
        invoice = billing.make_invoice(
            world,
            space,
            session,
            subscription=None,
            billing_reason="manual",
            metadata=dict((data["metadata"] if data else None) or {}),
        )
        session["invoice"] = invoice["id"]
    if invoice is not None and is_paid:
        billing.pay_invoice(world, space, invoice, intent)
    for identifier in (session["_promotion_code"], (session["_coupon"] or {}).get("id")):
        redeemed = space.find(identifier or "")
        if redeemed is not None:
            redeemed["times_redeemed"] += 1
    world.emit(space, "checkout.session.completed", session)


def authenticate(world: World, space: Space, intent: Json, *, is_approved: bool) -> None:
    """The buyer answers the bank's challenge."""
    payments.authenticate(world, space, intent, is_approved=is_approved)
    follow(world, space, intent)


def settle(world: World, space: Space, intent: Json, *, is_paid: bool) -> None:
    """A debit that was under way is paid or comes back."""
    payments.settle(world, space, intent, is_paid=is_paid)
    follow(world, space, intent)


def buy_by_link(
    world: World,
    space: Space,
    price: Json,
    choices: Choices,
    *,
    reference: str | None,
    metadata: dict[str, str],
) -> Json:
    """Somebody pays through a Payment Link: no order of ours behind it, a reference from the URL at most."""
    session = make_session(
        world,
        space,
        {
            "mode": "payment",
            "currency": price["currency"],
            "client_reference_id": reference,
            "customer_creation": "if_required",
            "expires_at": world.clock.timestamp() + SESSION_SECONDS,
            "metadata": dict(metadata),
            "payment_link": f"plink_{world.token()}",
            "_line_items": [make_line(world, space, price, 1)],
            "_intent_data": {"metadata": dict(metadata)},
        },
    )
    submit(world, space, session, choices)
    return session


def pay_directly(world: World, space: Space, values: Json, outcome: Outcome = "card") -> Json:
    """A payment without a session: by the Dashboard, or a second one for something already paid."""
    intent = payments.make_intent(world, space, values)
    payments.confirm(world, space, intent, make_method(world, space, outcome))
    return intent


def pay_again(world: World, space: Space, intent: Json) -> Json:
    """A second payment with the words and metadata of the first."""
    names = ("amount", "currency", "customer", "description", "receipt_email", "payment_method_types")
    values = {name: intent[name] for name in names} | {"metadata": dict(intent["metadata"])}
    return pay_directly(world, space, values)


def renew(world: World, space: Space, subscription: Json, outcome: Outcome | None) -> Json | None:
    """The next period of a subscription: its invoice, paid or failed; None when the subscription ended instead."""
    if subscription["cancel_at_period_end"]:
        billing.end_subscription(world, space, subscription)
        return None
    if subscription["status"] == "canceled":
        raise invalid("A canceled subscription does not renew.")
    lines = []
    for item in subscription["items"]["data"]:
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] = billing.period_end(
            item["current_period_end"], item["price"]["recurring"]
        )
        lines.append(make_line(world, space, item["price"], item["quantity"]))
    basis: Json = {
        "currency": subscription["currency"],
        "customer": subscription["customer"],
        "automatic_tax": dict(subscription["automatic_tax"]),
        "_coupon": None,
        "_line_items": lines,
    }
    reckon(basis, world.tax_percent)
    invoice = billing.make_invoice(
        world, space, basis, subscription=subscription, billing_reason="subscription_cycle"
    )
    subscription["latest_invoice"] = invoice["id"]
    _collect(world, space, subscription, invoice, outcome)
    world.emit(space, "customer.subscription.updated", subscription)
    return invoice


def _collect(world: World, space: Space, subscription: Json, invoice: Json, outcome: Outcome | None) -> None:
    method = space.find(subscription["default_payment_method"] or "")
    if outcome is not None or method is None:
        method = make_method(world, space, outcome or "card", customer=subscription["customer"])
    values = {
        "amount": invoice["total"],
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "description": "Subscription update",
    }
    intent = payments.make_intent(world, space, values)
    try:
        payments.confirm(world, space, intent, method, off_session=True)
    except ApiError:
        invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
        subscription["status"] = "past_due"
        world.emit(space, "invoice.payment_failed", invoice)
        return
    subscription["status"] = "active"
    billing.pay_invoice(world, space, invoice, intent)


def tick(world: World) -> None:
    """What time alone does: sessions expire, debits settle."""
    now = world.clock.now()
    for space in list(world.store.spaces.values()):
        for session in list(space.tables.get("checkout.session", {}).values()):
            if session["status"] == "open" and session["expires_at"] <= now:
                expire(world, space, session)
        for intent in list(space.tables.get("payment_intent", {}).values()):
            at = intent.get("_settles_at")
            if at is not None and at <= now and intent["status"] == "processing":
                method = space.find(intent["payment_method"] or "") or {}
                settle(world, space, intent, is_paid=method.get("_outcome") != "sepa_fail")
