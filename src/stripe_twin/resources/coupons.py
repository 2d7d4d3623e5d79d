"""Coupons and promotion codes: what a buyer may type in at checkout."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import Amount, CreatedPageParams, Metadata, Params, merged_metadata
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World


class CouponCreate(Params):
    """POST /v1/coupons."""

    id: str | None = None
    percent_off: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    amount_off: Amount | None = None
    currency: str | None = None
    duration: Literal["forever", "once", "repeating"] = "once"
    duration_in_months: int | None = None
    name: str | None = None
    max_redemptions: int | None = None
    redeem_by: int | None = None
    metadata: Metadata | None = None


class Promotion(Params):
    """What a promotion code gives."""

    type: Literal["coupon"]
    coupon: str


class Restrictions(Params):
    """When a promotion code counts."""

    first_time_transaction: bool = False
    minimum_amount: Amount | None = None
    minimum_amount_currency: str | None = None


class PromotionCodeCreate(Params):
    """POST /v1/promotion_codes."""

    promotion: Promotion
    code: str | None = None
    active: bool = True
    customer: str | None = None
    expires_at: int | None = None
    max_redemptions: int | None = None
    restrictions: Restrictions | None = None
    metadata: Metadata | None = None


class PromotionCodeUpdate(Params):
    """POST /v1/promotion_codes/{id}."""

    active: bool | None = None
    metadata: Metadata | None = None


class PromotionCodeList(CreatedPageParams):
    """GET /v1/promotion_codes."""

    active: bool | None = None
    code: str | None = None
    coupon: str | None = None
    customer: str | None = None


@route("POST", "/v1/coupons")
def create_coupon(call: Call) -> Json:
    """Make a coupon."""
    params = call.read(CouponCreate)
    if (params.percent_off is None) == (params.amount_off is None):
        raise invalid("Must provide percent_off or amount_off, and not both.", param="percent_off")
    if params.amount_off is not None and params.currency is None:
        raise invalid("Must provide currency when providing amount_off.", param="currency")
    if params.id is not None and params.id in call.space.kinds:
        raise invalid("Coupon already exists.", code="resource_already_exists")
    values = params.model_dump(exclude={"metadata", "percent_off", "id"})
    values["percent_off"] = None if params.percent_off is None else float(params.percent_off)
    values["metadata"] = merged_metadata({}, params.metadata)
    values["id"] = params.id or call.world.token(8)
    coupon = call.world.make(call.space, "coupon", values)
    call.world.emit(call.space, "coupon.created", coupon)
    return coupon


@route("GET", "/v1/coupons")
def list_coupons(call: Call) -> Json:
    """List coupons."""
    return call.page("coupon", call.read(CreatedPageParams))


@route("GET", "/v1/coupons/{id}")
def retrieve_coupon(call: Call) -> Json:
    """One coupon."""
    return call.item("coupon")


@route("DELETE", "/v1/coupons/{id}")
def delete_coupon(call: Call) -> Json:
    """Delete a coupon; discounts already given stay."""
    coupon = call.item("coupon")
    call.space.remove(coupon["id"])
    call.world.emit(call.space, "coupon.deleted", coupon)
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


@route("POST", "/v1/promotion_codes")
def create_promotion_code(call: Call) -> Json:
    """Make a promotion code."""
    params = call.read(PromotionCodeCreate)
    coupon = call.space.get("coupon", params.promotion.coupon, param="promotion[coupon]")
    code = params.code or call.world.token(8).upper()
    if any(p["code"].lower() == code.lower() and p["active"] for p in call.space.rows("promotion_code")):
        raise invalid("An active promotion code with this code already exists.", param="code")
    values = params.model_dump(exclude={"metadata", "code", "restrictions", "promotion"})
    values |= {
        "code": code,
        "promotion": {"type": "coupon", "coupon": coupon["id"]},
        "restrictions": (params.restrictions or Restrictions()).model_dump(),
        "metadata": merged_metadata({}, params.metadata),
    }
    promotion = call.world.make(call.space, "promotion_code", values)
    call.world.emit(call.space, "promotion_code.created", promotion)
    return promotion


@route("GET", "/v1/promotion_codes")
def list_promotion_codes(call: Call) -> Json:
    """List promotion codes."""
    params = call.read(PromotionCodeList)
    return call.page(
        "promotion_code",
        params,
        lambda p: (
            (params.active is None or p["active"] == params.active)
            and (params.code is None or p["code"].lower() == params.code.lower())
            and same(params.coupon, p["promotion"]["coupon"])
            and same(params.customer, p["customer"])
        ),
    )


@route("GET", "/v1/promotion_codes/{id}")
def retrieve_promotion_code(call: Call) -> Json:
    """One promotion code."""
    return call.item("promotion_code")


@route("POST", "/v1/promotion_codes/{id}")
def update_promotion_code(call: Call) -> Json:
    """Switch a promotion code on or off."""
    promotion, params = call.item("promotion_code"), call.read(PromotionCodeUpdate)
    promotion |= params.given("active")
    promotion["metadata"] = merged_metadata(promotion["metadata"], params.metadata)
    call.world.emit(call.space, "promotion_code.updated", promotion)
    return promotion


def _is_usable(world: World, item: Json, ends_at: int | None) -> bool:
    is_used_up = item["max_redemptions"] is not None and item["times_redeemed"] >= item["max_redemptions"]
    return not is_used_up and (ends_at is None or ends_at > world.clock.timestamp())


def usable_promotion(
    world: World, space: Space, code: str, *, subtotal: int, customer: str | None
) -> tuple[Json, Json]:
    """The promotion code (by its text) and its coupon; refused when it does not count for this buyer."""
    found = next(
        (p for p in space.rows("promotion_code") if p["code"].lower() == code.lower() and p["active"]), None
    )
    coupon = None if found is None else space.find(found["promotion"]["coupon"])
    if found is None or coupon is None or not _is_usable(world, found, found["expires_at"]):
        raise invalid("This promotion code is not valid.", param="promotion_code")
    if not _is_usable(world, coupon, coupon["redeem_by"]):
        raise invalid("This promotion code has expired.", param="promotion_code")
    if found["customer"] not in (None, customer) or (found["restrictions"]["minimum_amount"] or 0) > subtotal:
        raise invalid("This promotion code does not count for this purchase.", param="promotion_code")
    return found, coupon
