"""Holds: the verbs, and a hold as a context that is captured on success and released on an error."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from heller.errors import HellerError
from heller.ledger.operations import DEFAULT_HOLD_SECONDS, DEFAULT_UNIT, Operation, known
from heller.ledger.results import HoldState, Transaction


class HoldVerbs(ABC):
    """Reserve credits, spend what was reserved, or let it go."""

    @abstractmethod
    async def _do(self, operation: Operation) -> Any:
        """Do one operation: the result, or raise its error."""

    async def place_hold(
        self,
        account: str,
        amount: int,
        *,
        seconds: int = DEFAULT_HOLD_SECONDS,
        overrun_limit: int = 0,
        key: str | None = None,
        reason: str | None = None,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        **common: Any,
    ) -> HoldState:
        """Reserve credits for ``seconds``. ``overrun_limit``: how much more a capture may take.

        ``allow_partial`` reserves what is there (see ``amount`` of the result); ``min_available_after`` keeps a rest.

        Raises:
            InsufficientCredits: available is less than the amount.
        """
        operation = {"verb": "hold", "account": account, "amount": amount, "seconds": seconds, "key": key}
        operation |= {"reason": reason, "overrun_limit": overrun_limit}
        operation |= {"allow_partial": allow_partial, "min_available_after": min_available_after}
        result: HoldState = await self._do(operation | known(common))
        return result

    async def capture(
        self,
        account: str,
        hold: int,
        amount: int | None = None,
        *,
        final: bool = True,
        key: str | None = None,
        reason: str | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """Spend held credits: all that is left (no amount), or a part; ``final`` frees the rest.

        Raises:
            UnknownHold, HoldNotOpen: there is nothing to capture.
            ExceedsOriginal: more than the hold and its overrun_limit.
        """
        operation = {"verb": "capture", "account": account, "hold": hold, "amount": amount, "final": final}
        operation |= {"key": key, "reason": reason, "effective_at": effective_at}
        result: Transaction = await self._do(operation | known(common))
        return result

    async def release(self, account: str, hold: int, *, unit: str = DEFAULT_UNIT, **common: Any) -> HoldState:
        """End a hold without spending; again is a replay."""
        operation = {"verb": "release", "account": account, "hold": hold, "unit": unit}
        result: HoldState = await self._do(operation | known(common))
        return result

    async def renew(
        self,
        account: str,
        hold: int,
        *,
        seconds: int = DEFAULT_HOLD_SECONDS,
        unit: str = DEFAULT_UNIT,
        **common: Any,
    ) -> HoldState:
        """Make a hold last at least ``seconds`` from now; it never ends sooner than before."""
        operation = {"verb": "renew", "account": account, "hold": hold, "seconds": seconds, "unit": unit}
        result: HoldState = await self._do(operation | known(common))
        return result


class Hold:
    """A reservation of credits.

    ``async with heller.hold("user-1", 10) as hold:`` reserves, runs the block, then captures all that is left. The
    block may say ``await hold.capture(7)`` itself, wholly or in parts. If it raises, what was not captured is free
    again. If the process dies, the hold frees itself at ``expires_at``.
    """

    def __init__(self, verbs: HoldVerbs, account: str, amount: int, **arguments: Any) -> None:
        self._verbs = verbs
        self._account = account
        self._amount = amount
        self._arguments = arguments
        self._unit: str = arguments.get("unit") or "credit"
        self._is_closed = False
        self._state: HoldState | None = None
        self.transactions: list[Transaction] = []

    @property
    def state(self) -> HoldState:
        """The hold as it was last seen."""
        if self._state is None:
            raise RuntimeError("The hold has not been placed: use 'async with' or 'await'.")
        return self._state

    async def _place(self) -> "Hold":
        self._state = await self._verbs.place_hold(self._account, self._amount, **self._arguments)
        return self

    def __await__(self) -> Generator[Any, None, "Hold"]:
        return self._place().__await__()

    async def __aenter__(self) -> Self:
        await self._place()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_closed:
            return
        if error is None:
            await self.capture()
            return
        try:
            await self.release()
        except HellerError as failure:  # the block's own error matters more; the hold ends by itself
            error.add_note(
                f"The hold was not released now and ends by itself at {self.state.expires_at}: {failure}"
            )

    async def capture(
        self, amount: int | None = None, *, final: bool = True, **arguments: Any
    ) -> Transaction:
        """Spend all that is left (no amount) or a part; ``final=False`` keeps the hold open for more."""
        arguments.setdefault("unit", self._unit)
        result = await self._verbs.capture(self._account, self.state.hold, amount, final=final, **arguments)
        self._is_closed = self._is_closed or final
        self.transactions.append(result)
        return result

    async def release(self) -> HoldState:
        """Free what was not captured."""
        self._state = await self._verbs.release(self._account, self.state.hold, unit=self._unit)
        self._is_closed = True
        return self._state

    async def renew(self, seconds: int = 900) -> HoldState:
        """Make it last at least ``seconds`` from now."""
        self._state = await self._verbs.renew(
            self._account, self.state.hold, seconds=seconds, unit=self._unit
        )
        return self._state
