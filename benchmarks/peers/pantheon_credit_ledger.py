"""credit-ledger: a guarded UPDATE and a row with a unique key, through SQLAlchemy; its calls block.

Its package brings no schema file; these are the tables its statements name.
"""

import asyncio

import psycopg
from credit_ledger import decrement
from sqlalchemy import create_engine

from peers.threads import Threads, sqlalchemy_url

TABLES = """
create table credit_balance (
  tenant_id text primary key, credits numeric(18, 4) not null default 0, updated_at timestamptz not null default now());
create table credit_ledger (
  id uuid primary key, tenant_id text not null references credit_balance, delta numeric(18, 4) not null, reason text not null,
  idempotency_key text, balance_after numeric(18, 4) not null, created_at timestamptz not null default now(),
  unique (tenant_id, idempotency_key));
"""


class Peer:
    """One spend is one ``decrement`` with its key."""

    name = "credit-ledger"

    async def open(self, url: str, accounts: int, callers: int) -> None:
        """Make the tables and the accounts, connect."""
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(TABLES)
            await connection.execute(
                "insert into credit_balance select n::text, 1000000000000 from generate_series(0, %s::int - 1) n",
                [accounts],
            )
        self._threads = Threads(callers)
        self._engine = create_engine(sqlalchemy_url(url), pool_size=callers, max_overflow=0)

    async def spend(self, account: int, key: str) -> None:
        """One credit of one account."""
        charge = await self._threads.run(self._decrement, account, key)
        if not charge.ok:
            raise RuntimeError("refused")

    def _decrement(self, account: int, key: str) -> object:
        return decrement(str(account), 1, reason="job", idempotency_key=key, engine=self._engine)

    async def close(self) -> None:
        """Disconnect."""
        self._threads.close()
        await asyncio.to_thread(self._engine.dispose)
