"""Buying: the order is committed first, then Stripe makes the session; the success page converges at once."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import stripe

from heller.database import Database, call, call_many
from heller.errors import InvalidArgument
from heller.stripe.api import Json, StripeApi
from heller.stripe.converge import Converged, converge
from heller.stripe.customers import customer_of
from heller.stripe.events import keyed, reference

LIFETIME_SECONDS = 23 * 3600  # Stripe lets a session live for 24 hours at most
SESSION_ATTEMPTS_MAX = 3
SESSIONS_LOOKED_AT_MAX = 200
PAGE = 1_000
PAGES_MAX = 1_000
PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a purchase."""

    price: str
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a buyer was promised. ``credits`` for ``amount`` minor units; per period for a subscription."""

    order_id: str
    account_id: str
    unit: str
    kind: str
    credits: int
    amount: int
    currency: str
    state: str
    placed_at: datetime
    expires_at: datetime
    items: list[dict[str, Any]] = field(default_factory=list)
    period: str | None = None
    stripe_account: str = ""
    stripe_customer: str | None = None
    checkout_session: str | None = None
    session_url: str | None = None
    session_attempt: int = 1
    payment_intent: str | None = None
    subscription: str | None = None
    payment_key: str | None = None
    failure: str | None = None
    automatic_tax: bool = False
    allow_promotion_codes: bool = False
    metadata: dict[str, Any] | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the success page shows: the order as it stands, what the look at Stripe came to, the account's balance."""

    order: Order
    outcome: Converged
    balance: dict[str, Any]

    @property
    def is_credited(self) -> bool:
        """Whether the credits are there."""
        return self.order.state == "paid"


def new_order_id() -> str:
    """An order's id, which is also Stripe's idempotency key."""
    return f"order_{secrets.token_hex(12)}"


def as_order(raw: Json) -> Order:
    """An order out of what SQL returned."""
    return msgspec.convert(raw, Order)


