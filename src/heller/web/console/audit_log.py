"""``/console/audit``: who did what, from the append-only log."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from heller.web import audit
from heller.web.console.accounts import address
from heller.web.console.shared import PAGE, Before, Support, moment, page
from heller.web.wiring import wiring_of

router = APIRouter(prefix="/audit")

HERE = "/console/audit"


@router.get("")
async def listed(
    request: Request,
    principal: Support,
    *,
    actor: str = "",
    action: str = "",
    target: str = "",
    since: str = "",
    before: Before = None,
) -> Response:
    """The log, newest first."""
    async with wiring_of(request).database.connection() as connection:
        found = await audit.entries(
            connection,
            actor=actor.strip() or None,
            action=action.strip() or None,
            target=target.strip() or None,
            since=moment(since, "since") if since else None,
            before=before,
            limit=PAGE,
        )
    return await page(
        request,
        "audit.html",
        principal,
        current=HERE,
        found=found,
        filters={"actor": actor, "action": action, "target": target, "since": since},
        before=before,
        next_before=found[-1].entry if len(found) == PAGE else None,
        address=address,
    )
