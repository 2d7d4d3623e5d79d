"""Every change of the balance: filtered, searched, page by page, as CSV, and each by itself."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from heller import Heller
from heller.ledger.reads import PAGE_MAX
from heller.ledger.results import Account, Transaction
from heller.ledger.statements import csv_row
from heller.web.portal.routing import View, known, router, show
from heller.web.problems import NotFound
from heller.web.wiring import wiring_of

PAGE = 50
KINDS = (
    "spend",
    "purchase",
    "grant",
    "refund",
    "expire",
    "clawback",
    "reinstate",
    "adjust",
    "transfer",
    "migrate",
)
COLUMNS = ("seq", "effective_at", "kind", "reason", "delta", "balance_after", "actor", "payment")
SEQ_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What the reader wants to see. Days are UTC, both included; what cannot be read as a day is left out."""

    kind: str
    since: date | None
    until: date | None
    text: str

    @property
    def is_set(self) -> bool:
        """Whether anything is left out."""
        return bool(self.kind or self.since or self.until or self.text)

    def query(self) -> dict[str, Any]:
        """The same in an address."""
        return {"kind": self.kind or None, "from": self.since, "until": self.until, "text": self.text or None}

    async def page(
        self, heller: Heller, account: Account, *, before: int | None, limit: int
    ) -> list[Transaction]:
        """At most ``limit`` transactions older than ``before``, newest first."""
        return await heller.history(
            account.account,
            unit=account.unit,
            before_seq=before,
            limit=limit,
            kinds=[self.kind] if self.kind else None,
            since=_start(self.since),
            until=_start(self.until + timedelta(days=1)) if self.until and self.until < date.max else None,
            text=self.text or None,
        )


def _start(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


async def filtered(
    kind: Annotated[str, Query(max_length=20)] = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(max_length=10)] = "",
    text: Annotated[str, Query(max_length=200)] = "",
) -> Filter:
    """The filter that the address asks for."""
    return Filter(
        kind=kind if kind in KINDS else "",
        since=_day(since),
        until=_day(until),
        text=text.replace("\x00", "").strip(),
    )


Filtered = Annotated[Filter, Depends(filtered)]


@router.get("/transactions")
async def transactions(
    request: Request,
    view: View,
    wanted: Filtered,
    before: Annotated[int | None, Query(ge=1, le=SEQ_MAX)] = None,
) -> Response:
    """A page of transactions, newest first; the next one begins ``before`` the last of this one."""
    found = await wanted.page(wiring_of(request).heller, known(view), before=before, limit=PAGE + 1)
    rows = found[:PAGE]
    return show(
        request,
        view,
        "transactions",
        rows=rows,
        wanted=wanted,
        kinds=KINDS,
        before=before,
        older=rows[-1].seq if len(found) > PAGE else None,
    )


@router.get("/transactions.csv")
async def as_csv(request: Request, view: View, wanted: Filtered) -> Response:
    """All of what the filter lets through, newest first, as it is read: memory does not grow."""
    account = known(view)
    lines = _lines(wiring_of(request).heller, account, wanted)
    day = datetime.now(UTC).date().isoformat()
    headers = {"Content-Disposition": f'attachment; filename="transactions-{day}.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(heller: Heller, account: Account, wanted: Filter) -> AsyncIterator[str]:
    yield csv_row(COLUMNS)
    before: int | None = None
    while True:
        rows = await wanted.page(heller, account, before=before, limit=PAGE_MAX)
        for row in rows:
            at = row.effective_at.astimezone(UTC).isoformat() if row.effective_at else ""
            yield csv_row(
                [row.seq, at, row.kind, row.reason, row.delta, row.balance_after, row.actor, row.payment]
            )
        if len(rows) < PAGE_MAX:
            return
        before = rows[-1].seq


@router.get("/transactions/{seq}")
async def transaction(request: Request, view: View, seq: Annotated[int, Path(ge=1, lt=SEQ_MAX)]) -> Response:
    """One transaction, what paid it, and what undid it.

    Raises:
        NotFound: there is none of that number.
    """
    heller, account = wiring_of(request).heller, known(view)
    found = await heller.history(account.account, unit=account.unit, before_seq=seq + 1, limit=1)
    if not found or found[0].seq != seq:
        raise NotFound("There is no such transaction.")
    is_paid = found[0].delta < 0 and found[0].kind in {"spend", "transfer", "adjust"}
    draws = await heller.drawn(account.account, seq, unit=account.unit) if is_paid else []
    grants = await heller.grants(account.account, unit=account.unit, include_ended=True) if draws else []
    return show(request, view, "transaction", row=found[0], draws=draws, grants={g.grant: g for g in grants})
