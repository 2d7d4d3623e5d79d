"""``/console/endpoints``: where events are sent to, how that goes, and the last attempts at each."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from heller.web.console.accounts import address
from heller.web.console.shared import Support, page
from heller.web.problems import NotFound
from heller.web.wiring import wiring_of

router = APIRouter(prefix="/endpoints")

HERE = "/console/endpoints"


@router.get("")
async def listed(request: Request, principal: Support, id: str = "") -> Response:  # noqa: A002  # the word of the query
    """The endpoints, and the attempts at one of them: the one that is asked for, else the one that fails most."""
    heller = wiring_of(request).heller
    found = await heller.webhook_endpoints()
    worst = max(found, key=lambda endpoint: (endpoint.disabled, endpoint.failures), default=None)
    chosen = next((endpoint for endpoint in found if endpoint.endpoint == id), None) if id else worst
    if id and chosen is None:
        raise NotFound(f"There is no endpoint {id}.")
    return await page(
        request,
        "endpoints.html",
        principal,
        current=HERE,
        found=found,
        chosen=chosen,
        attempts=await heller.webhook_attempts(chosen.endpoint) if chosen else [],
        address=address,
    )
