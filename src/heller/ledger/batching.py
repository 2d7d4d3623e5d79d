"""Natural batching: while one batch is in the database the next one fills. Nobody waits when idle.

Operations of one account always travel in the same lane, so they keep their order; a lane takes accounts in
turn when more is waiting than fits in a batch, so that a hot account cannot starve the others.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from heller.errors import Busy, DatabaseUnavailable, HellerError

BATCH_MAX = 2_000
LANES = 2
ATTEMPTS_MAX = 4
ROLLED_BACK = frozenset({"40001", "40P01"})  # serialization failure, deadlock: certainly nothing was written

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Channel(Protocol[T_contra]):
    """What a lane sends its batches through."""

    async def send(self, batch: Sequence[T_contra], /) -> Sequence[Any]:
        """The result or error of each member, in the same place; raises when the batch failed as a whole."""

    async def rest(self) -> None:
        """Nothing is waiting: give back what ``send`` holds on to."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[T]):
    account: str
    operation: T
    has_key: bool
    answer: "asyncio.Future[Any]"


class _Lane(Generic[T]):
    def __init__(self, channel: Channel[T], batch_max: int) -> None:
        self._channel = channel
        self._batch_max = batch_max
        self._waiting: OrderedDict[str, deque[_Waiting[T]]] = OrderedDict()
        self._runner: asyncio.Task[None] | None = None

    def add(self, item: _Waiting[T]) -> None:
        queue = self._waiting.get(item.account)
        if queue is None:
            self._waiting[item.account] = deque((item,))
        else:
            queue.append(item)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())

    async def close(self) -> None:
        while self._runner is not None:
            await asyncio.wait([self._runner])

    async def _run(self) -> None:
        batch: list[_Waiting[T]] = []
        try:
            while self._waiting:
                while batch := self._take():
                    await self._deliver(batch)
                    await asyncio.sleep(0)  # those who have their answer may have the next call ready
                await self._channel.rest()
        except BaseException as error:
            _fail(batch + [item for queue in self._waiting.values() for item in queue], error)
            self._waiting.clear()
            raise
        finally:
            self._runner = None

    def _take(self) -> list[_Waiting[T]]:
        batch: list[_Waiting[T]] = []
        while self._waiting and len(batch) < self._batch_max:
            account, queue = self._waiting.popitem(last=False)
            item = queue.popleft()
            if queue:
                self._waiting[account] = queue  # to the end of the line
            if not item.answer.done():  # the caller may have given up
                batch.append(item)
        return batch

    async def _deliver(self, batch: list[_Waiting[T]]) -> None:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                results = await self._channel.send([item.operation for item in batch])
            except DatabaseUnavailable as error:
                # whether it was committed is unknown: only a key makes it safe to say it again
                again = [item for item in batch if item.has_key and not item.answer.done()]
                _fail(
                    batch if attempt == ATTEMPTS_MAX else [item for item in batch if not item.has_key], error
                )
                if not again or attempt == ATTEMPTS_MAX:
                    return
                batch = again
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers
                code = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
                if code in ROLLED_BACK and attempt < ATTEMPTS_MAX:
                    continue
                if code or isinstance(error, HellerError):  # PostgreSQL said so: nothing was written
                    await self._apart(batch, error)
                else:
                    _fail(batch, error)
                return
            else:
                for item, result in zip(batch, results, strict=True):
                    if not item.answer.done():
                        _answer(item, result)
                return

    async def _apart(self, batch: list[_Waiting[T]], error: Exception) -> None:
        """A batch that failed as a whole has one bad member or one locked account: the others must not suffer."""
        accounts: dict[str, list[_Waiting[T]]] = {}
        for item in batch:
            accounts.setdefault(item.account, []).append(item)
        parts = list(accounts.values())
        if len(parts) == 1:
            if len(batch) == 1 or isinstance(error, Busy):
                _fail(batch, error)
                return
            parts = [[item] for item in batch]
        for part in parts:
            await self._deliver(part)


def _answer(item: _Waiting[Any], result: Any) -> None:
    if isinstance(result, BaseException):
        item.answer.set_exception(result)
    else:
        item.answer.set_result(result)


def _fail(items: list[_Waiting[Any]], error: BaseException) -> None:
    for item in items:
        if not item.answer.done():
            item.answer.set_exception(error)


class Batcher(Generic[T]):
    """Gathers concurrent single operations of one process into shared round trips."""

    def __init__(
        self, channel: Callable[[], Channel[T]], *, lanes: int = LANES, batch_max: int = BATCH_MAX
    ) -> None:
        self._lanes = [_Lane(channel(), batch_max) for _ in range(lanes)]

    def submit(self, account: str, operation: T, *, has_key: bool) -> "asyncio.Future[Any]":
        """The operation's own result, to be awaited. Cancelling it does not call back what was sent."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._lanes[hash(account) % len(self._lanes)].add(_Waiting(account, operation, has_key, answer))
        return answer

    async def close(self) -> None:
        """Wait until everything submitted has its answer."""
        for lane in self._lanes:
            await lane.close()
