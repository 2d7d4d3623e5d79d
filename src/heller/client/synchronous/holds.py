"""Made of ``asynchronous/holds.py`` by ``tests/tools/clients.py``; not edited."""

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, cast

from heller.client.core import Ask, of, step, verb
from heller.client.synchronous.caller import Caller
from heller.errors import HellerError
from heller.ledger.operations import DEFAULT_HOLD_SECONDS, DEFAULT_UNIT
from heller.ledger.results import HoldState, Transaction


class Holds(Caller):
    """Reserve credits, spend what was reserved, or let it go."""

    def place_hold(
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
        """Reserve credits for ``seconds``."""
        body = {
            "amount": amount,
            "seconds": seconds,
            "overrun_limit": overrun_limit,
            "reason": reason,
            "allow_partial": allow_partial or None,
            "min_available_after": min_available_after,
        }
        return self._send(verb(account, "/holds", HoldState, body, common, key=key))

    def capture(
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
        """Spend held credits: all that is left (no amount), or a part."""
        body = {"amount": amount, "final": final, "reason": reason, "effective_at": effective_at}
        return self._send(verb(account, f"/holds/{hold}/capture", Transaction, body, common, key=key))

    def release(self, account: str, hold: int, *, unit: str = DEFAULT_UNIT, **common: Any) -> HoldState:
        """End a hold without spending; again is a replay. ``common``: dry_run, if_version."""
        return self._send(step(account, f"/holds/{hold}/release", HoldState, {"unit": unit}, common))

    def renew(
        self,
        account: str,
        hold: int,
        *,
        seconds: int = DEFAULT_HOLD_SECONDS,
        unit: str = DEFAULT_UNIT,
        **common: Any,
    ) -> HoldState:
        """Make a hold last at least ``seconds`` from now. ``common``: dry_run, if_version."""
        body = {"seconds": seconds, "unit": unit}
        return self._send(step(account, f"/holds/{hold}/renew", HoldState, body, common))

    def hold(self, account: str, amount: int, **arguments: Any) -> "Hold":
        """Reserve credits for a block: captured when it ends, released when it raises. Arguments as ``place_hold``."""
        return Hold(self, account, amount, arguments)

    def holds(
        self, account: str, *, unit: str = DEFAULT_UNIT, include_closed: bool = False
    ) -> list[HoldState]:
        """The open holds."""
        query = {"unit": unit, "include_closed": include_closed or None}
        return self._all(Ask("GET", of(account, "/holds"), dict[str, Any], query=query), HoldState)


class Hold:
    """A hold for a block; ``state`` is the hold as it was last seen."""

    def __init__(self, client: Holds, account: str, amount: int, arguments: Mapping[str, Any]) -> None:
        self._client = client
        self._account = account
        self._amount = amount
        self._arguments = arguments
        self._unit = str(arguments.get("unit") or DEFAULT_UNIT)
        self._is_closed = False
        self.state: HoldState = cast("HoldState", None)

    def __enter__(self) -> Self:
        self.state = self._client.place_hold(self._account, self._amount, **self._arguments)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_closed:
            return
        if error is None:
            self.capture()
            return
        try:
            self.release()
        except HellerError as failure:  # the block's own error matters more; the hold ends by itself
            error.add_note(f"The hold was not released now and ends by itself: {failure}")

    def capture(self, amount: int | None = None, *, final: bool = True, **arguments: Any) -> Transaction:
        """Spend all that is left (no amount) or a part; ``final=False`` keeps the hold open for more."""
        arguments.setdefault("unit", self._unit)
        result = self._client.capture(self._account, self.state.hold, amount, final=final, **arguments)
        self._is_closed = self._is_closed or final
        return result

    def release(self) -> HoldState:
        """Free what was not captured."""
        self.state = self._client.release(self._account, self.state.hold, unit=self._unit)
        self._is_closed = True
        return self.state
