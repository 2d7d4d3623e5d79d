"""The life of a payment intent and its charge: confirm, authenticate, succeed, fail, settle, cancel.

Only :func:`succeed` moves money, once per intent: ``amount_received`` and the balance transaction come from there.
"""

from dataclasses import dataclass

from stripe_twin.errors import ApiError, invalid
from stripe_twin.resources.payment_methods import attach
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

FEE_FIXED = 25
FEE_PER_MILLE = 15
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a charge failed, in the codes of the API."""

    code: str
    message: str
    decline_code: str | None = None


DECLINES = {
    "card_declined": Decline("card_declined", "Your card was declined.", "generic_decline"),
    "card_insufficient_funds": Decline(
        "card_declined", "Your card has insufficient funds.", "insufficient_funds"
    ),
    "authentication_required": Decline(
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
        "authentication_required",
    ),
    "authentication_failure": Decline(
        "payment_intent_authentication_failure",
        "The provided PaymentMethod has failed authentication.",
    ),
    "sepa": Decline("payment_method_provider_decline", "The bank returned the debit.", "generic_decline"),
}


def make_intent(world: World, space: Space, values: Json) -> Json:
    """A new payment intent, waiting for a method."""
    intent = world.make(space, "payment_intent", values)
    intent["client_secret"] = f"{intent['id']}_secret_{world.token()}"
    world.emit(space, "payment_intent.created", intent)
    return intent


def record_balance(world: World, space: Space, values: Json) -> Json:
    """A line of the account's balance: amount, fee and what is left."""
    now = world.clock.timestamp()
    values = {"fee": 0, "available_on": now, **values}
    return world.make(space, "balance_transaction", values | {"net": values["amount"] - values["fee"]})


def _charge(world: World, space: Space, intent: Json, method: Json) -> Json:
    is_card = method["type"] == "card"
    details = dict(method[method["type"]])
    for name in ("display_brand", "generated_from", "networks", "three_d_secure_usage"):
        details.pop(name, None)
    if is_card:
        details |= {
            "network": details["brand"],
            "mandate": None,
            "three_d_secure": None,
            "installments": None,
        }
    charge = world.make(
        space,
        "charge",
        {
            "amount": intent["amount"],
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "metadata": dict(intent["metadata"]),
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"type": method["type"], method["type"]: details},
            "billing_details": dict(method["billing_details"]),
            "receipt_email": intent["receipt_email"],
        },
    )
    if not is_card:  # Stripe gives charges of other methods another prefix
        space.remove(charge["id"])
        charge["id"] = charge["id"].replace("ch_", "py_")
        space.put("charge", charge)
    charge["receipt_url"] = f"{world.base_url}/receipts/{charge['id']}"
    intent["latest_charge"] = charge["id"]
    return charge


def succeed(world: World, space: Space, intent: Json, charge: Json) -> None:
    """The money arrived."""
    fee = FEE_FIXED + charge["amount"] * FEE_PER_MILLE // 1000
    balance = record_balance(
        world,
        space,
        {
            "amount": charge["amount"],
            "currency": charge["currency"],
            "fee": fee,
            "type": "charge",
            "reporting_category": "charge",
            "source": charge["id"],
            "description": charge["description"],
        },
    )
    charge |= {
        "status": "succeeded",
        "paid": True,
        "captured": True,
        "amount_captured": charge["amount"],
        "balance_transaction": balance["id"],
        "outcome": {
            "advice_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
    }
    intent |= {
        "status": "succeeded",
        "amount_received": charge["amount"],
        "next_action": None,
        "processing": None,
        "last_payment_error": None,
    }
    world.emit(space, "charge.succeeded", charge)
    world.emit(space, "payment_intent.succeeded", intent)


def fail(world: World, space: Space, intent: Json, decline: Decline, *, charge: Json | None = None) -> Json:
    """The attempt failed; the intent waits for another method. Returns the ``last_payment_error``."""
    error: Json = {"type": "card_error", "code": decline.code, "message": decline.message, "param": ""}
    if decline.decline_code is not None:
        error["decline_code"] = decline.decline_code
    if charge is not None:
        charge |= {
            "status": "failed",
            "paid": False,
            "failure_code": decline.code,
            "failure_message": decline.message,
            "outcome": {
                "advice_code": None,
                "network_status": "declined_by_network",
                "reason": decline.decline_code,
                "risk_level": "normal",
                "seller_message": "The bank did not return any further details with this decline.",
                "type": "issuer_declined",
            },
        }
        error["charge"] = charge["id"]
    shown_error = error | {"payment_method": {"id": intent["payment_method"], "object": "payment_method"}}
    intent |= {
        "status": "requires_payment_method",
        "next_action": None,
        "processing": None,
        "last_payment_error": shown_error,
        "payment_method": None,
    }
    if charge is not None:
        world.emit(space, "charge.failed", charge)
    world.emit(space, "payment_intent.payment_failed", intent)
    return error


def _ask_for_authentication(world: World, space: Space, intent: Json, return_url: str | None) -> None:
    intent["_return_url"] = return_url
    url = f"{world.base_url}/authenticate/{intent['id']}"
    intent |= {
        "status": "requires_action",
        "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": return_url}},
    }
    world.emit(space, "payment_intent.requires_action", intent)


