"""The parameters of checkout sessions."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stripe_twin.params import CreatedPageParams, Metadata, Params
from stripe_twin.resources.catalogue import PriceValues, ProductData

REFERENCE_CHARACTERS_MAX = 200
LINES_MAX = 100
URL_CHARACTERS_MAX = 5000


class Switch(Params):
    """Something that can be enabled."""

    enabled: bool
    liability: dict[str, Any] | None = None


class InvoiceData(Params):
    """What the session's invoice will carry."""

    metadata: Metadata | None = None
    description: str | None = None
    footer: str | None = None


class InvoiceCreation(Params):
    """Whether a one-time payment gets an invoice."""

    enabled: bool
    invoice_data: InvoiceData | None = None


class AdjustableQuantity(Params):
    """Whether the buyer may change how many."""

    enabled: bool
    minimum: int | None = None
    maximum: int | None = None


class InlinePrice(PriceValues):
    """A price made for one session."""

    product: str | None = None
    product_data: ProductData | None = None


class LineItem(Params):
    """What is sold, and how many."""

    price: str | None = None
    price_data: InlinePrice | None = None
    quantity: Annotated[int, Field(ge=0, le=999_999)] = 1
    adjustable_quantity: AdjustableQuantity | None = None
    metadata: Metadata | None = None


class IntentData(Params):
    """What the session's payment intent will carry."""

    metadata: Metadata | None = None
    description: str | None = None
    receipt_email: str | None = None
    setup_future_usage: Literal["off_session", "on_session"] | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    capture_method: Literal["automatic", "automatic_async"] = "automatic"


class SubscriptionData(Params):
    """What the session's subscription will carry."""

    metadata: Metadata | None = None
    description: str | None = None


class SetupIntentData(Params):
    """What the session's setup intent will carry."""

    metadata: Metadata | None = None
    description: str | None = None


class Discount(Params):
    """A discount the seller gives."""

    coupon: str | None = None
    promotion_code: str | None = None


class CustomerUpdate(Params):
    """What the page may write to the customer."""

    address: Literal["auto", "never"] = "never"
    name: Literal["auto", "never"] = "never"


class SessionCreate(Params):
    """POST /v1/checkout/sessions."""

    mode: Literal["payment", "setup", "subscription"] = "payment"
    line_items: list[LineItem] = Field(default_factory=list, max_length=LINES_MAX)
    success_url: Annotated[str, Field(max_length=URL_CHARACTERS_MAX)] | None = None
    cancel_url: Annotated[str, Field(max_length=URL_CHARACTERS_MAX)] | None = None
    return_url: str | None = None
    ui_mode: str | None = None
    client_reference_id: Annotated[str, Field(max_length=REFERENCE_CHARACTERS_MAX)] | None = None
    customer: str | None = None
    customer_email: str | None = None
    customer_creation: Literal["always", "if_required"] | None = None
    customer_update: CustomerUpdate | None = None
    currency: str | None = None
    metadata: Metadata | None = None
    payment_intent_data: IntentData | None = None
    subscription_data: SubscriptionData | None = None
    setup_intent_data: SetupIntentData | None = None
    payment_method_types: list[str] | None = None
    payment_method_options: dict[str, Any] | None = None
    payment_method_collection: Literal["always", "if_required"] | None = None
    saved_payment_method_options: dict[str, Any] | None = None
    allow_promotion_codes: bool | None = None
    discounts: list[Discount] = Field(default_factory=list, max_length=1)
    automatic_tax: Switch | None = None
    adaptive_pricing: Switch | None = None
    invoice_creation: InvoiceCreation | None = None
    tax_id_collection: Switch | None = None
    phone_number_collection: Switch | None = None
    billing_address_collection: Literal["auto", "required"] | None = None
    consent_collection: dict[str, Any] | None = None
    custom_text: dict[str, Any] | None = None
    submit_type: str | None = None
    locale: str | None = None
    expires_at: int | None = None


class SessionUpdate(Params):
    """POST /v1/checkout/sessions/{id}."""

    metadata: Metadata | None = None


class CustomerDetails(Params):
    """Filter by the buyer's e-mail."""

    email: str


class SessionList(CreatedPageParams):
    """GET /v1/checkout/sessions."""

    payment_intent: str | None = None
    subscription: str | None = None
    customer: str | None = None
    customer_details: CustomerDetails | None = None
    status: Literal["open", "complete", "expired"] | None = None
    payment_link: str | None = None
