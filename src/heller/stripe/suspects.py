"""Which payments of Stripe's may differ from ours: what reconcile has to look at, and what it may pass by."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from heller.database import Database, call_many
from heller.stripe.api import Json, StripeApi
from heller.stripe.checkout import unfinished
from heller.stripe.events import keyed, reference

DISPUTES = timedelta(days=400)  # a SEPA debit can come back for 13 months
KEYS_PAGE = 500


def between(since: datetime, until: datetime) -> dict[str, int]:
    """A window of time as Stripe's lists take it."""
    return {"gte": int(since.timestamp()), "lte": int(until.timestamp())}


async def suspects(
    database: Database, api: StripeApi, account: str, since: datetime, until: datetime
) -> AsyncIterator[str]:
    """Keys of payments that may differ: everything of Stripe's in the window but what plainly agrees."""
    seen: set[str] = set()
    batch: list[Json] = []
    window = {"created": between(since, until)}
    async for intent in api.pages(
        "payment_intents", window | {"expand": ["data.latest_charge"]}, account=account
    ):
        batch.append(intent)
        if len(batch) == KEYS_PAGE:
            for key in await _differing(database, batch, account):
                seen.add(key)
                yield key
            batch.clear()
    for key in await _differing(database, batch, account):
        seen.add(key)
        yield key
    async for key in _others(database, api, account, since, until):
        if key not in seen:
            seen.add(key)
            yield key


async def _others(
    database: Database, api: StripeApi, account: str, since: datetime, until: datetime
) -> AsyncIterator[str]:
    """What may have changed without a young payment intent: sessions, invoices, refunds, disputes, open orders."""
    window = {"created": between(since, until)}
    async for session in api.pages("checkout.sessions", window | {"status": "complete"}, account=account):
        await _know_session(database, session)
        if reference(session.get("payment_intent")) is None and session["mode"] == "payment":
            yield keyed(account, session["id"])
    async for invoice in api.pages("invoices", window | {"status": "paid"}, account=account):
        if not invoice.get("amount_paid") or await _is_uncredited(database, invoice, account):
            yield keyed(account, invoice["id"])
    async for key in _taken_back(api, account, window, until):
        yield key
    async for order in unfinished(database):
        name = order.payment_intent or order.checkout_session
        if order.stripe_account == account and name is not None and order.placed_at < until:
            yield keyed(account, name)
    async with database.connection() as connection:
        processing = await call_many(connection, "stripe_unfinished_payments", stripe_account=account)
    for key in processing:
        yield key


async def _taken_back(api: StripeApi, account: str, window: Json, until: datetime) -> AsyncIterator[str]:
    disputed = {"created": between(datetime.now(UTC) - DISPUTES, until)}
    for service, query in (("refunds", window), ("disputes", disputed)):
        async for item in api.pages(service, query, account=account):
            if intent := reference(item.get("payment_intent")):
                yield keyed(account, intent)


async def _is_uncredited(database: Database, invoice: Json, account: str) -> bool:
    """Whether an invoice of ours is paid and nothing was credited for it: no young intent tells when it was paid out of band."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    if "order_id" not in (details.get("metadata") or {}):
        return False
    row = await database.call("stripe_payment", payment_key=keyed(account, invoice["id"]))
    return row is None or (row["net_credits"] == 0 and row["taken_back"] == 0)


async def _know_session(database: Database, session: Json) -> None:
    """An order whose session's answer was lost learns its session."""
    name = session.get("client_reference_id")
    if not isinstance(name, str):
        return
    order = await database.call("stripe_order", name=name)
    mine = order is not None and order["checkout_session"] is None
    if mine and (session.get("metadata") or {}).get("order_id") == order["order_id"]:
        await database.call("stripe_update_order", order_id=order["order_id"], checkout_session=session["id"])


async def _differing(database: Database, intents: list[Json], account: str) -> list[str]:
    """Of these intents, the keys that do not plainly agree with our rows."""
    if not intents:
        return []
    keys = {keyed(account, intent["id"]): intent for intent in intents}
    async with database.connection() as connection:
        rows = await call_many(connection, "stripe_payments", keys=list(keys), limit=len(keys))
    known = {row["payment_key"]: row for row in rows}
    return [key for key, intent in keys.items() if not _agrees(intent, known.get(key))]


def _agrees(intent: Json, row: Json | None) -> bool:
    if intent["status"] != "succeeded":
        return row is None or row["net_credits"] == 0
    charge = intent.get("latest_charge")
    if row is None or not isinstance(charge, dict):
        return False
    is_untouched = charge.get("amount_refunded") == 0 and not charge.get("disputed")
    return (
        is_untouched
        and row["state"] == "settled"
        and row["net_credits"] == row["credits"]
        and row["parked_reason"] is None
        and row["paid"] == intent["amount_received"]
    )
