"""Low-balance alerts and automatic top-up rules: data here, acted on by the worker and the Stripe chapter."""

from dataclasses import dataclass
from datetime import datetime

from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.reads import Reads
from heller.ledger.results import decoded

PAGE_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Told once when ``available`` is below ``threshold``, again after it has been at ``rearm_at`` or above."""

    account: str
    unit: str
    threshold: int
    rearm_at: int
    armed: bool
    fired_at: datetime | None = None
    available: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRule:
    """When an account buys credits by itself. Money is in minor units of the price's currency.

    ``available`` and ``spent`` (money within ``ceiling_days``) are set where the rule was found due.
    """

    account: str
    unit: str
    threshold: int
    price: str
    quantity: int
    ceiling: int | None
    ceiling_days: int
    cooldown_seconds: int
    failures_max: int
    failures: int
    attempted_at: datetime | None = None
    paused_at: datetime | None = None
    paused_reason: str | None = None
    available: int | None = None
    spent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpAttempt:
    """What became of one automatic top-up: ``outcome`` is succeeded, failed or declined (nothing was charged)."""

    attempt: int
    attempted_at: datetime
    outcome: str
    amount: int
    detail: str | None = None


class Alerts(Reads):
    """Alerts and top-up rules of accounts. Both are found by looking, so they cost a spend nothing."""

    async def put_alert(
        self, account: str, threshold: int, *, rearm_at: int | None = None, unit: str = DEFAULT_UNIT
    ) -> Alert:
        """Ask to be told when available falls below ``threshold``."""
        row = await self._read(
            "put_alert", account_id=account, threshold=threshold, rearm_at=rearm_at, unit=unit
        )
        return decoded(row, Alert)

    async def remove_alert(self, account: str, threshold: int, *, unit: str = DEFAULT_UNIT) -> bool:
        """End an alert; False when there was none."""
        return bool(await self._read("remove_alert", account_id=account, threshold=threshold, unit=unit))

    async def alerts(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[Alert]:
        """The alerts of an account by threshold; all, or a page of ``limit``, at most 1,000, ``after`` a threshold."""
        rows = await self._read_many("alerts_of", account_id=account, unit=unit, after=after, limit=limit)
        return [decoded(row, Alert) for row in rows]

    async def fire_alerts(self, *, limit: int = 100) -> list[Alert]:
        """The alerts that are due, from now on marked as told. Several callers never get the same one."""
        rows = await self._read_many("fire_alerts", limit=min(limit, PAGE_MAX))
        return [decoded(row, Alert) for row in rows]

    async def put_top_up_rule(
        self,
        account: str,
        *,
        threshold: int,
        price: str,
        quantity: int = 1,
        ceiling: int | None = None,
        ceiling_days: int = 30,
        cooldown_seconds: int = 300,
        failures_max: int = 3,
        unit: str = DEFAULT_UNIT,
    ) -> TopUpRule:
        """Let an account buy ``quantity`` of ``price`` when available falls below ``threshold``.

        Args:
            account: whose rule; there is one per account and unit, again changes it.
            threshold: in credits.
            price: the price to buy.
            quantity: how many of it.
            ceiling: the most money in ``ceiling_days``, in minor units; None is no ceiling.
            ceiling_days: the days the ceiling is for.
            cooldown_seconds: the least time between two attempts.
            failures_max: failures in a row that pause the rule.
            unit: the unit of the account.
        """
        row = await self._read(
            "put_top_up_rule",
            account_id=account,
            threshold=threshold,
            price=price,
            quantity=quantity,
            ceiling=ceiling,
            ceiling_days=ceiling_days,
            cooldown_seconds=cooldown_seconds,
            failures_max=failures_max,
            unit=unit,
        )
        return decoded(row, TopUpRule)

    async def top_up_rule(self, account: str, *, unit: str = DEFAULT_UNIT) -> TopUpRule | None:
        """The rule of an account, if it has one."""
        row = await self._read("top_up_rule", account_id=account, unit=unit)
        return None if row is None else decoded(row, TopUpRule)

    async def remove_top_up_rule(self, account: str, *, unit: str = DEFAULT_UNIT) -> bool:
        """End automatic top-ups; False when there was no rule."""
        return bool(await self._read("remove_top_up_rule", account_id=account, unit=unit))

    async def due_top_ups(self, *, limit: int = 100) -> list[TopUpRule]:
        """Rules to act on now: below the threshold, not paused, cooled down, below the ceiling."""
        rows = await self._read_many("due_top_ups", limit=min(limit, PAGE_MAX))
        return [decoded(row, TopUpRule) for row in rows]

    async def record_top_up(
        self,
        account: str,
        outcome: str,
        *,
        amount: int = 0,
        detail: str | None = None,
        unit: str = DEFAULT_UNIT,
    ) -> TopUpRule:
        """Say what became of a top-up: succeeded, failed (enough of them pause the rule) or declined (not tried)."""
        row = await self._read(
            "record_top_up", account_id=account, outcome=outcome, amount=amount, detail=detail, unit=unit
        )
        return decoded(row, TopUpRule)

    async def resume_top_up(self, account: str, *, unit: str = DEFAULT_UNIT) -> TopUpRule:
        """End the pause after failures."""
        return decoded(await self._read("resume_top_up", account_id=account, unit=unit), TopUpRule)

    async def top_up_attempts(
        self, account: str, *, unit: str = DEFAULT_UNIT, before: int | None = None, limit: int = 100
    ) -> list[TopUpAttempt]:
        """What became of the automatic top-ups, newest first; at most 1,000 a page, the next is ``before`` the last attempt."""
        rows = await self._read_many(
            "top_up_attempts_of", account_id=account, unit=unit, limit=min(limit, PAGE_MAX), before=before
        )
        return [decoded(row, TopUpAttempt) for row in rows]
