"""What can be asked of the ledger. Reads change nothing and see what is due as done."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import (
    Account,
    Books,
    Draw,
    FoundAccount,
    Grant,
    HoldState,
    Transaction,
    decoded,
)

PAGE_MAX = 1_000


class Reads(ABC):
    """Every question, by name."""

    @abstractmethod
    async def _read(self, function: str, **arguments: Any) -> Any: ...

    @abstractmethod
    async def _read_many(self, function: str, **arguments: Any) -> list[Any]: ...

    async def balance(self, account: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """posted, held and available at this instant.

        Raises:
            UnknownAccount: it was never opened.
        """
        return decoded(await self._read("balance", account_id=account, unit=unit), Account)

    async def balance_at(self, account: str, at: datetime, *, unit: str = DEFAULT_UNIT) -> int:
        """Posted as of a past instant, by ``effective_at``, with what is known now."""
        return int(await self._read("balance_at", account_id=account, at=at, unit=unit))

    async def history(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        before_seq: int | None = None,
        limit: int = 100,
        kinds: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> list[Transaction]:
        """Transactions, newest first; at most 1,000 a page, the next page is ``before_seq`` the last one's seq.

        Args:
            kinds: only these kinds.
            since, until: half-open range of ``effective_at``.
            text: part of the reason, in any case.
            metadata: JSON that the metadata must contain.
        """
        rows = await self._read_many(
            "history",
            account_id=account,
            unit=unit,
            before_seq=before_seq,
            limit=min(limit, PAGE_MAX),
            kinds=list(kinds) if kinds is not None else None,
            **{"from": since},
            until=until,
            text=text,
            metadata=dict(metadata) if metadata is not None else None,
        )
        return [decoded(row, Transaction) for row in rows]

    async def grants(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        include_ended: bool = False,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[Grant]:
        """The grants in burn-down order with what remains of each now; all, or a page of ``limit``, at most 1,000.

        The next page is ``after`` the last grant of this one.

        Raises:
            InvalidArgument: ``after`` is no grant of this account.
        """
        rows = await self._read_many(
            "grants_of", account_id=account, unit=unit, all=include_ended, after=after, limit=limit
        )
        return [decoded(row, Grant) for row in rows]

    async def holds(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        include_closed: bool = False,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[HoldState]:
        """The open holds, oldest first; all, or a page of ``limit``, at most 1,000, ``after`` the last hold of the page before."""
        rows = await self._read_many(
            "holds_of", account_id=account, unit=unit, all=include_closed, after=after, limit=limit
        )
        return [decoded(row, HoldState) for row in rows]

    async def drawn(self, account: str, seq: int, *, unit: str = DEFAULT_UNIT) -> list[Draw]:
        """Which grants paid a spend, in burn-down order."""
        rows = await self._read("drawn", account_id=account, seq=seq, unit=unit)
        return [decoded(row, Draw) for row in rows]

    async def resolve(self, name: str) -> list[str]:
        """The users known by a name (id or any identity); more than one means it is ambiguous."""
        return [str(row) for row in await self._read_many("resolve", name=name)]

    async def find_accounts(
        self, text: str | None = None, *, state: str | None = None, after: str = "", limit: int = 50
    ) -> list[FoundAccount]:
        """Accounts by any name of theirs, by its beginning; without ``text`` all, by id. The next page is ``after`` the last.

        A page ends with the last unit of an account, so it may be a little longer than ``limit``.

        Args:
            text: the beginning of an account id, of a user id or of any identity; or a whole payment, session or order id.
            state: only accounts that are frozen, or whose home is quarantined.
        """
        rows = await self._read_many("find_accounts", text=text, state=state, after=after, limit=limit)
        return [decoded(row, FoundAccount) for row in rows]

    async def books(self, *, age_max_seconds: int = 60) -> Books:
        """Trial balance, liabilities and deferred revenue, counted anew when older than that and than twenty times the counting."""
        return decoded(await self._read("books", age_max_seconds=age_max_seconds), Books)

    async def accounts_of(self, user: str) -> list[Account]:
        """The accounts of a user."""
        return [decoded(row, Account) for row in await self._read_many("accounts_of", user_id=user)]

    async def identities_of(self, user: str) -> list[dict[str, str]]:
        """Every name a user is known by, as kind and name."""
        return await self._read_many("identities_of", user_id=user)

    async def add_identity(self, user: str, kind: str, name: str) -> None:
        """Make a name known as a user's.

        Raises:
            IdentityTaken: it belongs to another user.
        """
        await self._read("add_identity", user_id=user, kind=kind, name=name)

    async def export_user(self, user: str) -> dict[str, Any]:
        """All that is kept of a user but the transactions: names, accounts, grants, recurring grants, holds, orders, payments, memberships.

        Raises:
            UnknownAccount: there is no such user.
        """
        result: dict[str, Any] = await self._read("export_user", user_id=user)
        return result

    async def erase_user(self, user: str, *, actor: str, dry_run: bool = False) -> dict[str, Any]:
        """Forget who a user is: names, orders' words, what Stripe sent. The ledger stays.

        Raises:
            UnknownAccount: there is no such user.
        """
        result: dict[str, Any] = await self._read("erase_user", user_id=user, actor=actor, dry_run=dry_run)
        return result

    async def change_account(
        self,
        account: str,
        *,
        overdraft_limit: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        unit: str = DEFAULT_UNIT,
        if_version: int | None = None,
        dry_run: bool = False,
    ) -> Account:
        """Change how far an account may go below zero, or its metadata; what is not given stays.

        Raises:
            StaleVersion: it has changed since ``if_version``.
        """
        row = await self._read(
            "change_account",
            account_id=account,
            overdraft_limit=overdraft_limit,
            metadata=dict(metadata) if metadata is not None else None,
            unit=unit,
            if_version=if_version,
            dry_run=dry_run,
        )
        return decoded(row, Account)

    async def freeze(self, account: str, reason: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """Take no change of an account until ``unfreeze``."""
        return decoded(await self._read("freeze", account_id=account, reason=reason, unit=unit), Account)

    async def unfreeze(self, account: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """Let changes through again."""
        return decoded(await self._read("unfreeze", account_id=account, unit=unit), Account)

    async def route(self, account: str, *, unit: str = DEFAULT_UNIT) -> dict[str, Any]:
        """Which home serves an account now: ``home`` is heller, legacy, moving, or unknown; and its ``epoch``."""
        result: dict[str, Any] = await self._read("route", account_id=account, unit=unit)
        return result
