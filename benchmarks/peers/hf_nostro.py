"""hf-nostro: append-only ledger with credit lots; its asynchronous client on a pool of psycopg connections."""

import asyncio

from nostro import AsyncLedger
from nostro.migrate import migrate
from psycopg_pool import AsyncConnectionPool

POOL = 16
TENANT = "benchmark"


class Peer:
    """One spend is one ``debit`` with its key."""

    name = "hf-nostro"

    async def open(self, url: str, accounts: int, callers: int) -> None:  # noqa: ARG002 - its pool has its own size
        """Make the tables and the accounts, connect."""
        await asyncio.to_thread(lambda: migrate(dsn=url, scale=0))
        self._pool = AsyncConnectionPool(url, min_size=POOL, max_size=POOL, open=False)
        await self._pool.open(wait=True)
        self._ledger = AsyncLedger(pool=self._pool, scale=0)
        self._one = self._ledger.amount(1)
        self._ids = []
        for first in range(0, accounts, POOL):
            names = [str(number) for number in range(first, min(first + POOL, accounts))]
            made = await asyncio.gather(
                *(self._ledger.accounts.get_or_create(TENANT, name) for name in names)
            )
            self._ids += [account.id for account in made]
        many = self._ledger.amount(10**12)
        for first in range(0, accounts, POOL):
            await asyncio.gather(
                *(
                    self._ledger.credit(one, many, category="topup", idempotency_key=f"open-{one}")
                    for one in self._ids[first : first + POOL]
                )
            )

    async def spend(self, account: int, key: str) -> None:
        """One credit of one account."""
        await self._ledger.debit(self._ids[account], self._one, category="job", idempotency_key=key)

    async def close(self) -> None:
        """Disconnect."""
        await self._pool.close()
