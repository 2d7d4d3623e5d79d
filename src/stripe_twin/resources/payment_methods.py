"""Payment methods and setup intents. A method carries its behaviour: what happens when it is charged."""

from typing import Any, Literal

from pydantic import Field

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import CreatedPageParams, Metadata, PageParams, Params, merged_metadata
from stripe_twin.resources.customers import live_customer
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

Outcome = Literal[
    "card",
    "card_3ds",
    "card_action",
    "card_declined",
    "card_insufficient_funds",
    "card_refund_pending",
    "card_refund_fail",
    "sepa",
    "sepa_fail",
]
OUTCOMES: tuple[Outcome, ...] = Outcome.__args__  # type: ignore[attr-defined]

# The test methods of Stripe's documentation, by what they do.
TEST_METHODS: dict[str, Outcome] = {
    "pm_card_visa": "card",
    "pm_card_mastercard": "card",
    "pm_card_authenticationRequired": "card_3ds",
    "pm_card_threeDSecure2Required": "card_3ds",
    "pm_card_visa_chargeDeclined": "card_declined",
    "pm_card_chargeCustomerFail": "card_declined",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "card_insufficient_funds",
    "pm_card_pendingRefund": "card_refund_pending",
    "pm_card_refundFail": "card_refund_fail",
}
LAST4 = {
    "card": "4242",
    "card_3ds": "3184",
    "card_action": "3155",
    "card_declined": "0002",
    "card_insufficient_funds": "9995",
    "card_refund_pending": "7726",
    "card_refund_fail": "5126",
}


class MethodCreate(Params):
    """POST /v1/payment_methods: test cards only, by token or number."""

    type: Literal["card", "sepa_debit"]
    card: dict[str, Any] | None = None
    sepa_debit: dict[str, Any] | None = None
    billing_details: dict[str, Any] | None = None
    metadata: Metadata | None = None


class MethodList(PageParams):
    """GET /v1/payment_methods."""

    customer: str | None = None
    type: str | None = None


class Attach(Params):
    """POST /v1/payment_methods/{id}/attach."""

    customer: str


class SetupCreate(Params):
    """POST /v1/setup_intents."""

    customer: str | None = None
    payment_method: str | None = None
    payment_method_types: list[str] = Field(default_factory=lambda: ["card"])
    confirm: bool = False
    usage: Literal["off_session", "on_session"] = "off_session"
    metadata: Metadata | None = None
    description: str | None = None


class SetupConfirm(Params):
    """POST /v1/setup_intents/{id}/confirm."""

    payment_method: str | None = None


class SetupList(CreatedPageParams):
    """GET /v1/setup_intents."""

    customer: str | None = None


def make_method(
    world: World, space: Space, outcome: Outcome, *, customer: str | None = None, email: str | None = None
) -> Json:
    """A payment method that behaves as ``outcome`` says."""
    is_sepa = outcome.startswith("sepa")
    values: Json = {"type": "sepa_debit" if is_sepa else "card", "customer": customer, "_outcome": outcome}
    method = world.draft(space, "payment_method", values)
    method["billing_details"]["email"] = email
    if is_sepa:
        del method["card"]
        last4 = "3001" if outcome == "sepa_fail" else "3000"
        method["sepa_debit"] = {
            "bank_code": "37040044",
            "branch_code": "",
            "country": "DE",
            "fingerprint": world.token(16),
            "generated_from": {"charge": None, "setup_attempt": None},
            "last4": last4,
        }
    else:
        method["card"] = {
            "brand": "visa",
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "DE",
            "display_brand": "visa",
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": world.token(16),
            "funding": "credit",
            "generated_from": None,
            "last4": LAST4[outcome],
            "networks": {"available": ["visa"], "preferred": None},
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
            "regulated_status": "unregulated",
        }
    world.is_changed = True
    return space.put("payment_method", method)


def find_method(world: World, space: Space, identifier: str, *, param: str = "payment_method") -> Json:
    """A payment method by id; one of Stripe's test ids makes a fresh method."""
    outcome = TEST_METHODS.get(identifier)
    if outcome is not None:
        return make_method(world, space, outcome)
    return space.get("payment_method", identifier, param=param)


def attach(world: World, space: Space, method: Json, customer: str) -> None:
    """Give a method to a customer, to be charged again later."""
    if method["customer"] != customer:
        method["customer"] = customer
        world.emit(space, "payment_method.attached", method)


