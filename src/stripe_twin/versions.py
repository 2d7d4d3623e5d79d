"""Objects as older API versions show them: only the differences that matter to somebody who sells credits.

A version is ``YYYY-MM-DD`` with or without a name after a dot; dates compare as text.
"""

from collections.abc import Callable

from stripe_twin.shapes import Json
from stripe_twin.store import Space

CURRENT_VERSION = "2026-10-28.endive"
REQUEST_IS_AN_OBJECT = "2017-05-25"
PAYMENT_INTENT_EVERYWHERE = "2019-02-11"
LATEST_CHARGE = "2022-11-15"
BASIL = "2025-03-31"
CLOVER = "2025-09-30"


def _charge(space: Space, item: Json, version: str) -> None:
    if version < LATEST_CHARGE:
        refunds = [dict(r) for r in space.rows("refund") if r["charge"] == item["id"]]
        item["refunds"] = {
            "object": "list",
            "data": [_public(refund) for refund in refunds],
            "has_more": False,
            "total_count": len(refunds),
            "url": f"/v1/charges/{item['id']}/refunds",
        }
    if version < PAYMENT_INTENT_EVERYWHERE:
        card = (item.pop("payment_method_details", None) or {}).get("card") or {}
        for name in ("payment_intent", "payment_method", "billing_details", "amount_captured", "receipt_url"):
            item.pop(name, None)
        item["source"] = {
            "id": item["id"].replace("ch_", "card_"),
            "object": "card",
            "brand": str(card.get("brand", "visa")).capitalize(),
            "last4": card.get("last4", "4242"),
            "exp_month": card.get("exp_month", 8),
            "exp_year": card.get("exp_year", 2030),
        }


def _payment_intent(space: Space, item: Json, version: str) -> None:
    if version < LATEST_CHARGE:
        latest = item.pop("latest_charge", None)
        charges = [c for c in space.rows("charge") if c["payment_intent"] == item["id"]] if latest else []
        shown = [_public(dict(charge)) for charge in charges]
        for charge in shown:
            _charge(space, charge, version)
        item["charges"] = {
            "object": "list",
            "data": shown,
            "has_more": False,
            "total_count": len(shown),
            "url": f"/v1/charges?payment_intent={item['id']}",
        }


def _without_intent(_space: Space, item: Json, version: str) -> None:
    if version < PAYMENT_INTENT_EVERYWHERE:
        item.pop("payment_intent", None)


def _invoice(space: Space, item: Json, version: str) -> None:
    if version < BASIL:
        parent = item.pop("parent", None) or {}
        item["subscription"] = (parent.get("subscription_details") or {}).get("subscription")
        paid = next((p for p in space.rows("invoice_payment") if p["invoice"] == item["id"]), None)
        item["payment_intent"] = paid["payment"]["payment_intent"] if paid else None
        intent = space.find(item["payment_intent"]) if item["payment_intent"] else None
        item["charge"] = intent["latest_charge"] if intent else None
        item["paid"] = item["status"] == "paid"


def _subscription(_space: Space, item: Json, version: str) -> None:
    if version < BASIL:
        first = item["items"]["data"][0]
        item["current_period_start"] = first["current_period_start"]
        item["current_period_end"] = first["current_period_end"]


def _promotion_code(space: Space, item: Json, version: str) -> None:
    if version < CLOVER:
        coupon = space.find(item.pop("promotion")["coupon"])
        item["coupon"] = None if coupon is None else _public(dict(coupon))


def _event(_space: Space, item: Json, version: str) -> None:
    if version < REQUEST_IS_AN_OBJECT:
        item["request"] = (item.get("request") or {}).get("id")


CHANGES: dict[str, Callable[[Space, Json, str], None]] = {
    "charge": _charge,
    "payment_intent": _payment_intent,
    "refund": _without_intent,
    "dispute": _without_intent,
    "invoice": _invoice,
    "subscription": _subscription,
    "promotion_code": _promotion_code,
    "event": _event,
}


def _public(item: Json) -> Json:
    return {key: value for key, value in item.items() if not key.startswith("_")}


def age(space: Space, item: Json, version: str) -> None:
    """Change an object, in place, into what this API version shows."""
    change = CHANGES.get(str(item.get("object")))
    if change is not None and version[:10] < CURRENT_VERSION[:10]:
        change(space, item, version[:10])
