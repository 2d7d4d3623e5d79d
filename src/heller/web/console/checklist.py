"""``/console/checklist``: the plan's lists, before, during and after the move. Each item is looked at when the page is."""

from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import Response

from heller.checklist import as_json, checklist
from heller.web.console.shared import Support, page
from heller.web.wiring import wiring_of

router = APIRouter(prefix="/checklist")

HERE = "/console/checklist"


@router.get("")
async def listed(request: Request, principal: Support) -> Response:
    """Every item with its evidence, and the command that would satisfy what is open."""
    wiring = wiring_of(request)
    public_url = wiring.settings.public_url or None
    items = await checklist(wiring.url, legacy_url=wiring.legacy_url, public_url=public_url)
    return await page(
        request,
        "checklist.html",
        principal,
        current=HERE,
        phases={name: list(found) for name, found in groupby(items, key=lambda item: item.phase)},
        counts=as_json(items)["counts"],
    )
