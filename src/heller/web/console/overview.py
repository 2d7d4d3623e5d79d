"""``/console``: how everything stands, at one look."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from heller.errors import Busy
from heller.ledger.results import Books
from heller.rollout import state
from heller.rollout.reading import guardrails_of, worst
from heller.stripe import deliveries
from heller.stripe.reconcile import discrepancies
from heller.web import audit
from heller.web.console.live import follow
from heller.web.console.rollout import people
from heller.web.console.shared import Support, page
from heller.web.wiring import Wiring, wiring_of

router = APIRouter()

SHOWN = 5
FOR_EVER_SECONDS = 2_000_000_000
BOOKS_SECONDS = 60


async def overview(request: Request, principal: Support) -> Response:
    """The figures, what waits for a person, and what was done last."""
    wiring = wiring_of(request)
    parked, dead, open_discrepancies = await asyncio.gather(
        deliveries.deliveries(wiring.database, status="parked", limit=SHOWN),
        deliveries.deliveries(wiring.database, status="dead", limit=SHOWN),
        discrepancies(wiring.database, state="open", limit=SHOWN),
    )
    async with wiring.database.connection() as connection:
        done = await audit.entries(connection, limit=SHOWN)
    return await page(
        request,
        "overview.html",
        principal,
        current="/console",
        waiting=[*parked, *dead][:SHOWN],
        open_discrepancies=open_discrepancies,
        done=done,
        **await figures(wiring),
    )


@router.get("/live")
async def live(request: Request, _principal: Support) -> Response:
    """The figures as they change."""
    wiring = wiring_of(request)
    return follow(request, {"figures": "_figures.html"}, lambda: figures(wiring))


async def figures(wiring: Wiring) -> dict[str, Any]:
    """The figures of the overview, cheap enough to be read again every two seconds."""
    async with wiring.database.connection() as connection:
        rollout = await state.rollout_of(connection)
        homes = await people(connection, rollout)
    anchors = await wiring.heller.anchors(limit=1)
    now = datetime.now(UTC)
    return {
        "books": await _books(wiring),
        "queue": await deliveries.queue(wiring.database),
        "rollout": rollout,
        "homes": homes,
        "worst": worst(guardrails_of(rollout, now=now)) if rollout else None,
        "anchor": anchors[0] if anchors else None,
    }


async def _books(wiring: Wiring) -> Books | None:
    """The figures over all accounts; the last ones when counting takes longer than a statement may."""
    try:
        return await wiring.heller.books(age_max_seconds=BOOKS_SECONDS)
    except Busy:
        pass
    try:
        return await wiring.heller.books(age_max_seconds=FOR_EVER_SECONDS)
    except Busy:
        return None
