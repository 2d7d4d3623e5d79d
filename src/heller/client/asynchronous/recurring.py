"""Recurring grants: what an account gets anew every period."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from heller.client.asynchronous.caller import AsyncCaller
from heller.client.core import Ask, of, part
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.recurring import RecurringGrant


class AsyncRecurring(AsyncCaller):
    """Recurring grants of accounts."""

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
        """Give an account ``amount`` credits every period, from now on; again changes it, from the next period on."""
        body = {
            "amount": amount,
            "period": period,
            "rollover": rollover,
            "expires": expires,
            "anchor": anchor,
            "time_zone": time_zone,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "source": source,
            "priority": priority,
            "cost": cost,
            "currency": currency,
            "reason": reason,
            "metadata": metadata,
            "unit": unit,
            "dry_run": dry_run,
        }
        path = of(account, f"/recurring-grants/{part(name)}")
        return await self._send(Ask("PUT", path, RecurringGrant, body))

    async def remove_recurring_grant(
        self, account: str, name: str, *, unit: str = DEFAULT_UNIT
    ) -> RecurringGrant:
        """End a recurring grant: no further period begins, the credits of the one in progress stay."""
        path = of(account, f"/recurring-grants/{part(name)}")
        return await self._send(Ask("DELETE", path, RecurringGrant, query={"unit": unit}))

    async def recurring_grants(
        self, account: str, *, unit: str = DEFAULT_UNIT, include_ended: bool = False
    ) -> list[RecurringGrant]:
        """The recurring grants of an account by name, each with when its next period begins."""
        query = {"unit": unit, "include_ended": include_ended or None}
        path = of(account, "/recurring-grants")
        return await self._items(Ask("GET", path, dict[str, Any], query=query), RecurringGrant)
