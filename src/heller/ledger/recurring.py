"""Recurring grants: credits an account gets anew every period. Settings here; the ledger gives what is due by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.reads import Reads
from heller.ledger.results import decoded

PERIODS = ("day", "week", "month", "quarter", "year")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringGrant:
    """So many credits every ``period``. ``next_at`` is when the next begins; None: no further one does.

    ``cost`` is what is paid for one period, in minor units of ``currency``.
    """

    account: str
    unit: str
    name: str
    amount: int
    period: str
    anchor: datetime
    time_zone: str
    rollover: int
    expires: bool
    source: str
    priority: int
    reason: str
    created_at: datetime
    cost: int = 0
    currency: str | None = None
    metadata: dict[str, Any] | None = None
    next_at: datetime | None = None
    ends_at: datetime | None = None
    dry_run: bool = False


class Recurring(Reads):
    """Recurring grants of accounts. They cost a spend nothing, and need no worker."""

    async def put_recurring_grant(
        self,
        account: str,
        name: str,
        amount: int,
        *,
        period: str = "month",
        rollover: int = 0,
        expires: bool = True,
        anchor: datetime | None = None,
        time_zone: str = "UTC",
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        source: str = "subscription",
        priority: int = 100,
        cost: int = 0,
        currency: str | None = None,
        reason: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        unit: str = DEFAULT_UNIT,
        dry_run: bool = False,
    ) -> RecurringGrant:
        """Give an account ``amount`` credits every period, from now on; again changes it, from the next period on.

        A period is given once, whoever asks how often, also when this was removed in between.

        Args:
            account: who gets them.
            name: which of the account's recurring grants; the caller's own text.
            amount: credits of one period.
            period: day, week, month, quarter or year.
            rollover: so many of a period's credits, at most, live on for one more period.
            expires: False: what is left at the end of a period stays for good.
            anchor: an instant at which a period begins (default: the first one's begin, or what it was).
                The 31st is the last day of shorter months.
            time_zone: by whose calendar and clock, such as Europe/Berlin.
            starts_at: no period begins before (default: now). The first is given in full, up to the next boundary.
            ends_at: no period begins then or later.
            source: as of a grant.
            priority: smaller burns first.
            cost: what is paid for one period, in minor units of ``currency``.
            currency: of the cost.
            reason: of the transactions (default: the name).
            metadata: of the transactions; ``recurring``, the name, is added.
            unit: the unit of the account.
            dry_run: say what it would be, and change nothing.

        Raises:
            UnknownAccount: it was never opened.
            AccountFrozen: it takes no changes now.
            InvalidArgument: a setting is not possible; ``argument`` names it.
        """
        row = await self._read(
            "put_recurring_grant",
            account_id=account,
            name=name,
            amount=amount,
            period=period,
            unit=unit,
            rollover=rollover,
            expires=expires,
            anchor=anchor,
            time_zone=time_zone,
            starts_at=starts_at,
            ends_at=ends_at,
            source=source,
            priority=priority,
            cost=cost,
            currency=currency,
            reason=reason,
            metadata=dict(metadata) if metadata is not None else None,
            dry_run=dry_run,
        )
        return decoded(row, RecurringGrant)

    async def remove_recurring_grant(
        self, account: str, name: str, *, unit: str = DEFAULT_UNIT
    ) -> RecurringGrant:
        """End a recurring grant: no further period begins. The credits of the one in progress stay; ``void`` takes them back.

        Raises:
            UnknownGrant: there is none of this name.
        """
        row = await self._read("remove_recurring_grant", account_id=account, name=name, unit=unit)
        return decoded(row, RecurringGrant)

    async def recurring_grants(
        self, account: str, *, unit: str = DEFAULT_UNIT, include_ended: bool = False
    ) -> list[RecurringGrant]:
        """The recurring grants of an account by name, each with when its next period begins."""
        rows = await self._read_many("recurring_grants_of", account_id=account, unit=unit, all=include_ended)
        return [decoded(row, RecurringGrant) for row in rows]
