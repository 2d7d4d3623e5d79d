"""What is read for people and books: statements of a period, grants about to expire, revenue."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.reads import Reads
from heller.ledger.results import Grant, Transaction, decoded

PAGE_LINES = 1_000
CSV_COLUMNS = (
    "effective_at",
    "seq",
    "kind",
    "delta",
    "balance",
    "reason",
    "actor",
    "key",
    "payment",
    "counterparty",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One transaction of a statement and the balance after it in the statement's order (``effective_at``)."""

    transaction: Transaction
    balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHead:
    """The period, and the balance when it began and when it ended."""

    account: str
    unit: str
    since: datetime
    until: datetime
    opening: int
    closing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """Money of one currency in minor units: before + sold - recognised - breakage - taken back + moved = after.

    ``recognised``: what used credits cost; ``breakage``: what expired ones cost; ``taken_back``: refunds of payments and
    voided grants; ``deferred``: what is still owed to customers.
    """

    currency: str
    deferred_before: int
    sold: int
    recognised: int
    breakage: int
    taken_back: int
    deferred_after: int
    moved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one feature used on one day, less what of it was refunded; ``feature`` None: all the small ones together."""

    day: date
    feature: str | None
    spent: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """What all accounts spent on one thing in one period, and what was refunded of such things in it.

    ``begin`` None: the whole period; ``name`` None: all the small ones together (then ``accounts`` is not known), empty: none.
    """

    begin: date | None
    name: str | None
    spent: int
    refunded: int
    count: int
    accounts: int | None


class Statements(Reads):
    """Statements and reports."""

    async def usage(
        self,
        account: str,
        since: datetime,
        until: datetime,
        *,
        unit: str = DEFAULT_UNIT,
        zone: str = "UTC",
        features: int = 6,
    ) -> list[Usage]:
        """Spends per day and feature, by ``effective_at``, in order of the days.

        Args:
            account: whose.
            since, until: the period, half open.
            unit: the unit of the account.
            zone: the time zone of the days, such as ``Europe/Berlin``.
            features: so many, the largest, are named. A feature is ``metadata["feature"]``, else the reason.
        """
        rows = await self._read_many(
            "usage_of",
            account_id=account,
            **{"from": since},
            until=until,
            unit=unit,
            zone=zone,
            features=features,
        )
        return [decoded(row, Usage) for row in rows]

    async def statement(
        self, account: str, since: datetime, until: datetime, *, unit: str = DEFAULT_UNIT
    ) -> AsyncIterator[StatementHead | StatementLine]:
        """One period of an account, half open, by ``effective_at``: first the head, then every line; memory is constant.

        Raises:
            UnknownAccount: it was never opened.
        """
        after: dict[str, Any] | None = None
        balance = 0
        while True:
            page = await self._read(
                "account_statement",
                account_id=account,
                **{"from": since},
                until=until,
                unit=unit,
                after=after,
                limit=PAGE_LINES,
            )
            if after is None:
                balance = int(page["opening"])
                yield StatementHead(
                    account=account,
                    unit=unit,
                    since=since,
                    until=until,
                    opening=balance,
                    closing=int(page["closing"]),
                )
            for line in page["lines"]:
                transaction = decoded(line, Transaction)
                balance += transaction.delta
                yield StatementLine(transaction=transaction, balance=balance)
            after = page["after"]
            if after is None:
                return

    async def statement_csv(
        self, account: str, since: datetime, until: datetime, *, unit: str = DEFAULT_UNIT
    ) -> AsyncIterator[str]:
        """The statement as CSV, line by line: a header, an opening line, the transactions, a closing line."""
        yield csv_row(CSV_COLUMNS)
        closing = 0
        async for part in self.statement(account, since, until, unit=unit):
            if isinstance(part, StatementHead):
                closing = part.closing
                yield csv_row([since.isoformat(), "", "opening", "", part.opening, "", "", "", "", ""])
            else:
                t = part.transaction
                at = t.effective_at.isoformat() if t.effective_at else ""
                yield csv_row(
                    [
                        at,
                        t.seq,
                        t.kind,
                        t.delta,
                        part.balance,
                        t.reason,
                        t.actor,
                        t.key,
                        t.payment,
                        t.counterparty,
                    ]
                )
        yield csv_row([until.isoformat(), "", "closing", "", closing, "", "", "", "", ""])

    async def expiring(
        self, before: datetime, *, account: str | None = None, limit: int = 1_000, after: str = ""
    ) -> list[Grant]:
        """Grants that expire before an instant and what is left of each now; of at most ``limit`` accounts.

        The next page is ``after`` the last account of this one.
        """
        rows = await self._read_many("expiring", before=before, account_id=account, limit=limit, after=after)
        return [decoded(row, Grant) for row in rows]

    async def usage_report(
        self,
        since: datetime,
        until: datetime,
        *,
        by: str = "feature",
        per: str | None = None,
        unit: str = DEFAULT_UNIT,
        zone: str = "UTC",
        names: int = 100,
    ) -> list[UsageLine]:
        """What all accounts spent, by the time it was recorded: a closed period never changes. The largest first.

        Args:
            since, until: the period, half open.
            by: ``feature`` (``metadata["feature"]``, else the reason), ``reason``, ``account`` or ``metadata.NAME``.
            per: ``day``, ``week``, ``month`` or ``year``; without it the period is one.
            unit: of the accounts.
            zone: the time zone of the days, such as ``Europe/Berlin``.
            names: so many, the largest, are named.

        Raises:
            InvalidArgument: by, per or zone is none of these.
        """
        rows = await self._read_many(
            "usage_report",
            **{"from": since},
            until=until,
            by=by,
            per=per,
            unit=unit,
            zone=zone,
            names=names,
        )
        return [decoded(row, UsageLine) for row in rows]

    async def revenue(self, since: datetime, until: datetime) -> list[Revenue]:
        """Recognised and deferred revenue of a period, per currency, by the time things were recorded.

        A closed period never changes: what is back-dated later counts when it was recorded.
        """
        rows = await self._read_many("revenue", **{"from": since}, until=until)
        return [decoded(row, Revenue) for row in rows]


def csv_row(values: Any) -> str:
    """A line of CSV that no spreadsheet runs as a formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        ["" if value is None else _harmless(value) for value in values]
    )
    return text.getvalue()


def _harmless(value: Any) -> Any:
    """A spreadsheet runs a cell that begins so as a formula."""
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
        else value
    )