def confirm(
    world: World,
    space: Space,
    intent: Json,
    method: Json,
    *,
    off_session: bool = False,
    refuses_action: bool = False,
    return_url: str | None = None,
) -> None:
    """Charge a method; the intent's status tells what came of it, a card error is raised as the API does (402)."""
    if intent["status"] not in CONFIRMABLE:
        message = f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
        raise invalid(message, code="payment_intent_unexpected_state")
    outcome = method["_outcome"]
    intent["payment_method"] = method["id"]
    intent["payment_method_types"] = sorted({*intent["payment_method_types"], method["type"]})
    decline: Decline | None = DECLINES.get(outcome) if outcome.startswith("card") else None
    if (outcome == "card_3ds" and off_session) or (outcome in ("card_3ds", "card_action") and refuses_action):
        decline = DECLINES["authentication_required"]
    elif outcome in ("card_3ds", "card_action"):
        _ask_for_authentication(world, space, intent, return_url)
        return
    charge = _charge(world, space, intent, method)
    if decline is not None:
        error = fail(world, space, intent, decline, charge=charge)
        public = {k: v for k, v in intent.items() if not k.startswith("_")}
        extra = {"payment_intent": public, "charge": charge["id"], "decline_code": error.get("decline_code")}
        raise ApiError(402, decline.message, kind="card_error", code=decline.code, extra=extra)
    if method["type"] == "sepa_debit":
        charge |= {"status": "pending", "captured": True, "amount_captured": charge["amount"]}
        intent |= {"status": "processing", "processing": {"type": "sepa_debit"}}
        intent["_settles_at"] = None
        if world.sepa_settles_after_seconds is not None:
            intent["_settles_at"] = world.clock.now() + world.sepa_settles_after_seconds
        world.emit(space, "charge.pending", charge)
        world.emit(space, "payment_intent.processing", intent)
    else:
        succeed(world, space, intent, charge)
    if intent["setup_future_usage"] is not None and intent["customer"] is not None:
        attach(world, space, method, intent["customer"])


def authenticate(world: World, space: Space, intent: Json, *, is_approved: bool) -> None:
    """The buyer answered the bank's challenge."""
    if intent["status"] != "requires_action":
        raise invalid(f"This PaymentIntent does not wait for an answer; its status is {intent['status']}.")
    method = space.get("payment_method", intent["payment_method"])
    if not is_approved:
        fail(world, space, intent, DECLINES["authentication_failure"])
        return
    charge = _charge(world, space, intent, method)
    charge["payment_method_details"]["card"]["three_d_secure"] = {
        "authentication_flow": "challenge",
        "result": "authenticated",
        "result_reason": None,
        "version": "2.2.0",
    }
    succeed(world, space, intent, charge)
    if intent["setup_future_usage"] is not None and intent["customer"] is not None:
        attach(world, space, method, intent["customer"])


def settle(world: World, space: Space, intent: Json, *, is_paid: bool) -> None:
    """The bank answered a debit that was under way."""
    if intent["status"] != "processing":
        raise invalid(f"This PaymentIntent is not processing; its status is {intent['status']}.")
    intent["_settles_at"] = None
    charge = space.get("charge", intent["latest_charge"])
    if is_paid:
        succeed(world, space, intent, charge)
    else:
        fail(world, space, intent, DECLINES["sepa"], charge=charge)


def cancel(world: World, space: Space, intent: Json, reason: str | None) -> None:
    """Give an intent up; refused when money arrived or is on its way."""
    if intent["status"] not in CONFIRMABLE:
        message = f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
        raise invalid(message, code="payment_intent_unexpected_state")
    intent |= {
        "status": "canceled",
        "canceled_at": world.clock.timestamp(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    world.emit(space, "payment_intent.canceled", intent)
