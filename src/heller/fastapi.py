"""Charging for requests: dependencies for FastAPI, a middleware for Starlette and any other ASGI application.

::

    app = FastAPI()
    answer_problems(app)
    app.state.heller = ...  # Heller, or heller.client.AsyncClient, opened by the lifespan

    @app.post("/analyses")
    async def analyse(paid: Annotated[Transaction, Depends(charge(10, "job analysis", account=user_id))]): ...

While a legacy system lives beside, ``app.state.heller`` may be ``heller.Credits``: the route is charged in the home of its user, and gets a
``Movement``. There are no holds then.

What it costs may depend on the request: instead of a number, ``charge`` and ``reserve`` take a dependency that answers one, from the
body, the query or a table of yours. 0 or None costs nothing, and the route gets None.

``account`` is a dependency that answers whose credits they are; without it, ``request.state.account``, where a middleware of
yours has put it. A request that carries an ``Idempotency-Key`` is charged once, however often it is sent.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable
from uuid import uuid4

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from heller.errors import ExceedsOriginal, HellerError, LimitExceeded, SettingsError
from heller.ledger.results import HoldState, Transaction
from heller.web import problems

if TYPE_CHECKING:
    from heller.migration.handover.facade import Movement

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEY = "idempotency-key"
KEY_CHARACTERS_MAX = 200
REASON_CHARACTERS_MAX = 100
FAILED = 400
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

    async def spend(self, user: str, amount: int, *, key: str, reason: str = "") -> "Movement":
        """Take credits in the user's home."""

    async def refund(self, user: str, of: str, *, key: str, reason: str = "") -> "Movement":
        """Give back wholly what a key took."""

    async def delta_of(self, user: str, key: str) -> int | None:
        """The change that a key made."""


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
    credits: BothHomes, account: str, amount: int, reason: str, request_key: str | None
) -> "Movement":
    """As ``spend_for``, in whichever home the user has.

    Raises:
        HellerError: as ``Credits.spend``.
    """
    for attempt in range(TRIES_MAX):
        key = key_of(request_key or uuid4().hex, reason, attempt) or ""
        paid = await credits.spend(account, amount, key=key, reason=reason)
        if not paid.replayed or await credits.delta_of(account, f"failed:{key}") is None:
            return paid
    raise LimitExceeded(
        f"This request has failed {TRIES_MAX} times.", hint="Use a new Idempotency-Key.", limit="tries"
    )


async def spend_for(
    ledger: Charging, account: str, amount: int, reason: str, request_key: str | None, *, unit: str
) -> Transaction:
    """Take credits for a request; one that comes again after it failed is charged again.

    Raises:
        HellerError: as ``spend``.
    """
    for attempt in range(TRIES_MAX):
        key = key_of(request_key, reason, attempt)
        paid = await ledger.spend(account, amount, key=key, reason=reason, unit=unit)
        if not paid.replayed or paid.seq is None:
            return paid
        try:
            await ledger.refund(account, paid.seq, unit=unit, dry_run=True)
        except ExceedsOriginal:  # it was given back when the request failed
            continue
        return paid
    raise LimitExceeded(
        f"This request has failed {TRIES_MAX} times.", hint="Use a new Idempotency-Key.", limit="tries"
    )


Ledger = Callable[..., Any]
Account = Callable[..., Any]
Price = int | Callable[..., Any]


def ledger_of(request: Request) -> Charging:
    """The ledger that the application keeps in ``app.state.heller``.

    Raises:
        SettingsError: it keeps none.
    """
    found: Charging | None = getattr(request.app.state, "heller", None)
    if found is None:
        raise SettingsError(
            "app.state.heller is not set.", hint="Open Heller or AsyncClient in the lifespan."
        )
    return found


def account_of(request: Request) -> str:
    """The account that a middleware of the application has put into ``request.state.account``.

    Raises:
        Unauthenticated: none has.
    """
    found = getattr(request.state, "account", None)
    if not found:
        raise problems.Unauthenticated("Nobody is signed in, so nobody can pay.")
    return str(found)


def price_of(amount: Price) -> Callable[..., Any]:
    """A price as a dependency: a number is the same for each request."""
    return amount if callable(amount) else lambda: amount


