"""``/console/usage``: what credits are spent on, over all accounts."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from babel.dates import format_date
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from heller.errors import Busy
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.statements import UsageLine, csv_row
from heller.web import pages
from heller.web.console.accounts import address
from heller.web.console.shared import Support, page
from heller.web.wiring import Wiring, wiring_of

router = APIRouter(prefix="/usage")

HERE = "/console/usage"
DAYS = (7, 30, 90, 365)
NAMES = 50
NAMES_CSV = 1_000
SERIES = 5  # and all else together: the chart has six colours
COLUMNS = ("begin", "name", "spent", "refunded", "count", "accounts")


class Wanted:
    """What the page's address asks for. A period is whole: it begins with its first day, week or month, in UTC."""

    def __init__(
        self,
        days: Annotated[Literal["7", "30", "90", "365"], Query()] = "30",
        by: Annotated[Literal["feature", "reason", "account"], Query()] = "feature",
        per: Annotated[Literal["day", "week", "month"], Query()] = "day",
        unit: Annotated[str, Query(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")] = DEFAULT_UNIT,
    ) -> None:
        self.days, self.by, self.per, self.unit = int(days), by, per, unit.strip() or DEFAULT_UNIT
        self.today = datetime.now(UTC).date()
        first = self.today - timedelta(days=self.days - 1)
        self.first = {
            "day": first,
            "week": first - timedelta(days=first.weekday()),
            "month": first.replace(day=1),
        }[per]

    async def read(self, wiring: Wiring, *, names: int) -> list[UsageLine]:
        """The figures, the largest names first in each period."""
        since = datetime.combine(self.first, time.min, UTC)
        until = datetime.combine(self.today + timedelta(days=1), time.min, UTC)
        return await wiring.heller.usage_report(
            since, until, by=self.by, per=self.per, unit=self.unit, names=names
        )

    def begins(self) -> list[date]:
        """Where each day, week or month begins, those with nothing too."""
        found = [self.first]
        while (following := self._after(found[-1])) <= self.today:
            found.append(following)
        return found

    def _after(self, begin: date) -> date:
        if self.per == "month":
            return (begin + timedelta(days=31)).replace(day=1)
        return begin + timedelta(days=7 if self.per == "week" else 1)


Asked = Annotated[Wanted, Depends(Wanted)]


@router.get("")
async def usage(request: Request, principal: Support, wanted: Asked) -> Response:
    """The totals by name, and the same over time."""
    try:
        found = await wanted.read(wiring_of(request), names=NAMES)
    except Busy:
        found = None
    return await page(
        request,
        "usage.html",
        principal,
        current=HERE,
        wanted=wanted,
        periods=DAYS,
        used=None if found is None else _figures(request, wanted, found),
        address=address,
    )


def _figures(request: Request, wanted: Wanted, lines: Sequence[UsageLine]) -> dict[str, Any]:
    """Usage as the page shows it: after refunds, by name and by period; the small names of the chart are one."""
    total: Counter[str | None] = Counter()
    refunded: Counter[str | None] = Counter()
    counts: Counter[str | None] = Counter()
    at: Counter[tuple[date | None, str | None]] = Counter()
    for line in lines:
        total[line.name] += line.spent - line.refunded
        refunded[line.name] += line.refunded
        counts[line.name] += line.count
    named = sorted((name for name in total if name is not None), key=lambda name: (-total[name], name))
    shown = named[:SERIES]
    for line in lines:
        at[line.begin, line.name if line.name in shown else None] += line.spent - line.refunded
    series: list[str | None] = [*shown, None] if len(total) > len(shown) else [*shown]
    begins = wanted.begins()
    return {
        "total": total.total(),
        "refunded": refunded.total(),
        "count": counts.total(),
        "names": [(name, counts[name], refunded[name], total[name]) for name in [*named, *([None] if None in total else [])]],
        "series": series,
        "rows": [(b, [at[b, name] for name in series]) for b in reversed(begins) if any(at[b, n] for n in series)],
        "chart": {
            "type": "bar",
            "stacked": True,
            "labels": [_label(request, begin, wanted.per) for begin in begins],
            "series": [
                {"name": _said(request, name), "values": [at[begin, name] for begin in begins]} for name in series
            ],
        },
    }  # fmt: skip


def _label(request: Request, begin: date, per: str) -> str:
    locale = pages.formats(request).locale
    if per == "month":
        return format_date(begin, "LLL yyyy", locale=locale)
    return format_date(begin, "d. MMM" if locale.language == "de" else "d MMM", locale=locale)


def _said(request: Request, name: str | None) -> str:
    _ = pages.translator(request)
    return _("Everything else") if name is None else name or _("Without a reason")


@router.get(".csv")
async def as_csv(request: Request, _principal: Support, wanted: Asked) -> Response:
    """The same as a table for a spreadsheet, with many more names; what is beyond them has none."""
    found = await wanted.read(wiring_of(request), names=NAMES_CSV)

    async def lines() -> AsyncIterator[str]:
        yield csv_row(COLUMNS)
        for line in found:
            yield csv_row([getattr(line, column) for column in COLUMNS])

    name = f"usage-by-{wanted.by}-{wanted.today.isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)