async def buy(
    database: Database,
    api: StripeApi,
    account: str,
    items: Sequence[Item],
    *,
    success_url: str,
    cancel_url: str,
    unit: str = "credit",
    key: str | None = None,
    save_card: bool = False,
    actor: str | None = None,
    stripe_account: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Order:
    """Start a purchase; the buyer goes to ``session_url``. Prices with a period make a subscription.

    Args:
        key: names the intent: again with the same key answers the same order and session.
        save_card: keep the payment method for automatic top-ups.
        success_url: gets ``session_id=...`` added, for ``confirm``.

    Raises:
        InvalidArgument: no such price, items that do not go together.
        UnknownAccount: nobody to credit.
        stripe.StripeError: no session could be made; try again with the same key.
    """
    settings = api.settings
    async with database.connection() as connection:
        found = await call(connection, "balance", account_id=account, unit=unit)
        listed = await call_many(connection, "stripe_prices")
    periods = {row["price"]: row["period"] for row in listed}
    is_subscription = any(periods.get(item.price) for item in items)
    customer = await customer_of(database, api, found["user"] or account, account=stripe_account)
    words = {**(metadata or {}), "success_url": success_url, "cancel_url": cancel_url, "save_card": save_card}
    async with database.connection() as connection:
        raw = await call(
            connection,
            "stripe_place_order",
            order_id=new_order_id(),
            account_id=account,
            items=[{"price": item.price, "quantity": item.quantity} for item in items],
            livemode=settings.livemode,
            kind="subscription" if is_subscription else "checkout",
            key=key,
            stripe_account=stripe_account,
            customer=customer,
            allow_zero=settings.allow_zero_amount,
            allow_promotion_codes=settings.allow_promotion_codes,
            automatic_tax=settings.automatic_tax,
            lifetime_seconds=LIFETIME_SECONDS,
            actor=actor,
            metadata=words,
        )
    order = as_order(raw)
    return order if order.session_url is not None else await _with_session(database, api, order)


async def _with_session(database: Database, api: StripeApi, order: Order) -> Order:
    params = await _session_params(database, api, order)
    first = order.session_attempt
    for attempt in range(first, first + SESSION_ATTEMPTS_MAX):
        key = order.order_id if attempt == 1 else f"{order.order_id}:{attempt}"
        is_last = attempt == first + SESSION_ATTEMPTS_MAX - 1
        try:
            session = await api.create("checkout.sessions", params, key=key, account=order.stripe_account)
        except stripe.InvalidRequestError as error:
            if is_last or error.param != "customer" or error.code != "resource_missing":
                raise
            order = await _with_another_customer(database, api, order, session_attempt=attempt + 1)
            params = await _session_params(database, api, order)
            continue
        except (stripe.APIError, stripe.IdempotencyError) as error:
            # Stripe keeps a 500, and what was asked, for its key for ever: look whether it made the session all the
            # same, else a new key
            existing = await _session_at_stripe(api, order)
            if existing is None:
                if isinstance(error, stripe.APIError) and (error.http_status or 0) < 500:  # noqa: PLR2004  # server error
                    raise
                await _update(database, order, session_attempt=attempt + 1)
                if is_last:
                    raise
                continue
            session = existing
        raw = await _update(
            database,
            order,
            checkout_session=session["id"],
            session_url=session.get("url"),
            customer=reference(session.get("customer")),
        )
        return as_order(raw | {"replayed": order.replayed})
    raise AssertionError  # the loop returns or raises


async def _with_another_customer(
    database: Database, api: StripeApi, order: Order, *, session_attempt: int
) -> Order:
    """The order for a customer that Stripe has: the one it was placed for was deleted there."""
    async with database.connection() as connection:
        found = await call(connection, "balance", account_id=order.account_id, unit=order.unit)
    customer = await customer_of(
        database,
        api,
        found["user"] or order.account_id,
        account=order.stripe_account,
        instead_of=order.stripe_customer,
    )
    raw = await _update(database, order, customer=customer, session_attempt=session_attempt)
    return as_order(raw | {"replayed": order.replayed})


async def _update(database: Database, order: Order, **changes: Any) -> Json:
    async with database.connection() as connection:
        raw: Json = await call(connection, "stripe_update_order", order_id=order.order_id, **changes)
        return raw


async def _session_at_stripe(api: StripeApi, order: Order) -> Json | None:
    since = int((order.placed_at - timedelta(minutes=5)).timestamp())
    query: Json = {"created": {"gte": since}}
    if order.stripe_customer is not None:
        query["customer"] = order.stripe_customer
    async for session in api.pages(
        "checkout.sessions", query, account=order.stripe_account, limit=SESSIONS_LOOKED_AT_MAX
    ):
        if session.get("client_reference_id") == order.order_id:
            return session
    return None


async def _session_params(database: Database, api: StripeApi, order: Order) -> Json:
    """The same order always asks for the same session: nothing here may depend on the time of asking."""
    words = order.metadata or {}
    mark = {"order_id": order.order_id}
    success = str(words["success_url"])
    if PLACEHOLDER not in success:
        success += f"{'&' if '?' in success else '?'}session_id={PLACEHOLDER}"
    params: Json = {
        "mode": "subscription" if order.kind == "subscription" else "payment",
        "client_reference_id": order.order_id,
        "metadata": mark,
        "line_items": [_line(order, item) for item in order.items],
        "success_url": success,
        "cancel_url": words["cancel_url"],
        "expires_at": int(order.expires_at.timestamp()),
    }
    if order.stripe_customer is not None:
        params["customer"] = order.stripe_customer
    if order.automatic_tax:
        params["automatic_tax"] = {"enabled": True}
        if order.stripe_customer is not None:
            params["customer_update"] = {"address": "auto"}
    if order.allow_promotion_codes:
        params["allow_promotion_codes"] = True
    if order.kind == "subscription":
        params["subscription_data"] = {"metadata": mark}
        return params
    params["payment_intent_data"] = {"metadata": mark}
    if words.get("save_card"):
        params["payment_intent_data"]["setup_future_usage"] = "off_session"
    email = await _email_of(database, order) if api.settings.receipts else None
    if email is not None:
        params["payment_intent_data"]["receipt_email"] = email
    return params


def _line(order: Order, item: Json) -> Json:
    if item["stripe_price"] is not None:
        return {"price": item["stripe_price"], "quantity": item["quantity"]}
    data: Json = {
        "currency": order.currency,
        "unit_amount": item["amount"],
        "product_data": {"name": f"{item['product']}: {item['pack']}"},
    }
    if order.period is not None:
        data["recurring"] = {"interval": order.period}
    return {"price_data": data, "quantity": item["quantity"]}


async def _email_of(database: Database, order: Order) -> str | None:
    async with database.connection() as connection:
        account = await call(connection, "balance", account_id=order.account_id, unit=order.unit)
        user = account["user"] or order.account_id
        names = await call_many(connection, "identities_of", user_id=user)
    emails = [str(name["name"]) for name in names if name["kind"] == "email"]
    return emails[0] if emails else None


async def confirm(
    database: Database, api: StripeApi, session_id: str, *, account: str | None = None
) -> Purchase:
    """The buyer came back: look at Stripe now, so that the credits are there without waiting for the webhook.

    Raises:
        InvalidArgument: no order has this session, or it is another account's than ``account``.
        stripe.StripeError: Stripe cannot be reached; the webhook or reconcile will do it.
    """
    order = await find_order(database, session_id)
    if order is None or (account is not None and order.account_id != account):
        raise InvalidArgument("There is no such purchase.", argument="session_id")
    outcome = await converge(
        database,
        api,
        keyed(order.stripe_account, session_id),
        account=order.stripe_account,
        cause="success page",
    )
    async with database.connection() as connection:
        balance = await call(connection, "balance", account_id=order.account_id, unit=order.unit)
    return Purchase(await find_order(database, order.order_id) or order, outcome, balance)


async def find_order(database: Database, name: str) -> Order | None:
    """An order by its id, session or subscription."""
    async with database.connection() as connection:
        raw = await call(connection, "stripe_order", name=name)
    return None if raw is None else as_order(raw)


async def orders(
    database: Database,
    *,
    account: str | None = None,
    unfinished: bool = False,
    before: list[str] | None = None,
    limit: int = 100,
) -> list[Order]:
    """Orders, newest first; ``before`` is the placed_at and order_id of the last of the page before."""
    async with database.connection() as connection:
        rows = await call_many(
            connection,
            "stripe_orders",
            account_id=account,
            unfinished=unfinished,
            before=before,
            limit=limit,
        )
    return [as_order(row) for row in rows]


async def unfinished(database: Database) -> AsyncIterator[Order]:
    """Every order that is open, processing or waiting for its buyer, newest first."""
    before: list[str] | None = None
    for _ in range(PAGES_MAX):
        page = await orders(database, unfinished=True, before=before, limit=PAGE)
        for order in page:
            yield order
        if len(page) < PAGE:
            return
        before = [page[-1].placed_at.isoformat(), page[-1].order_id]


async def receipt_url(api: StripeApi, payment_intent: str, *, account: str = "") -> str | None:
    """Where Stripe shows the receipt of a payment."""
    intent = await api.retrieve("payment_intents", payment_intent, account=account, expand=("latest_charge",))
    charge = intent.get("latest_charge")
    return charge.get("receipt_url") if isinstance(charge, dict) else None


async def cancel_subscription(
    database: Database, api: StripeApi, name: str, *, at_period_end: bool = True
) -> Json:
    """End a subscription, by order or subscription id; periods that were paid keep their credits.

    Raises:
        InvalidArgument: there is none of that name.
    """
    order = await find_order(database, name)
    if order is None or order.subscription is None:
        raise InvalidArgument(f"No order has a subscription {name}.", argument="subscription")
    if at_period_end:
        return await api.act(
            "subscriptions",
            "update",
            order.subscription,
            {"cancel_at_period_end": True},
            account=order.stripe_account,
        )
    return await api.act("subscriptions", "cancel", order.subscription, account=order.stripe_account)
