"""One look at Stripe: a payment intent with its refunds and disputes, as the few facts that converge needs.

List and retrieve, never Search: that is only eventually consistent.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import stripe

from heller.stripe.api import Json, StripeApi
from heller.stripe.events import bare, keyed, reference

NOT_GIVEN_BACK = ("failed", "canceled")
WITHHOLDING = ("needs_response", "under_review", "lost")


@dataclass(frozen=True, slots=True)
class Look:
    """What Stripe says of a payment. ``moved_to``: it has another key; ``waiting``: there is no payment yet."""

    facts: Json | None = None
    moved_to: str | None = None
    waiting: str | None = None
    session: Json | None = None


class GoneError(Exception):
    """Stripe does not know the object (any more)."""


async def look(api: StripeApi, key: str, *, account: str = "", with_session: bool = False) -> Look:
    """Look at the payment behind a key: an intent, a session without one, or an invoice.

    Raises:
        GoneError: Stripe answers 404.
        stripe.StripeError: Stripe cannot be reached or refuses.
    """
    identifier = bare(key)
    try:
        if identifier.startswith("cs_"):
            return await _look_at_session(api, identifier, account)
        if identifier.startswith("in_"):
            return await _look_at_invoice(api, identifier, account)
        facts = await _intent(api, identifier, account, with_session=with_session)
        invoice = facts["invoice"] or {}
        if (
            facts["status"] != "succeeded" and invoice.get("status") == "paid"
        ):  # out of band, or by another intent
            return Look(moved_to=keyed(account, invoice["id"]))
        return Look(facts)
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:  # noqa: PLR2004  # not found
            raise GoneError(f"Stripe knows no {identifier}.") from error
        raise


async def _intent(api: StripeApi, identifier: str, account: str, *, with_session: bool) -> Json:
    intent = await api.retrieve("payment_intents", identifier, account=account, expand=("latest_charge",))
    refunds: list[Json] = []
    disputes: list[Json] = []
    if intent["status"] == "succeeded":
        mine = {"payment_intent": identifier}
        refunds, disputes = await asyncio.gather(
            api.all("refunds", mine, account=account), api.all("disputes", mine, account=account)
        )
    failure = intent.get("last_payment_error") or {}
    charge = intent.get("latest_charge")
    facts: Json = {
        "status": intent["status"],
        "livemode": intent["livemode"],
        "payment_intent": intent["id"],
        "received": intent.get("amount_received") or 0,
        "charged_at": charge["created"] if isinstance(charge, dict) else None,
        "currency": intent["currency"],
        "customer": reference(intent.get("customer")),
        "back": sum(r["amount"] for r in refunds if r.get("status") not in NOT_GIVEN_BACK),
        "withheld": sum(d["amount"] for d in disputes if d["status"] in WITHHOLDING),
        "failure": failure.get("message"),
        "failure_code": failure.get("decline_code") or failure.get("code"),
        "order_id": (intent.get("metadata") or {}).get("order_id"),
        "order_from": "intent",
        "session": None,
        "invoice": None,
    }
    if facts["order_id"] is None or with_session:
        await _add_origin(api, facts, account)
    return facts


async def _add_origin(api: StripeApi, facts: Json, account: str) -> None:
    """Find the session or the subscription's invoice that a payment intent belongs to."""
    intent = facts["payment_intent"]
    async for session in api.pages("checkout.sessions", {"payment_intent": intent}, account=account, limit=1):
        facts["session"] = _session_facts(session)
        if facts["order_id"] is None:
            facts |= {"order_id": _order_of(session), "order_from": "session"}
        return
    query = {"payment": {"type": "payment_intent", "payment_intent": intent}}
    async for paid in api.pages("invoice_payments", query, account=account, limit=1):
        invoice = await api.retrieve("invoices", reference(paid["invoice"]) or "", account=account)
        facts |= _from_invoice(invoice)


def _order_of(session: Json) -> str | None:
    named = (session.get("metadata") or {}).get("order_id") or session.get("client_reference_id")
    return named if isinstance(named, str) else None


