"""Where credits came from, in the order they are used up, what is left of each and until when."""

from typing import Annotated, Literal

from fastapi import Query, Request
from fastapi.responses import Response

from heller.web.portal.routing import View, known, router, show
from heller.web.wiring import wiring_of

PAGE = 200
BIGINT_MAX = 2**63 - 1


@router.get("/grants")
async def grants(
    request: Request,
    view: View,
    ended: Annotated[Literal["", "1"], Query()] = "",
    after: Annotated[int | None, Query(ge=1, le=BIGINT_MAX)] = None,
) -> Response:
    """A page of the grants in burn-down order; with ``ended`` also those that are used up or over, newest first.

    ``after`` is the grant the page before ended with.
    """
    account = known(view)
    found = await wiring_of(request).heller.grants(
        account.account, unit=account.unit, include_ended=bool(ended), after=after, limit=PAGE + 1
    )
    following = found[PAGE - 1].grant if len(found) > PAGE else None
    found = found[:PAGE]
    living = [g for g in found if (g.remaining or 0) > 0 or g.scheduled]
    alive = {g.grant for g in living}
    over = sorted((g for g in found if g.grant not in alive), key=lambda g: -g.grant)
    return show(
        request,
        view,
        "grants",
        living=living,
        over=over,
        with_ended=bool(ended),
        after=after,
        following=following,
    )
