"""Into the inbox: deliveries that arrive while others are being stored share the next statement and its commit.

Nobody waits when it is quiet: the first one goes at once, alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

LANES = 2
BATCH_MAX = 64
BATCH_BYTES_MAX = 4_194_304
TRIES_MAX = 5  # after a restart of the database each pooled connection fails once

_RECEIVE = "select heller.stripe_receive(%s, %b)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One delivery on its way into the inbox."""

    stripe_account: str
    livemode: bool
    event_id: str
    type: str
    api_version: str | None
    event_created: datetime | None
    via: str
    secret_slot: int | None
    object_kind: str | None
    object_id: str | None
    payment_key: str | None
    status: str
    reason: str | None
    detail: str | None
    body: bytes = field(repr=False)

    @property
    def identity(self) -> tuple[str, bool, str]:
        """What makes the event one."""
        return self.stripe_account, self.livemode, self.event_id


@dataclass(frozen=True, slots=True)
class Stored:
    """What the inbox says of it."""

    inbox_id: int
    deliveries: int
    status: str
    is_new: bool


async def receive(connection: AsyncConnection, receipts: Sequence[Receipt]) -> list[Stored]:
    """Store deliveries of different events in one statement."""
    events = []
    for receipt in receipts:
        values = asdict(receipt)
        del values["body"]
        at = receipt.event_created
        events.append(values | {"event_created": None if at is None else at.isoformat()})
    bodies = [receipt.body for receipt in receipts]
    cursor = await connection.execute(_RECEIVE, [Jsonb(events), bodies], prepare=True)
    rows = {(r["stripe_account"], r["livemode"], r["event_id"]): r for (r,) in await cursor.fetchall()}
    found = [rows[receipt.identity] for receipt in receipts]
    return [Stored(r["inbox_id"], r["deliveries"], r["status"], r["is_new"]) for r in found]


class Storing:
    """Gathers receipts without waiting, and stores them over a pool."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool
        self._waiting: deque[tuple[Receipt, asyncio.Future[Stored]]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def put(self, receipt: Receipt) -> Stored:
        """Store one delivery; returns after the commit.

        Raises:
            psycopg.Error, PoolTimeout: it was not stored, as far as we know.
        """
        answer: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append((receipt, answer))
        if len(self._lanes) < LANES:
            lane = asyncio.create_task(self._run())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await answer

    async def close(self) -> None:
        """Wait for what is being stored."""
        await asyncio.gather(*self._lanes, return_exceptions=True)

    async def _run(self) -> None:
        while batch := self._take():
            await self._answer(batch)

    def _take(self) -> list[tuple[Receipt, asyncio.Future[Stored]]]:
        """The next batch: different events only, and nobody who has given up waiting."""
        batch: list[tuple[Receipt, asyncio.Future[Stored]]] = []
        later: list[tuple[Receipt, asyncio.Future[Stored]]] = []
        seen: set[tuple[str, bool, str]] = set()
        size = 0
        while self._waiting and len(batch) < BATCH_MAX and size < BATCH_BYTES_MAX:
            receipt, answer = self._waiting.popleft()
            if answer.done():
                continue
            if receipt.identity in seen:
                later.append((receipt, answer))
                continue
            seen.add(receipt.identity)
            size += len(receipt.body)
            batch.append((receipt, answer))
        self._waiting.extendleft(reversed(later))
        return batch

    async def _answer(self, batch: list[tuple[Receipt, asyncio.Future[Stored]]]) -> None:
        try:
            results = await self._send([receipt for receipt, _ in batch])
        except (psycopg.Error, PoolTimeout) as error:
            is_of_one = isinstance(error, psycopg.DataError | psycopg.IntegrityError)
            if len(batch) > 1 and is_of_one:  # one of them is at fault: the others must not suffer
                for one in batch:
                    await self._answer([one])
                return
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in zip(batch, results, strict=True):
            if not answer.done():
                answer.set_result(result)

    async def _send(self, receipts: Sequence[Receipt]) -> list[Stored]:
        for _ in range(TRIES_MAX):
            async with self._pool.connection() as connection:
                try:
                    return await receive(connection, receipts)
                except psycopg.OperationalError:
                    if not connection.broken:
                        raise
        raise PoolTimeout
