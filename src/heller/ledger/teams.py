"""Teams: an account with members, a cap for each of them, and who spent what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.reads import Reads
from heller.ledger.results import Transaction, decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who may spend from an account. ``spent`` and ``left`` are of the current period; no ``cap``: no limit."""

    account: str
    unit: str
    member: str
    cap: int | None
    period: str
    spent: int
    left: int | None
    joined_at: datetime
    left_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership(Member):
    """A membership as its member sees it; ``available`` is what the team's account has, of every member's."""

    available: int
    frozen: bool

    @property
    def spendable(self) -> int:
        """What the member may spend now: what is left of the cap, as far as the account has it."""
        if self.frozen:
            return 0
        return max(self.available if self.left is None else min(self.left, self.available), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpending:
    """What one person spent of an account; ``member`` None is where no actor was named."""

    member: str | None
    spent: int
    refunded: int
    count: int


class Teams(Reads):
    """What concerns the members of an account."""

    async def put_member(
        self,
        account: str,
        member: str,
        *,
        cap: int | None = None,
        period: str = "month",
        unit: str = DEFAULT_UNIT,
    ) -> Member:
        """Let somebody spend from an account, up to ``cap`` credits per calendar period (UTC); again changes it.

        Args:
            account: the team's account.
            member: the caller's own id of the person.
            cap: credits per period; None is no cap.
            period: day, week, month, year or ever.
            unit: the unit of the account.
        """
        row = await self._read(
            "put_member", account_id=account, member_id=member, cap=cap, period=period, unit=unit
        )
        return decoded(row, Member)

    async def remove_member(self, account: str, member: str, *, unit: str = DEFAULT_UNIT) -> Member:
        """End a membership; what was spent stays on record.

        Raises:
            UnknownMember: there is none of that id.
        """
        return decoded(
            await self._read("remove_member", account_id=account, member_id=member, unit=unit), Member
        )

    async def members(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        include_former: bool = False,
        after: str = "",
        limit: int | None = None,
    ) -> list[Member]:
        """The members with what each has spent in the current period; all, or a page of ``limit``, at most 1,000.

        The next page is ``after`` the last member of this one.
        """
        rows = await self._read_many(
            "members_of", account_id=account, unit=unit, all=include_former, after=after, limit=limit
        )
        return [decoded(row, Member) for row in rows]

    async def memberships(self, user: str) -> list[Membership]:
        """The accounts of teams that a user may spend from, with what is left of the cap in the current period."""
        return [decoded(row, Membership) for row in await self._read_many("memberships_of", user_id=user)]

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
        """A member spends, as far as the account's credits and the member's cap allow. A refund gives the cap back.

        ``effective_at`` decides which period's cap it counts in. ``allow_partial`` takes what the account has; what is
        then more than the cap is refused.

        Raises:
            UnknownMember: the person is no member.
            LimitExceeded: the cap of the period (``limit`` is ``member_cap``).
            InsufficientCredits: the account has not that many.
        """
        row = await self._read(
            "spend_as",
            account_id=account,
            member_id=member,
            amount=amount,
            key=key,
            reason=reason,
            unit=unit,
            metadata=dict(metadata) if metadata is not None else None,
            allow_partial=allow_partial,
            min_available_after=min_available_after,
            effective_at=effective_at,
            if_version=if_version,
            dry_run=dry_run,
        )
        return decoded(row, Transaction)

    async def spending_by_member(
        self,
        account: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        unit: str = DEFAULT_UNIT,
    ) -> list[MemberSpending]:
        """Who spent what in a period (by ``effective_at``), the largest first."""
        rows = await self._read_many(
            "team_spending", account_id=account, unit=unit, **{"from": since}, until=until
        )
        return [decoded(row, MemberSpending) for row in rows]
