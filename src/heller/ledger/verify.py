"""``heller verify``: recompute everything from the rows, and name the row that is wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from heller import schema
from heller.database import connect, lift_limits, translating

PAGE_ACCOUNTS = 2_000
BROKEN_MAX = 1_000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was recomputed. ``broken`` names each row that is wrong (at most 1,000 of them)."""

    accounts: int
    transactions: int
    trial_balance: dict[str, Any]
    broken: tuple[dict[str, Any], ...]

    @property
    def is_ok(self) -> bool:
        """Nothing contradicts anything."""
        return not self.broken and self.trial_balance["difference"] == 0

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "ok": self.is_ok,
            "accounts": self.accounts,
            "transactions": self.transactions,
            "trial_balance": self.trial_balance,
            "broken": list(self.broken),
        }


async def verify(url: str, *, progress: Progress | None = None, workers: int = 2) -> Verification:
    """Check every account: numbering, running balance, hash chain, totals, holds, grants; and the trial balance.

    The work is split over ``workers`` connections in ranges of accounts; memory stays constant. Each page is one
    statement and so one snapshot: verifying a ledger in use is right.
    """
    connection = await connect(url)
    async with connection:
        await schema.require(connection)
        with translating():
            await lift_limits(connection)
            rows = await (await connection.execute("select count(*) from heller.account_balances")).fetchall()
            total = int(rows[0][0])
            borders = await _borders(connection, total, workers)
            trial = (await (await connection.execute("select heller.trial_balance()")).fetchall())[0][0]
    done = _Done(total, progress)
    ranges = zip(["", *borders], [*borders, None], strict=True)
    parts = await asyncio.gather(*(_range(url, first, last, done) for first, last in ranges))
    return Verification(
        accounts=sum(part[0] for part in parts),
        transactions=sum(part[1] for part in parts),
        trial_balance=trial,
        broken=tuple(row for part in parts for row in part[2])[:BROKEN_MAX],
    )


@dataclass(slots=True)
class _Done:
    total: int
    progress: Progress | None
    accounts: int = 0

    def add(self, accounts: int) -> None:
        self.accounts += accounts
        if self.progress:
            self.progress("verify", min(self.accounts, self.total), self.total)


async def _borders(connection: AsyncConnection, total: int, workers: int) -> list[str]:
    """Account ids that split all accounts into about equal ranges."""
    borders: list[str] = []
    for part in range(1, workers):
        cursor = await connection.execute(
            "select account_id from heller.account_balances order by account_id, unit offset %s limit 1",
            [total * part // workers],
        )
        row = await cursor.fetchone()
        if row is not None and row[0] not in borders:
            borders.append(row[0])
    return borders


async def _range(
    url: str, after: str, last: str | None, done: _Done
) -> tuple[int, int, list[dict[str, Any]]]:
    accounts = transactions = 0
    broken: list[dict[str, Any]] = []
    page: str | None = after
    connection = await connect(url)
    async with connection:
        with translating():
            await lift_limits(connection)
        while page is not None:
            with translating():
                cursor = await connection.execute(
                    "select last_account, accounts, transactions, broken"
                    " from heller.verify_accounts(%s, %s, p_until => %s)",
                    [page, PAGE_ACCOUNTS, last],
                )
                row = await cursor.fetchone()
            if row is None:
                break
            page = row[0]
            accounts += int(row[1])
            transactions += int(row[2])
            broken += (row[3] or [])[: BROKEN_MAX - len(broken)]
            done.add(int(row[1]))
    return accounts, transactions, broken
