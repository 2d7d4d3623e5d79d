"""Events: to follow by asking, or to have sent."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from heller.errors import InvalidArgument
from heller.ledger.events import DeliveryAttempt, WebhookEndpoint
from heller.web.api import models
from heller.web.api.accounts import Kind
from heller.web.api.answers import BODY, Page, Removed, responses
from heller.web.api.caller import Caller, answer, cursor_of, place_of, reads
from heller.web.problems import NotFound

router = APIRouter(tags=["events"])

Reader = Annotated[Caller, reads("events:read")]
Writer = Annotated[Caller, reads("events:write")]


@router.get("/events", response_model=Page[dict[str, Any]], responses=responses())
async def list_events(
    caller: Reader,
    account: Annotated[str | None, Query(min_length=1, max_length=200, pattern=models.PRINTABLE)] = None,
    kind: Annotated[list[Kind] | None, Query(description="Only these kinds of transactions.")] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Every transaction in the order of recording; `next` goes on where this page ends, also when it is empty.

    A new event shows once nothing older can come: about a second after it, if somebody asks that often. None is skipped.
    """
    found = await caller.wiring.heller.events(
        after=place_of(cursor, dict[str, Any]), limit=limit, account=account, kinds=kind
    )
    following = cursor if found.position is None else cursor_of(found.position)
    return answer({"items": found.events, "next": following})


@router.get("/endpoints", response_model=Page[WebhookEndpoint], responses=responses())
async def list_endpoints(
    caller: Reader, limit: models.Limit = models.PAGE_MAX, cursor: models.Cursor = None
) -> Response:
    """Where events are sent to, and how that goes."""
    found = await caller.wiring.heller.webhook_endpoints(after=caller.place(cursor, str) or "", limit=limit)
    return caller.page(list(found), limit=limit, after=lambda last: last.endpoint)


@router.put("/endpoints/{endpoint}", response_model=WebhookEndpoint, responses=responses(*BODY))
async def put_endpoint(endpoint: models.Id, body: models.PutEndpoint, caller: Writer) -> Response:
    """Send events to an address from now on, signed by the Standard Webhooks scheme; again changes it and ends a suspension."""
    given = body.given()
    result = await caller.change(
        "endpoint.put",
        endpoint,
        lambda ledger: ledger.put_webhook_endpoint(endpoint, **given),
        {name: value for name, value in given.items() if name != "secret"},
    )
    return answer(result)


@router.get(
    "/endpoints/{endpoint}/attempts", response_model=Page[DeliveryAttempt], responses=responses(NotFound)
)
async def list_endpoint_attempts(endpoint: models.Id, caller: Reader) -> Response:
    """The last attempts to send events there, newest first, at most 50: when, which event, status, error, duration."""
    try:
        attempts = await caller.wiring.heller.webhook_attempts(endpoint)
    except InvalidArgument as error:
        raise NotFound(error.message) from None
    return answer({"items": attempts, "next": None})


@router.post("/endpoints/{endpoint}/test", response_model=DeliveryAttempt, responses=responses(NotFound))
async def test_endpoint(endpoint: models.Id, caller: Writer) -> Response:
    """Send one signed event of type `heller.test` there at once. It was taken when `error` is null; nothing else changes."""
    try:
        attempt = await caller.wiring.heller.test_webhook_endpoint(endpoint)
    except InvalidArgument as error:
        raise NotFound(error.message) from None
    await caller.note("endpoint.test", endpoint, {"event": attempt.event, "error": attempt.error})
    return answer(attempt)


@router.delete("/endpoints/{endpoint}", response_model=Removed, responses=responses())
async def remove_endpoint(endpoint: models.Id, caller: Writer) -> Response:
    """Send nothing more there."""
    removed = await caller.change(
        "endpoint.remove", endpoint, lambda ledger: ledger.remove_webhook_endpoint(endpoint)
    )
    return answer(Removed(removed=removed))
