"""Subscriptions and invoices, as far as a business that sells credits per period needs them."""

import calendar
from datetime import UTC, datetime, timedelta

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import CreatedPageParams, Metadata, Params, merged_metadata
from stripe_twin.shapes import Json, shaped
from stripe_twin.store import Space
from stripe_twin.view import listing
from stripe_twin.world import World

MONTHS_A_YEAR = 12


class SubscriptionUpdate(Params):
    """POST /v1/subscriptions/{id}."""

    cancel_at_period_end: bool | None = None
    metadata: Metadata | None = None
    default_payment_method: str | None = None


class SubscriptionCancel(Params):
    """DELETE /v1/subscriptions/{id}."""

    cancellation_details: dict[str, str] | None = None


class SubscriptionList(CreatedPageParams):
    """GET /v1/subscriptions."""

    customer: str | None = None
    status: str | None = None
    price: str | None = None


class InvoiceList(CreatedPageParams):
    """GET /v1/invoices."""

    customer: str | None = None
    subscription: str | None = None
    status: str | None = None


class Payment(Params):
    """Which payment an invoice payment is about."""

    type: str
    payment_intent: str | None = None


class InvoicePaymentList(CreatedPageParams):
    """GET /v1/invoice_payments."""

    invoice: str | None = None
    payment: Payment | None = None
    status: str | None = None


def period_end(start: int, recurring: Json) -> int:
    """When a period that starts here ends; a month later is the same day, or the month's last."""
    at = datetime.fromtimestamp(start, tz=UTC)
    count = recurring["interval_count"]
    if recurring["interval"] in ("day", "week"):
        return int((at + timedelta(days=count * (7 if recurring["interval"] == "week" else 1))).timestamp())
    months = count * (MONTHS_A_YEAR if recurring["interval"] == "year" else 1)
    year, month = divmod(at.year * MONTHS_A_YEAR + at.month - 1 + months, MONTHS_A_YEAR)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return int(at.replace(year=year, month=month + 1, day=day).timestamp())


def make_subscription(world: World, space: Space, session: Json, method: Json | None) -> Json:
    """The subscription that a paid session starts."""
    now = world.clock.timestamp()
    data = session["_subscription_data"]
    subscription = world.make(
        space,
        "subscription",
        {
            "customer": session["customer"],
            "currency": session["currency"],
            "metadata": dict(data["metadata"]),
            "description": data["description"],
            "default_payment_method": None if method is None else method["id"],
            "start_date": now,
            "billing_cycle_anchor": now,
            "status": "active",
        },
    )
    items = [
        shaped(
            "subscription_item",
            {
                "id": world.new_id("subscription_item", space.livemode),
                "created": now,
                "price": line["price"],
                "quantity": line["quantity"],
                "subscription": subscription["id"],
                "current_period_start": now,
                "current_period_end": period_end(now, line["price"]["recurring"]),
            },
        )
        for line in session["_line_items"]
        if line["price"]["recurring"] is not None
    ]
    subscription["items"] = listing(f"/v1/subscription_items?subscription={subscription['id']}", items)
    world.emit(space, "customer.subscription.created", subscription)
    return subscription


def _invoice_lines(world: World, space: Space, lines: list[Json], subscription: Json | None) -> list[Json]:
    now = world.clock.timestamp()
    result = []
    for line in lines:
        period = {"start": now, "end": now}
        parent = None
        if subscription is not None and line["price"]["recurring"] is not None:
            item = next(i for i in subscription["items"]["data"] if i["price"]["id"] == line["price"]["id"])
            period = {"start": item["current_period_start"], "end": item["current_period_end"]}
            details = {
                "subscription": subscription["id"],
                "subscription_item": item["id"],
                "proration": False,
            }
            parent = {
                "type": "subscription_item_details",
                "subscription_item_details": details,
                "invoice_item_details": None,
            }
        price = {"price": line["price"]["id"], "product": line["price"]["product"]}
        result.append(
            world.draft(
                space,
                "line_item",
                {
                    "amount": line["amount_subtotal"],
                    "subtotal": line["amount_subtotal"],
                    "currency": line["currency"],
                    "description": line["description"],
                    "quantity": line["quantity"],
                    "period": period,
                    "parent": parent,
                    "pricing": {
                        "type": "price_details",
                        "price_details": price,
                        "unit_amount_decimal": line["price"]["unit_amount_decimal"],
                    },
                },
            )
        )
    return result


def make_invoice(
    world: World,
    space: Space,
    basis: Json,
    *,
    subscription: Json | None,
    billing_reason: str,
    metadata: Json | None = None,
) -> Json:
    """A finalized invoice over the lines and totals of ``basis`` (a session, or what a period costs)."""
    parent = None
    if subscription is not None:
        details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
        parent = {"type": "subscription_details", "subscription_details": details, "quote_details": None}
    total, tax = basis["amount_total"], basis["total_details"]["amount_tax"]
    customer = space.find(basis["customer"] or "") or {}
    invoice = world.make(
        space,
        "invoice",
        {
            "customer": basis["customer"],
            "customer_email": customer.get("email"),
            "currency": basis["currency"],
            "billing_reason": billing_reason,
            "parent": parent,
            "subtotal": basis["amount_subtotal"],
            "subtotal_excluding_tax": basis["amount_subtotal"],
            "total": total,
            "total_excluding_tax": total - tax,
            "amount_due": total,
            "amount_remaining": total,
            "status": "open",
            "metadata": metadata or {},
            "period_start": world.clock.timestamp(),
            "period_end": world.clock.timestamp(),
            "number": f"TWIN-{len(space.tables.get('invoice', {})) + 1:04d}",
        },
    )
    lines = _invoice_lines(world, space, basis["_line_items"], subscription)
    for line in lines:
        line["invoice"] = invoice["id"]
    invoice["lines"] = listing(f"/v1/invoices/{invoice['id']}/lines", lines)
    invoice["hosted_invoice_url"] = f"{world.base_url}/invoices/{invoice['id']}"
    invoice["invoice_pdf"] = f"{world.base_url}/invoices/{invoice['id']}?format=print"
    invoice["status_transitions"] |= {"finalized_at": world.clock.timestamp()}
    world.emit(space, "invoice.created", invoice)
    world.emit(space, "invoice.finalized", invoice)
    return invoice