def _session_facts(session: Json) -> Json:
    details = session.get("total_details") or {}
    return {
        "id": session["id"],
        "subtotal": session.get("amount_subtotal"),
        "total": session.get("amount_total"),
        "discount": details.get("amount_discount") or 0,
        "tax": details.get("amount_tax") or 0,
    }


def _from_invoice(invoice: Json) -> Json:
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    subscription = reference(details.get("subscription"))
    if subscription is None:
        return {}
    lines = (invoice.get("lines") or {}).get("data") or []
    ends = [line["period"]["end"] for line in lines if line.get("period")]
    discounts = invoice.get("total_discount_amounts") or []
    return {
        "order_id": (details.get("metadata") or {}).get("order_id"),
        "order_from": "subscription",
        "invoice": {
            "id": invoice["id"],
            "status": invoice["status"],
            "subscription": subscription,
            "reason": invoice.get("billing_reason"),
            "subtotal": invoice.get("subtotal"),
            "discount": sum(d["amount"] for d in discounts),
            "period_end": max(ends, default=invoice.get("period_end")),
        },
    }


async def _look_at_session(api: StripeApi, identifier: str, account: str) -> Look:
    session = await api.retrieve("checkout.sessions", identifier, account=account)
    intent = reference(session.get("payment_intent"))
    if intent is not None:
        return Look(moved_to=keyed(account, intent), session=session)
    invoice = reference(session.get("invoice"))
    if session["mode"] == "subscription" and invoice is not None:
        return Look(moved_to=keyed(account, invoice), session=session)
    if (
        session["mode"] == "payment"
        and session["status"] == "complete"
        and session["payment_status"] == "no_payment_required"
    ):
        facts = _nothing_due(session, "no_payment_required")
        return Look(
            {
                **facts,
                "order_id": _order_of(session),
                "order_from": "session",
                "session": _session_facts(session),
            }
        )
    return Look(waiting=session["status"], session=session)


async def _look_at_invoice(api: StripeApi, identifier: str, account: str) -> Look:
    invoice = await api.retrieve("invoices", identifier, account=account)
    async for paid in api.pages("invoice_payments", {"invoice": identifier}, account=account):
        intent = reference((paid.get("payment") or {}).get("payment_intent"))
        # one that failed stays beside what paid the invoice in the end
        if intent is not None and (paid["status"] == "paid" or invoice["status"] != "paid"):
            return Look(moved_to=keyed(account, intent))
    origin = _from_invoice(invoice)
    if not origin or invoice["status"] != "paid":
        return Look(waiting="no_subscription" if not origin else str(invoice["status"]))
    received = max(invoice.get("amount_paid") or 0, invoice.get("amount_paid_off_stripe") or 0)
    facts = _nothing_due(invoice, "succeeded" if received else "no_payment_required")
    return Look({**facts, "received": received, **origin})


def _nothing_due(item: Json, status: str) -> Json:
    return {
        "status": status,
        "livemode": item["livemode"],
        "payment_intent": None,
        "received": 0,
        "currency": item.get("currency"),
        "customer": reference(item.get("customer")),
        "back": 0,
        "withheld": 0,
        "failure": None,
        "failure_code": None,
        "session": None,
        "invoice": None,
    }


async def payment_of(
    api: StripeApi, kind: str | None, identifier: str | None, *, account: str = ""
) -> str | None:
    """The payment key of an object that an event only named.

    Raises:
        GoneError: Stripe answers 404.
    """
    services: dict[Any, str] = {
        "charge": "charges",
        "refund": "refunds",
        "dispute": "disputes",
        "radar.early_fraud_warning": "radar.early_fraud_warnings",
    }
    if identifier is None:
        return None
    if kind in ("payment_intent", "checkout.session", "invoice"):
        return keyed(account, identifier)
    if kind not in services:
        return None
    try:
        item = await api.retrieve(services[kind], identifier, account=account)
        intent = reference(item.get("payment_intent"))
        charge = reference(item.get("charge"))
        if intent is None and charge is not None:
            intent = reference((await api.retrieve("charges", charge, account=account)).get("payment_intent"))
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:  # noqa: PLR2004  # not found
            raise GoneError(f"Stripe knows no {identifier}.") from error
        raise
    return None if intent is None else keyed(account, intent)
