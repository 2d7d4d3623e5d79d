"""From a kept object to the one that is answered: private notes gone, ids expanded, aged to the API version."""

import copy
from collections.abc import Callable
from typing import Any

from stripe_twin.errors import invalid
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.versions import age

EXPAND_DEPTH_MAX = 4
Tree = dict[str, "Tree"]


def expand_tree(paths: list[str]) -> Tree:
    """``["data.latest_charge.refunds"]`` as a tree of names."""
    tree: Tree = {}
    for path in paths:
        parts = path.split(".")
        if len(parts) > EXPAND_DEPTH_MAX + 1:
            raise invalid("You cannot expand more than 4 levels of a property", param="expand")
        place = tree
        for part in parts:
            place = place.setdefault(part, {})
    return tree


def listing(url: str, data: list[Json], *, has_more: bool = False) -> Json:
    """A list object."""
    return {"object": "list", "url": url, "has_more": has_more, "data": data}


def _line_items(_space: Space, session: Json) -> Json:
    return listing(f"/v1/checkout/sessions/{session['id']}/line_items", session["_line_items"])


def _refunds(space: Space, charge: Json) -> Json:
    rows = [refund for refund in space.rows("refund") if refund["charge"] == charge["id"]]
    return listing(f"/v1/charges/{charge['id']}/refunds", rows)


def _payments(space: Space, invoice: Json) -> Json:
    rows = [paid for paid in space.rows("invoice_payment") if paid["invoice"] == invoice["id"]]
    return listing(f"/v1/invoice_payments?invoice={invoice['id']}", rows)


# Properties that are only there when they are asked for.
ON_DEMAND: dict[tuple[str, str], Callable[[Space, Json], Json]] = {
    ("checkout.session", "line_items"): _line_items,
    ("charge", "refunds"): _refunds,
    ("invoice", "payments"): _payments,
}


def _pending_webhooks(event: Json) -> int:
    return sum(1 for state in event.get("_deliveries", {}).values() if state != "delivered")


def _expanded(space: Space, value: Any, tree: Tree, version: str, path: str) -> Any:
    if isinstance(value, str):
        found = space.find(value)
        if found is None:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        return shown(space, found, version, tree)
    if isinstance(value, list):
        return [_expanded(space, item, tree, version, path) for item in value]
    if isinstance(value, dict):
        return shown(space, value, version, tree)
    return value


def shown(space: Space, item: Json, version: str, tree: Tree | None = None) -> Json:
    """The object as the API answers it; a copy. ``tree`` says what to expand."""
    result = {key: copy.deepcopy(value) for key, value in item.items() if not key.startswith("_")}
    kind = str(item.get("object"))
    if kind == "event":
        result["pending_webhooks"] = _pending_webhooks(item)
    if kind in ("list", "search_result"):
        result["data"] = [shown(space, row, version) for row in item["data"]]
    else:
        age(space, result, version)
    for name, inner in (tree or {}).items():
        on_demand = ON_DEMAND.get((kind, name))
        if on_demand is not None:
            result[name] = shown(space, on_demand(space, item), version, inner)
        elif name == "data" and "data" in item:
            result["data"] = [shown(space, row, version, inner) for row in item["data"]]
        elif name in result:
            result[name] = _expanded(space, result[name], inner, version, name)
        else:
            raise invalid(f"This property cannot be expanded ({name}).", param="expand")
    return result