def _outcome_of_card(card: Json) -> Outcome:
    token, number = str(card.get("token", "")), str(card.get("number", ""))
    by_token = TEST_METHODS.get(token.replace("tok_", "pm_card_"))
    by_number = next((o for o in OUTCOMES if LAST4.get(o) == number[-4:]), None)
    found = by_token or by_number
    if found is None:
        raise invalid("The twin takes Stripe's test cards only.", param="card")
    return found


@route("POST", "/v1/payment_methods")
def create_method(call: Call) -> Json:
    """Make a payment method from a test card or a test IBAN."""
    params = call.read(MethodCreate)
    if params.type == "card":
        outcome = _outcome_of_card(params.card or {})
    else:
        outcome = "sepa_fail" if str((params.sepa_debit or {}).get("iban", "")).endswith("3001") else "sepa"
    method = make_method(call.world, call.space, outcome)
    method["metadata"] = merged_metadata({}, params.metadata)
    method["billing_details"] |= params.billing_details or {}
    return method


@route("GET", "/v1/payment_methods")
def list_methods(call: Call) -> Json:
    """List the methods of a customer."""
    params = call.read(MethodList)
    return call.page(
        "payment_method",
        params,
        lambda m: (
            m["customer"] is not None
            and same(params.customer, m["customer"])
            and same(params.type, m["type"])
        ),
    )


@route("GET", "/v1/payment_methods/{id}")
def retrieve_method(call: Call) -> Json:
    """One payment method."""
    return call.item("payment_method")


@route("POST", "/v1/payment_methods/{id}/attach")
def attach_method(call: Call) -> Json:
    """Attach a method to a customer."""
    params = call.read(Attach)
    customer = live_customer(call.space, params.customer) or {}
    method = find_method(call.world, call.space, call.path["id"], param="id")
    attach(call.world, call.space, method, customer["id"])
    return method


@route("POST", "/v1/payment_methods/{id}/detach")
def detach_method(call: Call) -> Json:
    """Take a method from its customer; it cannot be charged any more."""
    method = call.item("payment_method")
    call.read(Params)
    method["customer"] = None
    call.world.emit(call.space, "payment_method.detached", method)
    return method


def make_setup_intent(world: World, space: Space, values: Json) -> Json:
    """A new setup intent."""
    setup = world.make(space, "setup_intent", values)
    setup["client_secret"] = f"{setup['id']}_secret_{world.token()}"
    world.emit(space, "setup_intent.created", setup)
    return setup


def succeed_setup(world: World, space: Space, setup: Json, method: Json) -> Json:
    """The method was set up: kept with the customer for later charges."""
    setup |= {"status": "succeeded", "payment_method": method["id"]}
    if setup["customer"] is not None:
        attach(world, space, method, setup["customer"])
    world.emit(space, "setup_intent.succeeded", setup)
    return setup


@route("POST", "/v1/setup_intents")
def create_setup_intent(call: Call) -> Json:
    """Make a setup intent, and confirm it when asked."""
    params = call.read(SetupCreate)
    live_customer(call.space, params.customer)
    values = params.model_dump(exclude={"metadata", "confirm", "payment_method"})
    values["metadata"] = merged_metadata({}, params.metadata)
    setup = make_setup_intent(call.world, call.space, values)
    if params.confirm and params.payment_method is not None:
        succeed_setup(
            call.world, call.space, setup, find_method(call.world, call.space, params.payment_method)
        )
    return setup


@route("GET", "/v1/setup_intents")
def list_setup_intents(call: Call) -> Json:
    """List setup intents."""
    params = call.read(SetupList)
    return call.page("setup_intent", params, lambda s: same(params.customer, s["customer"]))


@route("GET", "/v1/setup_intents/{id}")
def retrieve_setup_intent(call: Call) -> Json:
    """One setup intent."""
    return call.item("setup_intent")


@route("POST", "/v1/setup_intents/{id}/confirm")
def confirm_setup_intent(call: Call) -> Json:
    """Confirm a setup intent."""
    setup, params = call.item("setup_intent"), call.read(SetupConfirm)
    identifier = params.payment_method or setup["payment_method"]
    if identifier is None:
        raise invalid("A payment method is needed to confirm.", param="payment_method")
    return succeed_setup(call.world, call.space, setup, find_method(call.world, call.space, identifier))
