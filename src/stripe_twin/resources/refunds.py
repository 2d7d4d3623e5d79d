"""Refunds: never more than the charge, possibly pending, possibly failing later."""

from typing import Literal

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import Amount, CreatedPageParams, Metadata, Params, merged_metadata
from stripe_twin.resources.payments import record_balance
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

RefundStatus = Literal["succeeded", "pending", "failed", "canceled", "requires_action"]
Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]


class RefundCreate(Params):
    """POST /v1/refunds."""

    payment_intent: str | None = None
    charge: str | None = None
    amount: Amount | None = None
    reason: Reason | None = None
    metadata: Metadata | None = None


class RefundUpdate(Params):
    """POST /v1/refunds/{id}."""

    metadata: Metadata | None = None


class RefundList(CreatedPageParams):
    """GET /v1/refunds."""

    payment_intent: str | None = None
    charge: str | None = None


def charge_of(space: Space, identifier: str, *, param: str = "payment_intent") -> Json:
    """The paid charge behind a payment intent or charge id."""
    if identifier.startswith(("ch_", "py_")):
        return space.get("charge", identifier, param="charge")
    intent = space.get("payment_intent", identifier, param=param)
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        raise invalid(
            f"This PaymentIntent ({identifier}) does not have a successful charge to refund.", param=param
        )
    return space.get("charge", intent["latest_charge"])


def _check(space: Space, charge: Json, amount: int) -> None:
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise invalid(f"Charge {charge['id']} has not succeeded and cannot be refunded.")
    if charge["disputed"] and any(
        dispute["charge"] == charge["id"]
        and not dispute["is_charge_refundable"]
        and dispute["status"] != "won"
        for dispute in space.rows("dispute")
    ):
        raise invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if left <= 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise invalid(message, code="charge_already_refunded")
    if amount < 1:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise invalid(message, param="amount")


def _first_status(space: Space, charge: Json) -> RefundStatus:
    method = space.find(charge["payment_method"] or "") or {}
    return "pending" if method.get("_outcome") in ("card_refund_pending", "sepa") else "succeeded"


def make_refund(
    world: World,
    space: Space,
    charge: Json,
    *,
    amount: int | None = None,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
    status: RefundStatus | None = None,
    is_lie: bool = False,
) -> Json:
    """Give money back. ``is_lie`` skips the bounds: a peer that refunds more than it took."""
    asked = charge["amount_captured"] - charge["amount_refunded"] if amount is None else amount
    if not is_lie:
        _check(space, charge, asked)
    kind = charge["payment_method_details"]["type"]
    refund = world.make(
        space,
        "refund",
        {
            "amount": asked,
            "currency": charge["currency"],
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "customer": charge["customer"],
            "reason": reason,
            "metadata": metadata or {},
            "status": status or _first_status(space, charge),
            "destination_details": {"type": kind, kind: {"type": "refund"} if kind == "card" else {}},
        },
    )
    refund["balance_transaction"] = record_balance(
        world,
        space,
        {
            "amount": -asked,
            "currency": charge["currency"],
            "type": "refund",
            "reporting_category": "refund",
            "source": refund["id"],
            "description": "REFUND FOR CHARGE",
        },
    )["id"]
    _add_to_charge(charge, asked)
    world.emit(space, "refund.created", refund)
    world.emit(space, "charge.refunded", charge)
    return refund


def _add_to_charge(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"]


def settle_refund(world: World, space: Space, refund: Json, status: RefundStatus) -> Json:
    """What became of a refund: a failed or cancelled one gives the money back to the account."""
    if refund["status"] in ("failed", "canceled"):
        raise invalid(f"The refund is {refund['status']} already.")
    previous = {"status": refund["status"]}
    refund["status"] = status
    if status in ("failed", "canceled"):
        charge = space.get("charge", refund["charge"])
        _add_to_charge(charge, -refund["amount"])
        balance = record_balance(
            world,
            space,
            {
                "amount": refund["amount"],
                "currency": refund["currency"],
                "type": "refund_failure",
                "reporting_category": "refund_failure",
                "source": refund["id"],
                "description": "REFUND FAILURE",
            },
        )
        refund["failure_balance_transaction"] = balance["id"]
    if status == "failed":
        refund["failure_reason"] = "lost_or_stolen_card"
        world.emit(space, "refund.failed", refund)
    world.emit(space, "refund.updated", refund, previous=previous)
    world.emit(space, "charge.refund.updated", refund, previous=previous)
    return refund


@route("POST", "/v1/refunds")
def create_refund(call: Call) -> Json:
    """Refund a payment wholly or in part."""
    params = call.read(RefundCreate)
    if (params.payment_intent is None) == (params.charge is None):
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    charge = charge_of(call.space, params.payment_intent or params.charge or "")
    return make_refund(
        call.world,
        call.space,
        charge,
        amount=params.amount,
        reason=params.reason,
        metadata=merged_metadata({}, params.metadata),
    )


@route("GET", "/v1/refunds")
def list_refunds(call: Call) -> Json:
    """List refunds."""
    params = call.read(RefundList)
    return call.page(
        "refund",
        params,
        lambda r: same(params.payment_intent, r["payment_intent"]) and same(params.charge, r["charge"]),
    )


@route("GET", "/v1/charges/{id}/refunds")
def list_refunds_of_charge(call: Call) -> Json:
    """The refunds of one charge."""
    charge = call.item("charge")
    return call.page("refund", call.read(RefundList), lambda r: bool(r["charge"] == charge["id"]))


@route("GET", "/v1/refunds/{id}")
def retrieve_refund(call: Call) -> Json:
    """One refund."""
    return call.item("refund")


@route("POST", "/v1/refunds/{id}")
def update_refund(call: Call) -> Json:
    """Change a refund's metadata."""
    refund, params = call.item("refund"), call.read(RefundUpdate)
    refund["metadata"] = merged_metadata(refund["metadata"], params.metadata)
    call.world.emit(call.space, "refund.updated", refund)
    return refund


@route("POST", "/v1/refunds/{id}/cancel")
def cancel_refund(call: Call) -> Json:
    """Cancel a refund that has not gone out."""
    refund = call.item("refund")
    call.read(Params)
    if refund["status"] not in ("pending", "requires_action"):
        raise invalid(f"A refund with status {refund['status']} cannot be canceled.")
    return settle_refund(call.world, call.space, refund, "canceled")
