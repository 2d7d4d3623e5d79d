"""Webhook endpoints (v1) and event destinations (v2): where events go. The secret is shown once, at creation."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from stripe_twin.api import Call, route
from stripe_twin.errors import invalid
from stripe_twin.params import Metadata, PageParams, Params, merged_metadata
from stripe_twin.receivers import new_secret
from stripe_twin.shapes import Json
from stripe_twin.world import World

Types = Annotated[list[str], Field(min_length=1)]
ENDPOINTS_MAX = 16
SECRET_SHOWN = "webhook_endpoint.signing_secret"  # noqa: S105 - the name of a field


class EndpointCreate(Params):
    """POST /v1/webhook_endpoints."""

    url: str
    enabled_events: Types
    api_version: str | None = None
    connect: bool = False
    description: str | None = None
    metadata: Metadata | None = None


class EndpointUpdate(Params):
    """POST /v1/webhook_endpoints/{id}; the API version cannot be changed."""

    url: str | None = None
    enabled_events: Types | None = None
    disabled: bool | None = None
    description: str | None = None
    metadata: Metadata | None = None


class Target(Params):
    """The URL of a destination."""

    url: str


class DestinationCreate(Params):
    """POST /v2/core/event_destinations."""

    name: str
    type: Literal["webhook_endpoint"]
    enabled_events: Types
    event_payload: Literal["thin", "snapshot"]
    webhook_endpoint: Target
    snapshot_api_version: str | None = None
    events_from: list[str] = Field(default_factory=lambda: ["@self"])
    include: list[str] = Field(default_factory=list)
    description: str = ""
    metadata: Metadata | None = None


class DestinationUpdate(Params):
    """POST /v2/core/event_destinations/{id}."""

    name: str | None = None
    enabled_events: Types | None = None
    description: str | None = None
    webhook_endpoint: Target | None = None
    include: list[str] = Field(default_factory=list)


class Included(Params):
    """Which redacted fields to show."""

    include: list[str] = Field(default_factory=list)


class DestinationList(Params):
    """GET /v2/core/event_destinations."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    include: list[str] = Field(default_factory=list)


def _check_url(url: str, *, livemode: bool) -> None:
    parts = urlsplit(url)
    is_loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.",
            param="url",
            code="url_invalid",
        )
    if livemode and parts.scheme == "http" and not is_loopback:
        raise invalid("Invalid URL: URL must be an https URL in live mode.", param="url", code="url_invalid")


def make_endpoint(world: World, call: Call, params: EndpointCreate) -> Json:
    """A new endpoint, with its secret among the private notes."""
    _check_url(params.url, livemode=call.space.livemode)
    if len(call.space.tables.get("webhook_endpoint", {})) >= ENDPOINTS_MAX:
        raise invalid(f"You have reached the maximum of {ENDPOINTS_MAX} webhook endpoints.")
    return world.make(
        call.space,
        "webhook_endpoint",
        {
            "url": params.url,
            "enabled_events": params.enabled_events,
            "api_version": params.api_version,
            "description": params.description,
            "metadata": merged_metadata({}, params.metadata),
            "status": "enabled",
            "_connect": params.connect,
            "_secrets": [new_secret(world)],
        },
    )


@route("POST", "/v1/webhook_endpoints")
def create_endpoint(call: Call) -> Json:
    """Make an endpoint; the answer is the only one that shows the secret."""
    endpoint = make_endpoint(call.world, call, call.read(EndpointCreate))
    return endpoint | {"secret": endpoint["_secrets"][0]["secret"]}


@route("GET", "/v1/webhook_endpoints")
def list_endpoints(call: Call) -> Json:
    """List endpoints."""
    return call.page("webhook_endpoint", call.read(PageParams))


@route("GET", "/v1/webhook_endpoints/{id}")
def retrieve_endpoint(call: Call) -> Json:
    """One endpoint."""
    return call.item("webhook_endpoint")


@route("POST", "/v1/webhook_endpoints/{id}")
def update_endpoint(call: Call) -> Json:
    """Change an endpoint."""
    endpoint, params = call.item("webhook_endpoint"), call.read(EndpointUpdate)
    if params.url is not None:
        _check_url(params.url, livemode=call.space.livemode)
    endpoint |= {
        k: v for k, v in params.given("url", "enabled_events", "description").items() if v is not None
    }
    if params.disabled is not None:
        endpoint["status"] = "disabled" if params.disabled else "enabled"
    endpoint["metadata"] = merged_metadata(endpoint["metadata"], params.metadata)
    return endpoint


