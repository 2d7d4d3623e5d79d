"""Products and prices. A price's amount never changes: one makes a new price and retires the old."""

from typing import Annotated, Literal

from pydantic import Field

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import Amount, CreatedPageParams, Metadata, Params, merged_metadata
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

TaxBehavior = Literal["exclusive", "inclusive", "unspecified"]
LOOKUP_KEYS_MAX = 10


class Recurring(Params):
    """How often a price is due."""

    interval: Literal["day", "week", "month", "year"]
    interval_count: Annotated[int, Field(ge=1)] = 1
    usage_type: Literal["licensed"] = "licensed"


class PriceValues(Params):
    """The parts of a price that can also be given inline."""

    currency: str
    unit_amount: Amount | None = None
    recurring: Recurring | None = None
    tax_behavior: TaxBehavior = "unspecified"


class ProductData(Params):
    """A product made together with its price."""

    name: str
    description: str | None = None
    metadata: Metadata | None = None
    id: str | None = None
    active: bool = True
    tax_code: str | None = None
    unit_label: str | None = None
    statement_descriptor: str | None = None
    images: list[str] = Field(default_factory=list)


class PriceCreate(PriceValues):
    """POST /v1/prices."""

    product: str | None = None
    product_data: ProductData | None = None
    active: bool = True
    nickname: str | None = None
    lookup_key: str | None = None
    transfer_lookup_key: bool = False
    metadata: Metadata | None = None
    billing_scheme: Literal["per_unit"] = "per_unit"


class PriceUpdate(Params):
    """POST /v1/prices/{id}."""

    active: bool | None = None
    nickname: str | None = None
    lookup_key: str | None = None
    transfer_lookup_key: bool = False
    metadata: Metadata | None = None
    tax_behavior: TaxBehavior | None = None


class PriceList(CreatedPageParams):
    """GET /v1/prices."""

    active: bool | None = None
    currency: str | None = None
    product: str | None = None
    lookup_keys: Annotated[list[str], Field(max_length=LOOKUP_KEYS_MAX)] | None = None
    type: Literal["one_time", "recurring"] | None = None


class ProductCreate(ProductData):
    """POST /v1/products."""

    default_price_data: PriceValues | None = None
    url: str | None = None
    shippable: bool | None = None


class ProductUpdate(Params):
    """POST /v1/products/{id}."""

    name: str | None = None
    description: str | None = None
    active: bool | None = None
    metadata: Metadata | None = None
    default_price: str | None = None
    tax_code: str | None = None
    unit_label: str | None = None
    statement_descriptor: str | None = None
    images: list[str] | None = None
    url: str | None = None


class ProductList(CreatedPageParams):
    """GET /v1/products."""

    active: bool | None = None
    ids: list[str] | None = None
    url: str | None = None


def make_product(world: World, space: Space, data: ProductData) -> Json:
    """A new product."""
    if data.id is not None and data.id in space.kinds:
        raise invalid(f"Product already exists: {data.id}", param="id", code="resource_already_exists")
    values = data.model_dump(exclude={"metadata", "id", "default_price_data"}, exclude_none=True)
    values["metadata"] = merged_metadata({}, data.metadata)
    values["updated"] = world.clock.timestamp()
    if data.id is not None:
        values["id"] = data.id
    product = world.make(space, "product", values)
    world.emit(space, "product.created", product)
    return product


def price_values(values: PriceValues) -> Json:
    """The price fields that follow from the parameters."""
    currency = values.currency.lower()
    if len(currency) != 3 or not currency.isalpha():  # noqa: PLR2004 - ISO 4217
        raise invalid(f"Invalid currency: {values.currency}.", param="currency")
    if values.unit_amount is None:
        raise invalid("The twin sells by unit_amount only: give one.", param="unit_amount")
    recurring = None if values.recurring is None else values.recurring.model_dump()
    return {
        "currency": currency,
        "unit_amount": values.unit_amount,
        "unit_amount_decimal": str(values.unit_amount),
        "tax_behavior": values.tax_behavior,
        "type": "one_time" if recurring is None else "recurring",
        "recurring": recurring
        if recurring is None
        else recurring | {"meter": None, "trial_period_days": None},
    }


def _take_lookup_key(space: Space, key: str | None, *, may_transfer: bool) -> None:
    holder = next((p for p in space.rows("price") if key is not None and p["lookup_key"] == key), None)
    if holder is None:
        return
    if not may_transfer:
        message = f"A price (`{holder['id']}`) already uses that lookup key."
        raise invalid(message, param="lookup_key", code="resource_already_exists")
    holder["lookup_key"] = None


