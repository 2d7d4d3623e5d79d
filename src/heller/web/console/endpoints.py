"""``/console/endpoints``: where events are sent to, how that goes, and the last attempts at each."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from heller.errors import InvalidArgument
from heller.web import pages
from heller.web.console.accounts import address
from heller.web.console.shared import MESSAGE, PROTECTED, Fields, Operator, Support, acting, page
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


@router.post("/test", dependencies=PROTECTED)
async def test(request: Request, principal: Operator) -> Response:
    """Send a test event to an endpoint, and say what it answered."""
    endpoint = (await Fields.of(request)).text("endpoint")
    try:
        attempt = await wiring_of(request).heller.test_webhook_endpoint(endpoint)
    except InvalidArgument as error:
        raise NotFound(error.message) from None
    async with acting(
        request, principal, "endpoint.test", endpoint, event=attempt.event, error=attempt.error
    ):
        pass
    _, took = pages.translator(request), pages.formats(request).number(attempt.milliseconds)
    if attempt.error is None:
        said = _("The test event was taken after %(took)s ms.", took=took)
    else:
        said = _(
            "The test event was not taken: %(error)s, after %(took)s ms.", error=attempt.error, took=took
        )
    request.session[MESSAGE] = {"kind": "danger" if attempt.error else "success", "text": said}
    return RedirectResponse(f"{HERE}?id={quote(endpoint, safe='')}", status_code=303)