def charge(
    amount: Price,
    reason: str,
    *,
    heller: Ledger = ledger_of,
    account: Account = account_of,
    unit: str = "credit",
) -> "Callable[..., AsyncIterator[Transaction | Movement | None]]":
    """A dependency: the credits are taken before the route runs, and given back when it raises.

    With ``Credits`` as the ledger it charges in whichever home the user has, and gives a ``Movement``. ``amount`` is a number or
    a dependency that answers one; for 0 or None nothing is taken, and the route gets None.

    Raises (as the request's problem): InsufficientCredits and all else that ``spend`` raises.
    """

    async def charged(
        request: Request,
        ledger: Annotated[Any, Depends(heller)],
        payer: Annotated[str, Depends(account)],
        price: Annotated[int | None, Depends(price_of(amount))],
    ) -> "AsyncIterator[Any]":
        if not price:
            yield None
            return
        if isinstance(ledger, BothHomes):
            moved = await spend_at_home(ledger, payer, price, reason, request.headers.get(KEY))
            try:
                yield moved
            except BaseException:
                if not moved.replayed and moved.key is not None:
                    await ledger.refund(
                        payer, moved.key, key=f"failed:{moved.key}", reason=f"{reason} failed"
                    )
                raise
            return
        paid = await spend_for(ledger, payer, price, reason, request.headers.get(KEY), unit=unit)
        try:
            yield paid
        except BaseException:
            if paid.seq is not None and not paid.replayed:
                await ledger.refund(
                    payer, paid.seq, key=f"failed:{paid.seq}", reason=f"{reason} failed", unit=unit
                )
            raise

    return charged


def reserve(
    amount: Price,
    reason: str,
    *,
    heller: Ledger = ledger_of,
    account: Account = account_of,
    unit: str = "credit",
    seconds: int = 900,
    overrun_limit: int = 0,
) -> Callable[..., AsyncIterator[Reserved | None]]:
    """A dependency: the credits are held while the route runs, captured when it ends, free again when it raises.

    ``amount`` is as for ``charge``.

    The route may capture less itself: ``await hold.capture(7)``. With ``Depends(reserve(...), scope="function")`` that is
    done before the answer is sent, else after it.
    """

    async def reserved(
        request: Request,
        ledger: Annotated[Charging, Depends(heller)],
        payer: Annotated[str, Depends(account)],
        price: Annotated[int | None, Depends(price_of(amount))],
    ) -> AsyncIterator[Reserved | None]:
        if not price:
            yield None
            return
        hold = await hold_for(
            ledger,
            payer,
            price,
            reason,
            request.headers.get(KEY),
            unit=unit,
            seconds=seconds,
            overrun_limit=overrun_limit,
        )
        try:
            yield hold
        except BaseException:
            await hold.release()
            raise
        await hold.capture()

    return reserved


def answer_problems(app: FastAPI) -> None:
    """Let an application answer heller's errors as problem documents: 402 when there are too few credits, and so on."""

    @app.exception_handler(HellerError)
    async def refused(_request: Request, error: HellerError) -> Response:
        return problems.answer(error)


class CreditsMiddleware:
    """ASGI: requests with a price are charged when they succeed; one that cannot be paid never reaches the application.

    The credits are held first. An answer below 400 captures them before it goes out, any other frees them.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        heller: Callable[[Scope], Charging],
        account_of: Callable[[Scope], str | None],
        price_of: Callable[[Scope], tuple[int, str] | None],
        unit: str = "credit",
    ) -> None:
        """Make it.

        Args:
            app: the application.
            heller: the ledger for a request.
            account_of: who pays, or None for nobody (then the request is not charged).
            price_of: credits and reason, or None for a request that costs nothing.
            unit: of the accounts.
        """
        self.app, self._heller, self._account_of, self._price_of, self._unit = (
            app,
            heller,
            account_of,
            price_of,
            unit,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        price = self._price_of(scope) if scope["type"] == "http" else None
        account = self._account_of(scope) if price is not None else None
        if price is None or account is None:
            await self.app(scope, receive, send)
            return
        amount, reason = price
        given = dict(scope["headers"]).get(KEY.encode())
        request_key = None if given is None else given.decode("latin-1")
        try:
            hold = await hold_for(self._heller(scope), account, amount, reason, request_key, unit=self._unit)
        except HellerError as error:
            await problems.answer(error)(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await (hold.capture() if message["status"] < FAILED else hold.release())
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            await hold.release()  # when it raised; after an answer there is nothing left
