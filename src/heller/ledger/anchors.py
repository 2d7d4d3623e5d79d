"""Anchors: a digest over all chains, to be kept elsewhere, and the check that only looks at what changed since."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from heller import schema
from heller.database import connect, translating
from heller.ledger.reads import Reads
from heller.ledger.results import decoded
from heller.ledger.verify import BROKEN_MAX

PAGE_ACCOUNTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The heads of all chains as they stood at ``at``, as one SHA-256. ``as_json`` is what to keep elsewhere."""

    at: str
    accounts: int
    transactions: int
    digest: str
    taken_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """What ``check_anchor`` needs."""
        return {
            "at": self.at,
            "accounts": self.accounts,
            "transactions": self.transactions,
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorCheck:
    """What the heads at the anchor's instant are now."""

    at: str
    ok: bool
    accounts: int
    transactions: int
    digest: str


@dataclass(frozen=True, slots=True)
class VerificationSince:
    """What an incremental check recomputed: the accounts that changed since the anchor, wholly."""

    anchor: AnchorCheck
    accounts: int
    transactions: int
    broken: tuple[dict[str, Any], ...]

    @property
    def is_ok(self) -> bool:
        """The anchor holds and nothing that changed since contradicts anything."""
        return self.anchor.ok and not self.broken

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "ok": self.is_ok,
            "since": self.anchor.at,
            "anchor_ok": self.anchor.ok,
            "accounts": self.accounts,
            "transactions": self.transactions,
            "broken": list(self.broken),
        }


class Anchors(Reads):
    """Digests over all chains."""

    async def take_anchor(self) -> Anchor | None:
        """Write down an anchor of about now. None when nobody has ever asked for events or anchors: ask again."""
        row = await self._read("take_anchor")
        return None if row is None else decoded(row, Anchor)

    async def anchors(self, *, before: datetime | str | None = None, limit: int = 100) -> list[Anchor]:
        """The anchors, newest first; at most 1,000 a page, the next page is ``before`` the last one's ``at``."""
        rows = await self._read_many("anchors_list", limit=limit, before=before)
        return [decoded(row, Anchor) for row in rows]

    async def check_anchor(self, anchor: Anchor) -> AnchorCheck:
        """Whether every chain still runs through the head it had: no row before the anchor was changed or removed."""
        return decoded(await self._read("check_anchor", anchor=anchor.as_json()), AnchorCheck)


async def verify_since(url: str, anchor: Anchor, *, workers: int = 2) -> VerificationSince:
    """Check the anchor's digest, then recompute every account that has changed since, and no other.

    The accounts are shared by ``workers`` connections. The digest covers the heads, not the rows beneath: a row
    changed inside an account that is quiet since is found by the full ``verify`` only.
    """
    connection = await connect(url)
    async with connection:
        await schema.require(connection)
        with translating():
            cursor = await connection.execute("select heller.check_anchor(%s)", [Jsonb(anchor.as_json())])
            row = await cursor.fetchone()
            check = decoded(row[0] if row else None, AnchorCheck)
            queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=PAGE_ACCOUNTS)
            try:
                async with asyncio.TaskGroup() as tasks:
                    parts = [tasks.create_task(_recompute(url, queue)) for _ in range(workers)]
                    async for account in _changed(connection, anchor.at):
                        await queue.put(account)
                    for _ in parts:
                        await queue.put(None)
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
    found = [part.result() for part in parts]
    return VerificationSince(
        check,
        sum(part[0] for part in found),
        sum(part[1] for part in found),
        tuple(row for part in found for row in part[2])[:BROKEN_MAX],
    )


async def _recompute(url: str, queue: "asyncio.Queue[str | None]") -> tuple[int, int, list[dict[str, Any]]]:
    accounts = transactions = 0
    broken: list[dict[str, Any]] = []
    connection = await connect(url)
    async with connection:
        while (account := await queue.get()) is not None:
            cursor = await connection.execute(
                "select v.accounts, v.transactions, v.broken from heller.verify_accounts("
                " coalesce((select max(account_id) from heller.account_balances where account_id < %s), ''), 1,"
                " p_until => %s) v",
                [account, account],
            )
            seen = await cursor.fetchone()
            if seen is not None:
                accounts += int(seen[0])
                transactions += int(seen[1])
                broken += (seen[2] or [])[: BROKEN_MAX - len(broken)]
    return accounts, transactions, broken


async def _changed(connection: AsyncConnection, since: str) -> AsyncIterator[str]:
    after = ""
    while True:
        cursor = await connection.execute(
            "select heller.changed_accounts(%s::timestamptz, %s, %s)", [since, after, PAGE_ACCOUNTS]
        )
        page = [str(row[0]) for row in await cursor.fetchall()]
        for account in page:
            yield account
        if len(page) < PAGE_ACCOUNTS:
            return
        after = page[-1]