def pay_invoice(world: World, space: Space, invoice: Json, intent: Json | None) -> None:
    """The invoice was paid, by an intent or because nothing was due."""
    now = world.clock.timestamp()
    invoice |= {
        "status": "paid",
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "attempted": True,
    }
    invoice["status_transitions"] |= {"paid_at": now}
    if intent is not None:
        world.make(
            space,
            "invoice_payment",
            {
                "invoice": invoice["id"],
                "amount_requested": invoice["amount_due"],
                "amount_paid": invoice["amount_due"],
                "currency": invoice["currency"],
                "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
                "status": "paid",
                "status_transitions": {"canceled_at": None, "paid_at": now},
            },
        )
    world.emit(space, "invoice.paid", invoice)
    world.emit(space, "invoice.payment_succeeded", invoice)


def end_subscription(world: World, space: Space, subscription: Json) -> Json:
    """The subscription is over."""
    now = world.clock.timestamp()
    subscription |= {"status": "canceled", "canceled_at": subscription["canceled_at"] or now, "ended_at": now}
    world.emit(space, "customer.subscription.deleted", subscription)
    return subscription


@route("GET", "/v1/subscriptions")
def list_subscriptions(call: Call) -> Json:
    """List subscriptions; cancelled ones only when asked for."""
    params = call.read(SubscriptionList)

    def keep(item: Json) -> bool:
        if params.status is None:
            is_wanted = item["status"] != "canceled"
        else:
            is_wanted = params.status in ("all", item["status"])
        prices = [i["price"]["id"] for i in item["items"]["data"]]
        return is_wanted and same(params.customer, item["customer"]) and params.price in (None, *prices)

    return call.page("subscription", params, keep)


@route("GET", "/v1/subscriptions/{id}")
def retrieve_subscription(call: Call) -> Json:
    """One subscription."""
    return call.item("subscription")


@route("POST", "/v1/subscriptions/{id}")
def update_subscription(call: Call) -> Json:
    """Change a subscription, or let it end with the period."""
    subscription, params = call.item("subscription"), call.read(SubscriptionUpdate)
    if subscription["status"] == "canceled":
        raise invalid("A canceled subscription can only update its cancellation_details.")
    changes = params.given("default_payment_method")
    if params.cancel_at_period_end is not None:
        end = subscription["items"]["data"][0]["current_period_end"]
        changes |= {
            "cancel_at_period_end": params.cancel_at_period_end,
            "cancel_at": end if params.cancel_at_period_end else None,
            "canceled_at": call.world.clock.timestamp() if params.cancel_at_period_end else None,
        }
    changes["metadata"] = merged_metadata(subscription["metadata"], params.metadata)
    previous = {k: subscription[k] for k, v in changes.items() if subscription.get(k) != v}
    subscription |= changes
    call.world.emit(call.space, "customer.subscription.updated", subscription, previous=previous)
    return subscription


@route("DELETE", "/v1/subscriptions/{id}")
def cancel_subscription(call: Call) -> Json:
    """End a subscription now."""
    subscription = call.item("subscription")
    params = call.read(SubscriptionCancel)
    if subscription["status"] == "canceled":
        raise invalid(f"No such subscription: '{subscription['id']}'", code="resource_missing")
    subscription["cancellation_details"] = subscription["cancellation_details"] | (
        params.cancellation_details or {}
    )
    return end_subscription(call.world, call.space, subscription)


@route("GET", "/v1/invoices")
def list_invoices(call: Call) -> Json:
    """List invoices."""
    params = call.read(InvoiceList)

    def keep(item: Json) -> bool:
        details = (item["parent"] or {}).get("subscription_details") or {}
        return (
            same(params.customer, item["customer"])
            and same(params.subscription, details.get("subscription"))
            and same(params.status, item["status"])
        )

    return call.page("invoice", params, keep)


@route("GET", "/v1/invoices/{id}")
def retrieve_invoice(call: Call) -> Json:
    """One invoice."""
    return call.item("invoice")


@route("GET", "/v1/invoice_payments")
def list_invoice_payments(call: Call) -> Json:
    """Which payments paid which invoices."""
    params = call.read(InvoicePaymentList)
    intent = None if params.payment is None else params.payment.payment_intent
    return call.page(
        "invoice_payment",
        params,
        lambda p: (
            same(params.invoice, p["invoice"])
            and same(intent, p["payment"]["payment_intent"])
            and same(params.status, p["status"])
        ),
    )
