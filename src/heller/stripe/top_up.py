"""Automatic top-up: a saved card is charged when credits run low. Whether and when is decided in SQL.

The order is the lock: one at a time per account. It is let go only when the payment is known to be paid or
cancelled, never because time passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import stripe
import structlog

from heller.database import Database, call, call_many
from heller.errors import HellerError
from heller.stripe.api import Json, StripeApi
from heller.stripe.checkout import Order, as_order, new_order_id
from heller.stripe.converge import Converged, converge
from heller.stripe.customers import customer_of
from heller.stripe.said import said

LIFETIME_SECONDS = 3_600
RULES_MAX = 100
INTENTS_LOOKED_AT_MAX = 500
PAGE = 100
PAGES_MAX = 1_000
CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")

log = structlog.get_logger("heller.stripe")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRule:
    """When available falls below ``threshold``, buy ``quantity`` of ``price``.

    ``ceiling`` is the most it may cost within ``ceiling_days``, in minor units. An account's stored rule pauses after
    failures in a row, and then nothing tops the account up until ``resume_top_up``.
    """

    account: str
    threshold: int
    price: str
    unit: str = "credit"
    quantity: int = 1
    payment_method: str | None = None
    ceiling: int | None = None
    ceiling_days: int = 30
    cooldown_seconds: int = 300


class TopUpRules(Protocol):
    """Where rules come from: those whose account may be below its threshold now."""

    async def due(self, limit: int) -> Sequence[TopUpRule]:
        """At most ``limit`` of them."""

    async def declined(self, rule: TopUpRule, detail: str) -> None:
        """One was not charged, or is under way; how a charge ended is written down with its order."""


class StoredRules:
    """The rules kept in ``heller.top_up_rules``, which also counts failures and pauses by itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, limit: int) -> Sequence[TopUpRule]:
        """Rules whose account is below its threshold now, not paused and cooled down."""
        async with self._database.connection() as connection:
            rows = await call_many(connection, "due_top_ups", limit=limit)
        names = (
            "account",
            "unit",
            "threshold",
            "price",
            "quantity",
            "ceiling",
            "ceiling_days",
            "cooldown_seconds",
        )
        return [TopUpRule(**{name: row[name] for name in names}) for row in rows]

    async def declined(self, rule: TopUpRule, detail: str) -> None:
        """Write it down with the rule: it cools down before the next attempt."""
        async with self._database.connection() as connection:
            await call(
                connection,
                "record_top_up",
                account_id=rule.account,
                outcome="declined",
                detail=detail,
                unit=rule.unit,
            )


@dataclass(frozen=True, slots=True)
class TopUp:
    """What came of it.

    ``outcome``: paid, processing, requires_action (the buyer must authenticate with ``client_secret``), failed,
    unknown (Stripe did not answer; settled later), or declined with the ``reason`` (enough, cooldown, ...).
    """

    outcome: str
    reason: str | None = None
    order: Order | None = None
    client_secret: str | None = None
    converged: Converged | None = None


async def top_up(database: Database, api: StripeApi, rule: TopUpRule) -> TopUp:
    """Top up one account now, if its rule says so.

    Raises:
        UnknownAccount, InvalidArgument: the rule names an account or a price that is not there.
    """
    async with database.connection() as connection:
        account = await call(connection, "balance", account_id=rule.account, unit=rule.unit)
    if account["available"] >= rule.threshold:
        return TopUp("declined", "enough")
    customer = await customer_of(database, api, account["user"] or rule.account)
    method = rule.payment_method or await _saved_method(api, customer)
    if method is None:
        return TopUp("declined", "no_payment_method")
    async with database.connection() as connection:
        raw = await call(
            connection,
            "stripe_begin_top_up",
            order_id=new_order_id(),
            account_id=rule.account,
            price=rule.price,
            threshold=rule.threshold,
            livemode=api.settings.livemode,
            unit=rule.unit,
            quantity=rule.quantity,
            ceiling=rule.ceiling,
            ceiling_days=rule.ceiling_days,
            cooldown_seconds=rule.cooldown_seconds,
            lifetime_seconds=LIFETIME_SECONDS,
            customer=customer,
        )
    if "declined" in raw:
        return TopUp("declined", raw["declined"])
    return await _charge(database, api, as_order(raw), method)


async def _saved_method(api: StripeApi, customer: str) -> str | None:
    found = await api.retrieve("customers", customer)
    if found.get("deleted"):  # and its cards with it
        return None
    default = (found.get("invoice_settings") or {}).get("default_payment_method")
    if default:
        return str(default["id"] if isinstance(default, dict) else default)
    async for method in api.pages("payment_methods", {"customer": customer}, limit=1):
        return str(method["id"])
    return None


