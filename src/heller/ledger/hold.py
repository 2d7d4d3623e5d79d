"""A hold as a context: captured on success, released on an error."""

from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

from heller.errors import HellerError
from heller.ledger.results import HoldState, Transaction
from heller.ledger.verbs import Verbs


class Hold:
    """A reservation of credits.

    ``async with heller.hold("user-1", 10) as hold:`` reserves, runs the block, then captures all that is left. The
    block may say ``await hold.capture(7)`` itself, wholly or in parts. If it raises, what was not captured is free
    again. If the process dies, the hold frees itself at ``expires_at``.
    """

    def __init__(self, verbs: Verbs, account: str, amount: int, **arguments: Any) -> None:
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
