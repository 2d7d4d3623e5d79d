"""Disputes and early fraud warnings: an inquiry withholds nothing, a dispute takes the money until it is won."""

from typing import Any, Literal

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import CreatedPageParams, Metadata, Params, merged_metadata
from stripe_twin.resources.payments import record_balance
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

DisputeStatus = Literal[
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
    "prevented",
]
CLOSED = ("warning_closed", "won", "lost", "prevented")
WITHDRAWN = ("needs_response", "under_review", "lost")
FEE = 2000
DAYS_TO_ANSWER = 9
DAY_SECONDS = 86_400


class DisputeUpdate(Params):
    """POST /v1/disputes/{id}."""

    evidence: dict[str, Any] | None = None
    submit: bool = True
    metadata: Metadata | None = None


class DisputeList(CreatedPageParams):
    """GET /v1/disputes."""

    payment_intent: str | None = None
    charge: str | None = None


def _withdraw(world: World, space: Space, dispute: Json) -> None:
    balance = _move(world, space, dispute, -dispute["amount"], "Chargeback withdrawal")
    dispute["balance_transactions"].append({k: v for k, v in balance.items() if not k.startswith("_")})
    dispute["_is_withdrawn"] = True
    world.emit(space, "charge.dispute.funds_withdrawn", dispute)


def _move(world: World, space: Space, dispute: Json, amount: int, words: str) -> Json:
    return record_balance(
        world,
        space,
        {
            "amount": amount,
            "currency": dispute["currency"],
            "fee": FEE if amount < 0 else 0,
            "type": "adjustment",
            "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
            "source": dispute["id"],
            "description": f"{words} for {dispute['charge']}",
        },
    )


def make_dispute(
    world: World, space: Space, charge: Json, *, amount: int | None, status: DisputeStatus, reason: str
) -> Json:
    """The buyer's bank asks (``warning_*``) or takes the money back."""
    kind = charge["payment_method_details"]["type"]
    is_inquiry = status.startswith("warning")
    dispute = world.make(
        space,
        "dispute",
        {
            "amount": charge["amount"] if amount is None else amount,
            "currency": charge["currency"],
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": status,
            "is_charge_refundable": is_inquiry,
            "payment_method_details": {
                "type": kind,
                kind: {
                    "brand": "visa",
                    "case_type": "inquiry" if is_inquiry else "chargeback",
                    "network_reason_code": "10.4",
                },
            },
            "_is_withdrawn": False,
        },
    )
    due = world.clock.timestamp() + DAYS_TO_ANSWER * DAY_SECONDS
    dispute["evidence_details"]["due_by"] = due
    charge["disputed"] = True
    world.emit(space, "charge.dispute.created", dispute)
    if status in WITHDRAWN:
        _withdraw(world, space, dispute)
    return dispute


def move_dispute(world: World, space: Space, dispute: Json, status: DisputeStatus) -> Json:
    """Take a dispute to another status, with the money and the events that belong to it."""
    if dispute["status"] in CLOSED:
        raise invalid(f"This dispute is closed: {dispute['status']}.")
    previous = {"status": dispute["status"]}
    dispute["status"] = status
    dispute["is_charge_refundable"] = status.startswith("warning") or status == "won"
    if status in WITHDRAWN and not dispute["_is_withdrawn"]:
        _withdraw(world, space, dispute)
    if status == "won" and dispute["_is_withdrawn"]:
        balance = _move(world, space, dispute, dispute["amount"], "Chargeback reversal")
        dispute["balance_transactions"].append({k: v for k, v in balance.items() if not k.startswith("_")})
        dispute["_is_withdrawn"] = False
        world.emit(space, "charge.dispute.funds_reinstated", dispute)
    name = "charge.dispute.closed" if status in CLOSED else "charge.dispute.updated"
    world.emit(space, name, dispute, previous=previous)
    return dispute


@route("GET", "/v1/disputes")
def list_disputes(call: Call) -> Json:
    """List disputes."""
    params = call.read(DisputeList)
    return call.page(
        "dispute",
        params,
        lambda d: same(params.payment_intent, d["payment_intent"]) and same(params.charge, d["charge"]),
    )


@route("GET", "/v1/disputes/{id}")
def retrieve_dispute(call: Call) -> Json:
    """One dispute."""
    return call.item("dispute")


@route("POST", "/v1/disputes/{id}")
def update_dispute(call: Call) -> Json:
    """Answer a dispute with evidence."""
    dispute, params = call.item("dispute"), call.read(DisputeUpdate)
    dispute["metadata"] = merged_metadata(dispute["metadata"], params.metadata)
    if params.evidence is None:
        return dispute
    dispute["evidence"] |= params.evidence
    dispute["evidence_details"] |= {"has_evidence": True}
    if params.submit:
        dispute["evidence_details"]["submission_count"] += 1
        status: DisputeStatus = (
            "warning_under_review" if dispute["status"].startswith("warning") else "under_review"
        )
        return move_dispute(call.world, call.space, dispute, status)
    return dispute


@route("POST", "/v1/disputes/{id}/close")
def close_dispute(call: Call) -> Json:
    """Accept a dispute: it is lost."""
    dispute = call.item("dispute")
    call.read(Params)
    return move_dispute(call.world, call.space, dispute, "lost")


def warn_of_fraud(world: World, space: Space, charge: Json) -> Json:
    """The card's issuer suspects fraud; no money moves."""
    warning = world.make(
        space,
        "radar.early_fraud_warning",
        {
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "fraud_type": "made_with_stolen_card",
            "actionable": not charge["refunded"] and not charge["disputed"],
        },
    )
    world.emit(space, "radar.early_fraud_warning.created", warning)
    return warning


@route("GET", "/v1/radar/early_fraud_warnings")
def list_fraud_warnings(call: Call) -> Json:
    """List early fraud warnings."""
    params = call.read(DisputeList)
    return call.page(
        "radar.early_fraud_warning",
        params,
        lambda w: same(params.payment_intent, w["payment_intent"]) and same(params.charge, w["charge"]),
    )


@route("GET", "/v1/radar/early_fraud_warnings/{id}")
def retrieve_fraud_warning(call: Call) -> Json:
    """One early fraud warning."""
    return call.item("radar.early_fraud_warning")
