"""The first page: what is there, what expires, what was used for what, what happened last."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from babel.dates import format_date
from fastapi import Query, Request
from fastapi.responses import Response

from heller.ledger.recurring import RecurringGrant
from heller.ledger.results import Grant
from heller.ledger.statements import Usage
from heller.web import pages
from heller.web.portal.routing import View, known, router, show
from heller.web.principal import Role
from heller.web.wiring import wiring_of

EXPIRING_DAYS = 30
RECENT = 6
EXPIRING_SHOWN = 4
HOLDS_SHOWN = 10
FEATURES = 5  # and all else together: the chart has six colours
PERIODS = (7, 30, 90)


@router.get("")
async def overview(
    request: Request, view: View, days: Annotated[Literal["7", "30", "90"], Query()] = "30"
) -> Response:
    """The account at this instant."""
    heller = wiring_of(request).heller
    user = view.principal.user if view.is_own else known(view).user
    teams = await heller.memberships(user) if user else []
    if view.account is None:
        if view.principal.role >= Role.support:
            return pages.render(request, "portal/whose.html", principal=view.principal, navigation=[])
        return show(request, view, "none", teams=teams)
    account = known(view)
    name, unit = account.account, account.unit
    now = datetime.now(UTC)
    first = (now - timedelta(days=int(days) - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    usage = await heller.usage(name, first, first + timedelta(days=int(days)), unit=unit, features=FEATURES)
    grants = await heller.grants(name, unit=unit)
    ending = sorted((g for g in grants if g.expires_at and not g.scheduled), key=_end)
    soon = [g for g in ending if _end(g) < now + timedelta(days=EXPIRING_DAYS)]
    return show(
        request,
        view,
        "overview",
        days=int(days),
        periods=PERIODS,
        used=used(request, usage, first.date(), int(days)),
        expiring=sum(g.remaining or 0 for g in soon),
        ending=ending[:EXPIRING_SHOWN],
        holds=await heller.holds(name, unit=unit, limit=HOLDS_SHOWN + 1),
        holds_shown=HOLDS_SHOWN,
        recent=await heller.history(name, unit=unit, limit=RECENT),
        teams=teams,
        rule=await heller.top_up_rule(name, unit=unit),
        recurring=sorted(await heller.recurring_grants(name, unit=unit), key=_begin),
    )


def _begin(grant: RecurringGrant) -> datetime:
    return grant.next_at or datetime.max.replace(tzinfo=UTC)


def _end(grant: Grant) -> datetime:
    return grant.expires_at or datetime.max.replace(tzinfo=UTC)


def used(request: Request, usage: Sequence[Usage], first: date, days: int) -> dict[str, Any]:
    """Usage as the page shows it: totals by feature, the days as a table, the same as a chart."""
    _ = pages.translator(request)
    locale = pages.formats(request).locale
    spent: dict[tuple[date, str], int] = {}
    counts: dict[str, int] = {}
    for line in usage:
        feature = line.feature if line.feature is not None else _("Everything else")
        feature = feature or _("Without a reason")
        spent[line.day, feature] = spent.get((line.day, feature), 0) + line.spent
        counts[feature] = counts.get(feature, 0) + line.count
    every_day = [first + timedelta(days=place) for place in range(days)]
    totals = {feature: sum(v for (_d, f), v in spent.items() if f == feature) for feature in counts}
    features = sorted(totals, key=lambda feature: -totals[feature])
    return {
        "total": sum(totals.values()),
        "features": [(feature, totals[feature], counts[feature]) for feature in features],
        "days": [
            (day, [spent.get((day, feature), 0) for feature in features])
            for day in reversed(every_day)
            if any((day, feature) in spent for feature in features)
        ],
        "chart": {
            "type": "bar",
            "stacked": True,
            "labels": [
                format_date(day, "d. MMM" if locale.language == "de" else "d MMM", locale=locale)
                for day in every_day
            ],
            "series": [
                {"name": feature, "values": [spent.get((day, feature), 0) for day in every_day]}
                for feature in features
            ],
        },
    }
