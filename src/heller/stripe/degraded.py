"""While Stripe's API is down: credit on the word of one signed event, and look again when Stripe answers.

Off by default (``STRIPE_DEGRADED_MODE``). Only one fact is taken, and only because it never stops being true: a
payment intent succeeded. Everything that would need judgement waits for the look at Stripe that comes anyway: the
events stay in the inbox.
"""

import json
from typing import Any

import stripe
import structlog

from heller.database import Database, call_many
from heller.errors import Busy, Refused
from heller.stripe.api import API_VERSION, Json, StripeApi
from heller.stripe.deliveries import delivery
from heller.stripe.events import reference

SUCCEEDED = "payment_intent.succeeded"
SERVER_ERROR = 500
EVENTS_LOOKED_AT = 50
UNTOUCHED = ("open", "processing")

log = structlog.get_logger("heller.stripe")


def is_down(error: stripe.StripeError) -> bool:
    """Whether an error says that Stripe's API is down, rather than that it refuses."""
    if isinstance(error, stripe.APIConnectionError):
        return True
    return isinstance(error, stripe.APIError) and (error.http_status or 0) >= SERVER_ERROR


async def credit_on_trust(database: Database, api: StripeApi, group: Json) -> int:
    """Credit what a signed ``payment_intent.succeeded`` among a payment's waiting events says; the credits given.

    0 where mode, version, amount, currency or order do not match at once, where the payment was ever looked at and
    is not merely unpaid, or where anything tells of money going back.
    """
    key = group["payment_key"]
    told = [row for row in group["rows"] if row["type"] == SUCCEEDED]
    if key is None or not told or not await _is_untouched(database, key):
        return 0
    facts = await _facts(database, told[0]["inbox_id"], account=group["stripe_account"])
    if facts is None:
        return 0
    seen = await database.call("stripe_payment", payment_key=key)
    if seen is not None and (seen["state"] not in UNTOUCHED or seen["parked_reason"] is not None):
        return 0
    request = {
        "payment_key": key,
        "seen": 0 if seen is None else seen["version"],
        "snapshot": facts,
        "livemode": api.settings.livemode,
        "stripe_account": group["stripe_account"],
        "policy": api.settings.clawback_policy,
        "cause": f"degraded: {told[0]['event_id']}",
    }
    try:
        would = await database.call("stripe_converge", **request, dry_run=True)
        if would["outcome"] != "applied" or would["delta"] <= 0:
            return 0
        done = await database.call("stripe_converge", **request)
    except (Refused, Busy):  # frozen, away, gone, raced: the look at Stripe will say it properly
        return 0
    if done["outcome"] == "applied":
        log.warning("credited while Stripe is down", payment=key, delta=done["delta"])
    return int(done["delta"])


async def _is_untouched(database: Database, key: str) -> bool:
    """Whether no event of the payment speaks of a refund or a dispute."""
    async with database.connection() as connection:
        rows = await call_many(connection, "stripe_deliveries", payment_key=key, limit=EVENTS_LOOKED_AT)
    return not any(word in row["type"] for row in rows for word in ("refund", "dispute", "fraud"))


async def _facts(database: Database, inbox_id: int, *, account: str) -> Json | None:
    """What the signed bytes say, in the words of a look at Stripe; None unless they say all that is needed."""
    stored = await delivery(database, inbox_id)
    if stored.via != "webhook" or stored.body is None or stored.api_version != API_VERSION:
        return None
    event: Any = json.loads(stored.body)
    intent: Any = event["data"]["object"]
    order_id = (intent.get("metadata") or {}).get("order_id")
    if (
        intent.get("status") != "succeeded"
        or not isinstance(order_id, str)
        or event.get("account", "") != account
    ):
        return None
    charge = intent.get("latest_charge")
    return {
        "status": "succeeded",
        "livemode": intent["livemode"],
        "payment_intent": intent["id"],
        "received": intent["amount_received"],
        "charged_at": charge["created"] if isinstance(charge, dict) else event.get("created"),
        "currency": intent["currency"],
        "customer": reference(intent.get("customer")),
        "back": 0,
        "withheld": 0,
        "failure": None,
        "failure_code": None,
        "order_id": order_id,
        "order_from": "intent",
        "session": None,
        "invoice": None,
    }
