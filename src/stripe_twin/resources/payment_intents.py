"""The routes of payment intents and charges."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import Amount, CreatedPageParams, Metadata, Params, merged_metadata
from stripe_twin.resources import payments
from stripe_twin.resources.customers import live_customer, search_page
from stripe_twin.resources.payment_methods import find_method
from stripe_twin.shapes import Json


class IntentCreate(Params):
    """POST /v1/payment_intents."""

    amount: Annotated[int, Field(ge=1, le=99_999_999)]
    currency: str
    customer: str | None = None
    payment_method: str | None = None
    payment_method_types: list[str] | None = None
    automatic_payment_methods: dict[str, Any] | None = None
    confirm: bool = False
    off_session: bool | Literal["one_off", "recurring"] = False
    error_on_requires_action: bool = False
    setup_future_usage: Literal["off_session", "on_session"] | None = None
    capture_method: Literal["automatic", "automatic_async"] = "automatic"
    return_url: str | None = None
    description: str | None = None
    receipt_email: str | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    metadata: Metadata | None = None


class IntentConfirm(Params):
    """POST /v1/payment_intents/{id}/confirm."""

    payment_method: str | None = None
    off_session: bool | Literal["one_off", "recurring"] = False
    return_url: str | None = None
    receipt_email: str | None = None
    setup_future_usage: Literal["off_session", "on_session"] | None = None
    error_on_requires_action: bool = False


class IntentUpdate(Params):
    """POST /v1/payment_intents/{id}."""

    amount: Amount | None = None
    description: str | None = None
    customer: str | None = None
    receipt_email: str | None = None
    metadata: Metadata | None = None


class IntentCancel(Params):
    """POST /v1/payment_intents/{id}/cancel."""

    cancellation_reason: Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"] | None = (
        None
    )


class IntentList(CreatedPageParams):
    """GET /v1/payment_intents."""

    customer: str | None = None


class ChargeList(CreatedPageParams):
    """GET /v1/charges."""

    payment_intent: str | None = None
    customer: str | None = None


class ChargeUpdate(Params):
    """POST /v1/charges/{id}."""

    description: str | None = None
    receipt_email: str | None = None
    metadata: Metadata | None = None


def _charge_method(call: Call, intent: Json, identifier: str, params: IntentCreate | IntentConfirm) -> None:
    method = find_method(call.world, call.space, identifier)
    if method["customer"] not in (None, intent["customer"]):
        raise invalid("The provided PaymentMethod belongs to another customer.", param="payment_method")
    off_session = bool(params.off_session)
    if (
        off_session
        and intent["customer"] is not None
        and method["customer"] is None
        and method["id"] == identifier
    ):
        message = (
            "The provided PaymentMethod was not attached to the customer and cannot be charged off-session."
        )
        raise invalid(message, param="payment_method")
    payments.confirm(
        call.world,
        call.space,
        intent,
        method,
        off_session=off_session,
        refuses_action=params.error_on_requires_action,
        return_url=params.return_url,
    )


@route("POST", "/v1/payment_intents")
def create_intent(call: Call) -> Json:
    """Make a payment intent, and confirm it when asked."""
    params = call.read(IntentCreate)
    live_customer(call.space, params.customer)
    if params.off_session and not params.confirm:
        raise invalid("off_session can only be set when confirm is true.", param="off_session")
    if params.confirm and params.payment_method is None:
        raise invalid("A payment method is needed to confirm.", param="payment_method")
    names = ("amount", "customer", "setup_future_usage", "description", "receipt_email", "capture_method")
    values: Json = {name: getattr(params, name) for name in names}
    values |= {
        "currency": params.currency.lower(),
        "statement_descriptor": params.statement_descriptor,
        "statement_descriptor_suffix": params.statement_descriptor_suffix,
        "automatic_payment_methods": params.automatic_payment_methods,
        "payment_method_types": params.payment_method_types or ["card"],
        "metadata": merged_metadata({}, params.metadata),
    }
    intent = payments.make_intent(call.world, call.space, values)
    if params.confirm and params.payment_method is not None:
        _charge_method(call, intent, params.payment_method, params)
    elif params.payment_method is not None:
        method = find_method(call.world, call.space, params.payment_method)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return intent


@route("GET", "/v1/payment_intents")
def list_intents(call: Call) -> Json:
    """List payment intents."""
    params = call.read(IntentList)
    return call.page("payment_intent", params, lambda i: same(params.customer, i["customer"]))


@route("GET", "/v1/payment_intents/search")
def search_intents(call: Call) -> Json:
    """Search payment intents; at once consistent, which Stripe's own search is not."""
    return search_page(call, "payment_intent")


@route("GET", "/v1/payment_intents/{id}")
def retrieve_intent(call: Call) -> Json:
    """One payment intent."""
    return call.item("payment_intent")


@route("POST", "/v1/payment_intents/{id}")
def update_intent(call: Call) -> Json:
    """Change an intent; the amount only before it was paid."""
    intent, params = call.item("payment_intent"), call.read(IntentUpdate)
    if params.amount is not None and intent["status"] not in payments.CONFIRMABLE:
        message = (
            f"This PaymentIntent's amount could not be updated because it has a status of {intent['status']}."
        )
        raise invalid(message, code="payment_intent_unexpected_state")
    intent |= params.given("amount", "description", "customer", "receipt_email")
    intent["metadata"] = merged_metadata(intent["metadata"], params.metadata)
    return intent


@route("POST", "/v1/payment_intents/{id}/confirm")
def confirm_intent(call: Call) -> Json:
    """Charge the intent."""
    intent, params = call.item("payment_intent"), call.read(IntentConfirm)
    identifier = params.payment_method or intent["payment_method"]
    if identifier is None:
        raise invalid("A payment method is needed to confirm.", param="payment_method")
    intent |= params.given("receipt_email", "setup_future_usage")
    _charge_method(call, intent, identifier, params)
    return intent


@route("POST", "/v1/payment_intents/{id}/cancel")
def cancel_intent(call: Call) -> Json:
    """Give the intent up."""
    intent, params = call.item("payment_intent"), call.read(IntentCancel)
    payments.cancel(call.world, call.space, intent, params.cancellation_reason)
    return intent


@route("GET", "/v1/charges")
def list_charges(call: Call) -> Json:
    """List charges."""
    params = call.read(ChargeList)
    return call.page(
        "charge",
        params,
        lambda c: same(params.payment_intent, c["payment_intent"]) and same(params.customer, c["customer"]),
    )


@route("GET", "/v1/charges/{id}")
def retrieve_charge(call: Call) -> Json:
    """One charge."""
    return call.item("charge")


@route("POST", "/v1/charges/{id}")
def update_charge(call: Call) -> Json:
    """Change a charge's words."""
    charge, params = call.item("charge"), call.read(ChargeUpdate)
    charge |= params.given("description", "receipt_email")
    charge["metadata"] = merged_metadata(charge["metadata"], params.metadata)
    call.world.emit(call.space, "charge.updated", charge)
    return charge
