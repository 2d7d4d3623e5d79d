"""Events, to be listed (30 days) and fetched: snapshots (v1) and thin ones (v2)."""

from typing import Annotated

from pydantic import Field

from stripe_twin.api import Call, route
from stripe_twin.params import CreatedPageParams, Params
from stripe_twin.shapes import Json

KEPT_SECONDS = 30 * 86_400
TYPES_MAX = 20


class EventList(CreatedPageParams):
    """GET /v1/events."""

    type: str | None = None
    types: Annotated[list[str], Field(max_length=TYPES_MAX)] | None = None
    delivery_success: bool | None = None


class ThinEventList(Params):
    """GET /v2/core/events."""

    object_id: str | None = None
    types: list[str] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    page: str | None = None


def _matches(pattern: str, event_type: str) -> bool:
    return event_type.startswith(pattern[:-1]) if pattern.endswith("*") else event_type == pattern


def is_delivered(event: Json) -> bool:
    """Whether every endpoint took the event."""
    return all(state == "delivered" for state in event["_deliveries"].values())


@route("GET", "/v1/events")
def list_events(call: Call) -> Json:
    """List the events of the last 30 days."""
    params = call.read(EventList)
    since = call.world.clock.now() - KEPT_SECONDS
    return call.page(
        "event",
        params,
        lambda e: (
            e["created"] >= since
            and (params.type is None or _matches(params.type, e["type"]))
            and (params.types is None or e["type"] in params.types)
            and (params.delivery_success is None or is_delivered(e) == params.delivery_success)
        ),
    )


@route("GET", "/v1/events/{id}")
def retrieve_event(call: Call) -> Json:
    """One event."""
    return call.item("event")


@route("GET", "/v2/core/events")
def list_thin_events(call: Call) -> Json:
    """List thin events."""
    params = call.read(ThinEventList)
    rows = [
        event
        for event in call.space.rows("v2.core.event")
        if (params.object_id is None or event.get("related_object", {}).get("id") == params.object_id)
        and (params.types is None or event["type"] in params.types)
    ]
    start = int(params.page or 0)
    end = start + params.limit
    next_page = f"{call.url}?page={end}&limit={params.limit}" if len(rows) > end else None
    data = [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows[start:end]]
    return {"data": data, "next_page_url": next_page, "previous_page_url": None}


@route("GET", "/v2/core/events/{id}")
def retrieve_thin_event(call: Call) -> Json:
    """One thin event."""
    return call.item("v2.core.event")