@route("POST", "/v1/products")
def create_product(call: Call) -> Json:
    """Make a product, and its default price when asked."""
    data = call.read(ProductCreate)
    product = make_product(call.world, call.space, data)
    if data.default_price_data is not None:
        values = price_values(data.default_price_data) | {"product": product["id"]}
        price = call.world.make(call.space, "price", values)
        product["default_price"] = price["id"]
        call.world.emit(call.space, "price.created", price)
    return product


@route("GET", "/v1/products")
def list_products(call: Call) -> Json:
    """List products."""
    params = call.read(ProductList)
    return call.page(
        "product",
        params,
        lambda p: (
            (params.active is None or p["active"] == params.active)
            and (params.ids is None or p["id"] in params.ids)
            and same(params.url, p["url"])
        ),
    )


@route("GET", "/v1/products/{id}")
def retrieve_product(call: Call) -> Json:
    """One product."""
    return call.item("product")


@route("POST", "/v1/products/{id}")
def update_product(call: Call) -> Json:
    """Change a product."""
    product, params = call.item("product"), call.read(ProductUpdate)
    names = set(ProductUpdate.model_fields) - {"metadata"}
    changes = params.given(*names) | {"updated": call.world.clock.timestamp()}
    changes["metadata"] = merged_metadata(product["metadata"], params.metadata)
    previous = {k: product[k] for k, v in changes.items() if product.get(k) != v}
    product |= changes
    call.world.emit(call.space, "product.updated", product, previous=previous)
    return product


@route("DELETE", "/v1/products/{id}")
def delete_product(call: Call) -> Json:
    """Delete a product that no price belongs to."""
    product = call.item("product")
    if any(price["product"] == product["id"] for price in call.space.rows("price")):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    call.space.remove(product["id"])
    call.world.emit(call.space, "product.deleted", product)
    return {"id": product["id"], "object": "product", "deleted": True}


@route("POST", "/v1/prices")
def create_price(call: Call) -> Json:
    """Make a price."""
    params, world, space = call.read(PriceCreate), call.world, call.space
    if (params.product is None) == (params.product_data is None):
        raise invalid(
            "You must specify either `product` or `product_data` when creating a price.", param="product"
        )
    values = price_values(params)
    if params.product is not None:
        product = space.get("product", params.product, param="product")
    _take_lookup_key(space, params.lookup_key, may_transfer=params.transfer_lookup_key)
    if params.product_data is not None:
        product = make_product(world, space, params.product_data)
    values |= {
        "product": product["id"],
        "active": params.active,
        "nickname": params.nickname,
        "lookup_key": params.lookup_key,
        "metadata": merged_metadata({}, params.metadata),
    }
    price = world.make(space, "price", values)
    world.emit(space, "price.created", price)
    return price


@route("GET", "/v1/prices")
def list_prices(call: Call) -> Json:
    """List prices."""
    params = call.read(PriceList)
    return call.page(
        "price",
        params,
        lambda p: (
            (params.active is None or p["active"] == params.active)
            and same(params.currency, p["currency"])
            and same(params.product, p["product"])
            and same(params.type, p["type"])
            and (params.lookup_keys is None or p["lookup_key"] in params.lookup_keys)
        ),
    )


@route("GET", "/v1/prices/{id}")
def retrieve_price(call: Call) -> Json:
    """One price."""
    return call.item("price")


@route("POST", "/v1/prices/{id}")
def update_price(call: Call) -> Json:
    """Change what can be changed: not the amount, not the currency."""
    price, params = call.item("price"), call.read(PriceUpdate)
    if params.lookup_key is not None and params.lookup_key != price["lookup_key"]:
        _take_lookup_key(call.space, params.lookup_key, may_transfer=params.transfer_lookup_key)
    changes = params.given("active", "nickname", "lookup_key", "tax_behavior")
    if params.tax_behavior is not None and price["tax_behavior"] not in ("unspecified", params.tax_behavior):
        raise invalid("Once tax_behavior is set it cannot be changed.", param="tax_behavior")
    changes["metadata"] = merged_metadata(price["metadata"], params.metadata)
    previous = {k: price[k] for k, v in changes.items() if price.get(k) != v}
    price |= changes
    call.world.emit(call.space, "price.updated", price, previous=previous)
    return price
