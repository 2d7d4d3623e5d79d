"""Whole Stripe objects to lay values over, from Stripe's own fixtures (``shapes.json``)."""

import copy
import functools
import json
from importlib import resources
from typing import Any

Json = dict[str, Any]


@functools.cache
def all_shapes() -> dict[str, Json]:
    """Every shape by object name, as shipped; callers copy."""
    text = resources.files("stripe_twin").joinpath("shapes.json").read_text(encoding="utf-8")
    shapes: dict[str, Json] = json.loads(text)["resources"]
    return shapes


def shaped(kind: str, values: Json) -> Json:
    """A whole object of this kind: Stripe's fixture with ``values`` laid over it."""
    return copy.deepcopy(all_shapes()[kind]) | values