@route("DELETE", "/v1/webhook_endpoints/{id}")
def delete_endpoint(call: Call) -> Json:
    """Delete an endpoint; what is queued for it is given up."""
    endpoint = call.item("webhook_endpoint")
    call.space.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def _destination_shown(destination: Json, include: list[str]) -> Json:
    target: dict[str, Any] = {"signing_secret": None, "url": None}
    if "webhook_endpoint.url" in include:
        target["url"] = destination["_url"]
    if SECRET_SHOWN in include:
        target["signing_secret"] = destination["_secrets"][-1]["secret"]
    return destination | {"webhook_endpoint": target}


@route("POST", "/v2/core/event_destinations")
def create_destination(call: Call) -> Json:
    """Make a destination, for thin or snapshot events."""
    params, world = call.read(DestinationCreate), call.world
    _check_url(params.webhook_endpoint.url, livemode=call.space.livemode)
    destination: Json = {
        "id": world.new_id("v2.core.event_destination", call.space.livemode),
        "object": "v2.core.event_destination",
        "created": world.make_time(),
        "updated": world.make_time(),
        "livemode": call.space.livemode,
        "name": params.name,
        "description": params.description,
        "type": params.type,
        "event_payload": params.event_payload,
        "enabled_events": params.enabled_events,
        "events_from": params.events_from,
        "snapshot_api_version": params.snapshot_api_version,
        "metadata": merged_metadata({}, params.metadata),
        "status": "enabled",
        "status_details": None,
        "_url": params.webhook_endpoint.url,
        "_secrets": [new_secret(world)],
    }
    call.space.put("v2.core.event_destination", destination)
    return _destination_shown(destination, params.include)


@route("GET", "/v2/core/event_destinations")
def list_destinations(call: Call) -> Json:
    """List destinations, on one page."""
    params = call.read(DestinationList)
    rows = list(call.space.rows("v2.core.event_destination"))[: params.limit]
    data = [
        {k: v for k, v in _destination_shown(r, params.include).items() if not k.startswith("_")}
        for r in rows
    ]
    return {"data": data, "next_page_url": None, "previous_page_url": None}


@route("GET", "/v2/core/event_destinations/{id}")
def retrieve_destination(call: Call) -> Json:
    """One destination."""
    return _destination_shown(call.item("v2.core.event_destination"), call.read(Included).include)


@route("POST", "/v2/core/event_destinations/{id}")
def update_destination(call: Call) -> Json:
    """Change a destination."""
    destination, params = call.item("v2.core.event_destination"), call.read(DestinationUpdate)
    destination |= params.given("name", "enabled_events", "description")
    if params.webhook_endpoint is not None:
        destination["_url"] = params.webhook_endpoint.url
    return _destination_shown(destination, params.include)


@route("DELETE", "/v2/core/event_destinations/{id}")
def delete_destination(call: Call) -> Json:
    """Delete a destination."""
    destination = call.item("v2.core.event_destination")
    call.space.remove(destination["id"])
    return {"id": destination["id"], "object": "v2.core.event_destination", "deleted": True}


@route("POST", "/v2/core/event_destinations/{id}/disable")
def disable_destination(call: Call) -> Json:
    """Stop deliveries to a destination."""
    destination = call.item("v2.core.event_destination")
    destination |= {"status": "disabled", "status_details": {"disabled": {"reason": "user"}}}
    return _destination_shown(destination, [])


@route("POST", "/v2/core/event_destinations/{id}/enable")
def enable_destination(call: Call) -> Json:
    """Start deliveries to a destination again."""
    destination = call.item("v2.core.event_destination")
    destination |= {"status": "enabled", "status_details": None}
    return _destination_shown(destination, [])


@route("POST", "/v2/core/event_destinations/{id}/ping")
def ping_destination(call: Call) -> Json:
    """Send a ping to this destination: the canary."""
    destination = call.item("v2.core.event_destination")
    ping = call.world.make_thin(call.space, "v2.core.event_destination.ping", about=destination)
    ping["related_object"]["url"] = f"/v2/core/event_destinations/{destination['id']}"
    if call.world.on_direct is not None:
        call.world.on_direct(call.space, ping, destination["id"])
    return {k: v for k, v in ping.items() if not k.startswith("_")}
