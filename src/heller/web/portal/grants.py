"""Where credits came from, in the order they are used up, what is left of each and until when."""

from typing import Annotated, Literal

from fastapi import Query, Request
from fastapi.responses import Response

from heller.web.portal.routing import View, known, router, show
from heller.web.wiring import wiring_of

SHOWN_MAX = 500


@router.get("/grants")
async def grants(request: Request, view: View, ended: Annotated[Literal["", "1"], Query()] = "") -> Response:
    """The grants in burn-down order; with ``ended`` also those that are used up or over, newest first."""
    account = known(view)
    found = await wiring_of(request).heller.grants(
        account.account, unit=account.unit, include_ended=bool(ended)
    )
    living = [g for g in found if (g.remaining or 0) > 0 or g.scheduled]
    alive = {g.grant for g in living}
    over = sorted((g for g in found if g.grant not in alive), key=lambda g: -g.grant)
    return show(
        request,
        view,
        "grants",
        living=living[:SHOWN_MAX],
        over=over[:SHOWN_MAX],
        left_out=max(0, len(living) - SHOWN_MAX) + max(0, len(over) - SHOWN_MAX),
        with_ended=bool(ended),
    )
