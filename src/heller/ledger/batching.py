"""Natural batching: while one batch is in the database the next one fills. Nobody waits when idle.

Operations of one account always travel in the same lane, so they keep their order; a lane takes accounts in
turn when more is waiting than fits in a batch, so that a hot account cannot starve the others.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from heller.errors import Busy, DatabaseUnavailable, HellerError

BATCH_MAX = 2_000
LANES = 2
RETRIES_MAX = 3

Send = Callable[[list[bytes]], Awaitable[list[Any]]]


@dataclass(slots=True, eq=False)
class _Waiting:
    account: str
    operation: bytes
    has_key: bool
    answer: "asyncio.Future[Any]"


class _Lane:
    def __init__(self, send: Send, batch_max: int) -> None:
        self._send = send
        self._batch_max = batch_max
        self._waiting: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self._runner: asyncio.Task[None] | None = None

    def add(self, item: _Waiting) -> None:
        self._waiting.setdefault(item.account, deque()).append(item)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())

    async def close(self) -> None:
        while self._runner is not None:
            await asyncio.wait([self._runner])

    async def _run(self) -> None:
        try:
            while batch := self._take():
                await self._deliver(batch)
        finally:
            self._runner = None

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._batch_max:
            account, queue = self._waiting.popitem(last=False)
            item = queue.popleft()
            if queue:
                self._waiting[account] = queue  # to the end of the line
            if not item.answer.done():  # the caller may have given up
                batch.append(item)
        return batch

    async def _deliver(self, batch: list[_Waiting]) -> None:
        for attempt in range(RETRIES_MAX):
            try:
                results = await self._send([item.operation for item in batch])
            except (DatabaseUnavailable, Busy) as error:
                # whether it was committed is unknown: only a key makes it safe to say it again
                again = [item for item in batch if item.has_key] if attempt + 1 < RETRIES_MAX else []
                kept = set(map(id, again))
                _fail([item for item in batch if id(item) not in kept], error)
                if not again:
                    return
                batch = again
            except HellerError as error:
                await self._one_by_one(batch, error)
                return
            except BaseException as error:
                _fail(batch, error)
                if not isinstance(error, Exception):
                    raise
                return
            else:
                for item, result in zip(batch, results, strict=True):
                    if not item.answer.done():
                        item.answer.set_result(result)
                return

    async def _one_by_one(self, batch: list[_Waiting], error: HellerError) -> None:
        """A batch that is refused as a whole has one bad member; the others must not suffer for it."""
        if len(batch) == 1:
            _fail(batch, error)
            return
        for item in batch:
            await self._deliver([item])


def _fail(items: list[_Waiting], error: BaseException) -> None:
    for item in items:
        if not item.answer.done():
            item.answer.set_exception(error)


class Batcher:
    """Gathers concurrent single operations of one process into shared round trips."""

    def __init__(self, send: Send, *, lanes: int = LANES, batch_max: int = BATCH_MAX) -> None:
        self._lanes = [_Lane(send, batch_max) for _ in range(lanes)]

    async def submit(self, account: str, operation: bytes, *, has_key: bool) -> Any:
        """The operation's own result. Cancelling the caller does not call back an operation that was sent."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._lanes[hash(account) % len(self._lanes)].add(_Waiting(account, operation, has_key, answer))
        return await answer

    async def close(self) -> None:
        """Wait until everything submitted has its answer."""
        for lane in self._lanes:
            await lane.close()
