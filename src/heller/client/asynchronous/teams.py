"""Members of a team's account."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from heller.client.asynchronous.caller import AsyncCaller
from heller.client.core import Ask, of, part, verb
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import Transaction
from heller.ledger.teams import Member


class AsyncTeams(AsyncCaller):
    """Members of a team's account."""

    async def put_member(
        self,
        account: str,
        member: str,
        *,
        cap: int | None = None,
        period: str = "month",
        unit: str = DEFAULT_UNIT,
    ) -> Member:
        """Let somebody spend from an account, up to ``cap`` credits per calendar period (UTC)."""
        body = {"cap": cap, "period": period, "unit": unit}
        return await self._send(Ask("PUT", of(account, f"/members/{part(member)}"), Member, body))

    async def remove_member(self, account: str, member: str, *, unit: str = DEFAULT_UNIT) -> Member:
        """End a membership."""
        return await self._send(
            Ask("DELETE", of(account, f"/members/{part(member)}"), Member, query={"unit": unit})
        )

    async def members(
        self, account: str, *, unit: str = DEFAULT_UNIT, include_former: bool = False
    ) -> list[Member]:
        """The members with what each has spent in the current period."""
        query = {"unit": unit, "include_former": include_former or None}
        return await self._all(Ask("GET", of(account, "/members"), dict[str, Any], query=query), Member)

    async def spend_as(
        self,
        account: str,
        member: str,
        amount: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        unit: str = DEFAULT_UNIT,
        metadata: Mapping[str, Any] | None = None,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        effective_at: datetime | None = None,
        if_version: int | None = None,
        dry_run: bool = False,
    ) -> Transaction:
        """A member spends, as far as the account's credits and the member's cap allow."""
        body = {
            "amount": amount,
            "reason": reason,
            "allow_partial": allow_partial or None,
            "min_available_after": min_available_after,
            "effective_at": effective_at,
        }
        common = {"unit": unit, "metadata": metadata, "if_version": if_version, "dry_run": dry_run or None}
        path = f"/members/{part(member)}/spend"
        return await self._send(verb(account, path, Transaction, body, common, key=key))