async def _charge(database: Database, api: StripeApi, order: Order, method: str) -> TopUp:
    params: Json = {
        "amount": order.amount,
        "currency": order.currency,
        "customer": order.stripe_customer,
        "payment_method": method,
        "off_session": True,
        "confirm": True,
        "description": "automatic top-up",
        "metadata": {"order_id": order.order_id},
    }
    try:
        intent = await api.create("payment_intents", params, key=order.order_id)
    except stripe.CardError as error:
        failed: Any = error.json_body
        unpaid: Json | None = ((failed or {}).get("error") or {}).get("payment_intent")
        if unpaid is None:
            await _update(database, order, state="failed", failure=error.user_message)
            return TopUp("failed", error.user_message, order)
        return await _refused(database, api, order, unpaid, error)
    except stripe.InvalidRequestError as error:
        await _update(database, order, state="failed", failure=said(error))
        return TopUp("failed", said(error), order)
    except stripe.StripeError as error:
        return TopUp("unknown", said(error), order)  # the order stays open: release_overdue finds out
    await _update(database, order, payment_intent=intent["id"])
    outcome = await converge(database, api, intent["id"], cause="top-up")
    word = {"settled": "paid", "processing": "processing"}.get(outcome.state or "", "requires_action")
    return TopUp(word, None, order, intent.get("client_secret"), outcome)


async def _refused(
    database: Database, api: StripeApi, order: Order, intent: Json, error: stripe.CardError
) -> TopUp:
    await _update(database, order, payment_intent=intent["id"])
    if error.code == "authentication_required":
        await _update(database, order, state="requires_action", failure=error.user_message)
        return TopUp("requires_action", error.user_message, order, intent.get("client_secret"))
    await _give_up(database, api, order, intent["id"], "failed")
    return TopUp("failed", error.user_message, order)


async def _give_up(database: Database, api: StripeApi, order: Order, intent_id: str, state: str) -> str:
    """Cancel the payment, and let the order go only when Stripe says that it is cancelled."""
    intent = await api.retrieve("payment_intents", intent_id)
    if intent["status"] in CANCELABLE:
        intent = await api.act("payment_intents", "cancel", intent_id)
    if intent["status"] == "canceled":
        await _update(database, order, state=state)
        return state
    outcome = await converge(database, api, intent_id, cause="top-up")
    return outcome.state or outcome.outcome


async def release_overdue(database: Database, api: StripeApi, *, now: datetime | None = None) -> int:
    """Settle top-ups whose time is over: paid ones are credited, the others cancelled. Says how many.

    Raises:
        stripe.StripeError, HellerError: the last of those that could not be settled, when all were tried.
    """
    at, after, count = now or datetime.now(UTC), "", 0
    trouble: Exception | None = None
    for _ in range(PAGES_MAX):
        async with database.connection() as connection:
            rows = await call_many(connection, "stripe_overdue_top_ups", at=at, after=after, limit=PAGE)
        for order in map(as_order, rows):
            try:
                await _settle(database, api, order)
                count += 1
            except (stripe.StripeError, HellerError) as error:  # one account's trouble stops no other
                log.warning("a top-up could not be settled", order=order.order_id, error=said(error))
                trouble = error
        if len(rows) < PAGE:
            break
        after = rows[-1]["order_id"]
    if trouble is not None:
        raise trouble
    return count


async def _settle(database: Database, api: StripeApi, order: Order) -> None:
    intent = order.payment_intent or await _intent_at_stripe(api, order)
    if intent is None:
        await _update(database, order, state="canceled", failure="Stripe never made a payment for it")
        return
    await _update(database, order, payment_intent=intent)
    await _give_up(database, api, order, intent, "canceled")


async def _intent_at_stripe(api: StripeApi, order: Order) -> str | None:
    query: Json = {"created": {"gte": int(order.placed_at.timestamp()) - 300}}
    if order.stripe_customer is not None:
        query["customer"] = order.stripe_customer
    async for intent in api.pages("payment_intents", query, limit=INTENTS_LOOKED_AT_MAX):
        if (intent.get("metadata") or {}).get("order_id") == order.order_id:
            return str(intent["id"])
    return None


async def run_rules(database: Database, api: StripeApi, rules: TopUpRules) -> list[TopUp]:
    """Top up whatever is due; one account's trouble does not stop the others."""
    results: list[TopUp] = []
    for rule in await rules.due(RULES_MAX):
        try:
            result = await top_up(database, api, rule)
        except (stripe.StripeError, HellerError) as error:
            result = TopUp("unknown", str(error))
        results.append(result)
        if result.outcome not in ("paid", "failed"):
            await rules.declined(rule, result.reason or result.outcome)
    return results


async def _update(database: Database, order: Order, **changes: Any) -> None:
    async with database.connection() as connection:
        await call(connection, "stripe_update_order", order_id=order.order_id, **changes)
