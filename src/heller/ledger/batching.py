"""Natural batching: while one batch is in the database the next one fills. Nobody waits when idle.

An account is in one batch at a time, so its operations keep their order and two batches never wait for each
other's rows. Accounts are taken in turn when more is waiting than fits, so that a hot one cannot starve the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
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


class _Answers:
    """What became of operations that were submitted together: a value or an error of heller's in each place."""

    __slots__ = ("_missing", "_results", "whole")

    def __init__(self, count: int) -> None:
        self.whole: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._results: list[Any] = [None] * count
        self._missing = count

    def done(self) -> bool:
        """Nobody waits any more: all are answered, or the caller gave up, or another one failed badly."""
        return self.whole.done()

    def put(self, place: int, result: Any) -> None:
        """The answer of one of them."""
        self._results[place] = result
        self._missing -= 1
        if not self._missing:
            self.whole.set_result(self._results)


@dataclass(slots=True, eq=False)
class _Waiting(Generic[T]):
    account: str
    operation: T
    has_key: bool
    answer: "asyncio.Future[Any] | _Answers"
    place: int = 0  # among its answers
    behind: "_Waiting[T] | None" = None  # the next of the same account
    last: "_Waiting[T] | None" = None  # of the same account, where this is the first and not the only one


class Batcher(Generic[T]):
    """Gathers concurrent single operations of one process into shared round trips."""

    def __init__(
        self,
        channel: Callable[[], Channel[T]],
        *,
        lanes: int = LANES,
        batch_max: int = BATCH_MAX,
        split: Callable[[Sequence[T]], Awaitable[list[list[int]]]] | None = None,
    ) -> None:
        """``split`` says which operations of a batch (their places) travel together, each part on its own way."""
        self._batch_max = batch_max
        self._split = split
        self._idle = [channel() for _ in range(lanes)]
        self._lanes = lanes
        self._waiting: dict[str, _Waiting[T]] = {}  # the first of each account, in the order of their turns
        self._away: set[str] = set()  # the accounts of the batches that are in the database
        self._runners: set[asyncio.Task[None]] = set()

    def submit(self, account: str, operation: T, *, has_key: bool) -> "asyncio.Future[Any]":
        """The operation's own result, to be awaited. Cancelling it does not call back what was sent."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._join(_Waiting(account, operation, has_key, answer))
        return answer

    def submit_all(self, operations: Sequence[tuple[str, T, bool]]) -> "asyncio.Future[list[Any]]":
        """Many at once, each an account, an operation, and whether it has a key: all results, HellerErrors among them.

        It raises what is no HellerError, such as a bug; what was not sent by then never will be.
        """
        answers = _Answers(len(operations))
        for place, (account, operation, has_key) in enumerate(operations):
            self._join(_Waiting(account, operation, has_key, answers, place))
        return answers.whole

    def _join(self, item: _Waiting[T]) -> None:
        account = item.account
        first = self._waiting.setdefault(account, item)
        if first is not item:
            (first.last or first).behind = item
            first.last = item
        if self._idle and account not in self._away:
            self._start()

    async def close(self) -> None:
        """Wait until everything submitted has its answer."""
        while self._runners:
            await asyncio.wait(self._runners)

    def _start(self) -> None:
        runner = asyncio.create_task(self._run(self._idle.pop()))
        self._runners.add(runner)
        runner.add_done_callback(self._runners.discard)

    async def _run(self, channel: Channel[T]) -> None:
        batch: list[_Waiting[T]] = []
        try:
            while batch := self._take():
                accounts = {item.account for item in batch}
                self._away |= accounts
                try:
                    if self._split is None:
                        await self._deliver(channel, batch)
                    else:
                        parts = await self._split([item.operation for item in batch])
                        await asyncio.gather(
                            *(self._deliver(channel, [batch[place] for place in part]) for part in parts)
                        )
                finally:
                    self._away -= accounts
                await asyncio.sleep(0)  # those who have their answer may have the next call ready
            await channel.rest()
        except BaseException as error:
            waiting, self._waiting = self._waiting, {}
            _fail(batch + [item for first in waiting.values() for item in _line(first)], error)
            raise
        finally:
            self._idle.append(channel)
            if self._waiting.keys() - self._away:  # submitted while the channel went to rest
                self._start()

    def _take(self) -> list[_Waiting[T]]:
        """The next batch: the accounts in turn, none that is away, and at most a lane's share of all.

        The rest is for the other lane: it is idle and starts now, or has less to do and is back first. Without this, two lanes
        that once came to carry 58 and 6 of 64 callers would do so for ever.
        """
        accounts = [account for account in self._waiting if account not in self._away]
        share = -(-(len(accounts) + len(self._away)) // self._lanes)
        if share < len(accounts) and self._idle:
            self._start()
        accounts = accounts[:share]
        batch: list[_Waiting[T]] = []
        while accounts and len(batch) < self._batch_max:
            for account in accounts[: self._batch_max - len(batch)]:
                item = self._waiting.pop(account)
                if item.behind is not None:
                    item.behind.last = item.last if item.last is not item.behind else None
                    self._waiting[account] = item.behind  # to the end of the line
                if not item.answer.done():  # the caller may have given up
                    batch.append(item)
            accounts = [account for account in accounts if account in self._waiting]
        return batch

    async def _deliver(self, channel: Channel[T], batch: list[_Waiting[T]]) -> None:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                results = await channel.send([item.operation for item in batch])
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
                    await self._apart(channel, batch, error)
                else:
                    _fail(batch, error)
                return
            else:
                for item, result in zip(batch, results, strict=True):
                    if not item.answer.done():
                        _answer(item, result)
                return

    async def _apart(self, channel: Channel[T], batch: list[_Waiting[T]], error: Exception) -> None:
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
            await self._deliver(channel, part)


def _line(item: _Waiting[T] | None) -> Iterator[_Waiting[T]]:
    """An account's operations in order, from this one on."""
    while item is not None:
        yield item
        item = item.behind


def _answer(item: _Waiting[Any], result: Any) -> None:
    if isinstance(item.answer, _Answers):
        item.answer.put(item.place, result)
    elif isinstance(result, BaseException):
        item.answer.set_exception(result)
    else:
        item.answer.set_result(result)


def _fail(items: list[_Waiting[Any]], error: BaseException) -> None:
    for item in items:
        if item.answer.done():
            continue
        if isinstance(item.answer, _Answers) and not isinstance(error, HellerError):
            item.answer.whole.set_exception(error)
        else:
            _answer(item, error)
