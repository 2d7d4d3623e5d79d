"""Taking credits for a request, once for each that succeeds, whatever comes twice and whatever fails."""

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from uuid import uuid4

from heller.errors import ExceedsOriginal, InvalidArgument, LimitExceeded, SettingsError
from heller.ledger.results import HoldState, Transaction

if TYPE_CHECKING:
    from heller.migration.handover.facade import Movement

KEY_CHARACTERS_MAX = 200
REASON_CHARACTERS_MAX = 100
TRIES_MAX = 20  # of one request that failed each time and got its credits back


class Charging(Protocol):
    """What can charge: ``Heller`` and ``AsyncClient`` do."""

    async def spend(
        self, account: str, amount: int, *, key: str | None = None, reason: str | None = None, **rest: Any
    ) -> Transaction:
        """Take credits."""

    async def refund(
        self,
        account: str,
        seq: int,
        amount: int | None = None,
        *,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """Undo a spend."""

    async def place_hold(
        self, account: str, amount: int, *, key: str | None = None, reason: str | None = None, **rest: Any
    ) -> HoldState:
        """Reserve credits."""

    async def capture(
        self,
        account: str,
        hold: int,
        amount: int | None = None,
        *,
        final: bool = True,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """Spend held credits."""

    async def release(self, account: str, hold: int, *, unit: str = "credit") -> HoldState:
        """End a hold."""


@runtime_checkable
class BothHomes(Protocol):
    """What can charge while two systems live: ``Credits`` does. It knows a change by its key, and there are no holds."""

    async def spend(
        self, user: str, amount: int, *, key: str, reason: str = "", metadata: Mapping[str, Any] | None = None
    ) -> "Movement":
        """Take credits in the user's home."""

    async def refund(self, user: str, of: str, *, key: str, reason: str = "") -> "Movement":
        """Give back wholly what a key took."""

    async def delta_of(self, user: str, key: str) -> int | None:
        """The change that a key made."""


def given_key(header: str | None) -> str | None:
    """The ``Idempotency-Key`` of a request, None where it sends none.

    Raises:
        InvalidArgument: it is blank. As a key it would make one request of all that send it so, and the first would pay for all.
    """
    if header is not None and not header.strip():
        raise InvalidArgument(
            "The header Idempotency-Key is empty.",
            hint="Send a name of its own for each request that is to be charged once, or leave the header out.",
            argument="idempotency-key",
        )
    return header


def key_of(request_key: str | None, reason: str, attempt: int) -> str | None:
    """The key of a charge: the request's own, apart for each thing that is charged for and each try that failed."""
    if request_key is None:
        return None
    name = f"{reason}:{request_key}"
    if len(name) > KEY_CHARACTERS_MAX:  # cut, two requests would be one
        name = f"{reason[:REASON_CHARACTERS_MAX]}:{sha256(name.encode()).hexdigest()}"
    return f"{name}:{attempt}"


class Reserved:
    """Credits that are held for one request."""

    def __init__(self, ledger: Charging, state: HoldState, reason: str) -> None:
        self._ledger, self._reason = ledger, reason
        self.state = state
        self.is_closed = state.state != "open"  # a repeat of a request that was done and paid

    async def capture(self, amount: int | None = None, *, final: bool = True) -> Transaction | None:
        """Spend all that is left, or a part; None when the same request was paid before."""
        if self.is_closed:
            return None
        self.is_closed = final
        return await self._ledger.capture(
            self.state.account,
            self.state.hold,
            amount,
            final=final,
            reason=self._reason,
            unit=self.state.unit,
        )

    async def release(self) -> None:
        """Free what was not captured."""
        if not self.is_closed:
            self.is_closed = True
            self.state = await self._ledger.release(self.state.account, self.state.hold, unit=self.state.unit)


async def hold_for(
    ledger: Charging, account: str, amount: int, reason: str, request_key: str | None, **options: Any
) -> Reserved:
    """Hold credits for a request; one that comes again after it failed is held for again.

    Raises:
        HellerError: as ``place_hold``.
        SettingsError: two systems live, and only heller can hold.
    """
    if isinstance(ledger, BothHomes):
        raise SettingsError(
            "Only heller can hold credits, and these users may be at home in the legacy system.",
            hint="Use charge(...) until everybody has moved.",
        )
    for attempt in range(TRIES_MAX):
        key = key_of(request_key, reason, attempt)
        state = await ledger.place_hold(account, amount, key=key, reason=reason, **options)
        if not state.replayed or state.state in {"open", "captured"}:
            return Reserved(ledger, state, reason)
    raise LimitExceeded(
        f"This request has failed {TRIES_MAX} times.", hint="Use a new Idempotency-Key.", limit="tries"
    )


async def spend_at_home(
    credits: BothHomes, account: str, amount: int, reason: str, request_key: str | None, **options: Any
) -> "Movement":
    """As ``spend_for``, in whichever home the user has.

    Raises:
        HellerError: as ``Credits.spend``.
    """
    for attempt in range(TRIES_MAX):
        key = key_of(request_key or uuid4().hex, reason, attempt) or ""
        paid = await credits.spend(account, amount, key=key, reason=reason, **options)
        if not paid.replayed or await credits.delta_of(account, f"failed:{key}") is None:
            return paid
    raise LimitExceeded(
        f"This request has failed {TRIES_MAX} times.", hint="Use a new Idempotency-Key.", limit="tries"
    )


async def spend_for(
    ledger: Charging, account: str, amount: int, reason: str, request_key: str | None, **options: Any
) -> Transaction:
    """Take credits for a request; one that comes again after it failed is charged again.

    Raises:
        HellerError: as ``spend``.
    """
    for attempt in range(TRIES_MAX):
        key = key_of(request_key, reason, attempt)
        paid = await ledger.spend(account, amount, key=key, reason=reason, **options)
        if not paid.replayed or paid.seq is None:
            return paid
        try:
            await ledger.refund(account, paid.seq, unit=paid.unit, dry_run=True)
        except ExceedsOriginal:  # it was given back when the request failed
            continue
        return paid
    raise LimitExceeded(
        f"This request has failed {TRIES_MAX} times.", hint="Use a new Idempotency-Key.", limit="tries"
    )
