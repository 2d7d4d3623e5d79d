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
yours has put it. A request that carries an ``Idempotency-Key`` is charged once, however often it is sent; another request under the same key
is refused (IdempotencyConflict), so that nobody pays for one thing and asks for many; an empty key is refused
too (InvalidArgument). A body of more than 1 MB, or of no stated length, that the route reads by itself may be a stream, and counts by its
length alone: take no key from strangers there.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from heller.errors import HellerError, SettingsError
from heller.ledger.results import Transaction
from heller.web import problems
from heller.web.charging import BothHomes, Charging, Reserved, given_key, hold_for, spend_at_home, spend_for
from heller.web.intent import Message, Receive, Scope, digest_ahead, digest_of, is_parsed

if TYPE_CHECKING:
    from heller.migration.handover.facade import Movement

Send = Callable[[Message], Awaitable[None]]

KEY = "idempotency-key"
FAILED = 400


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


@asynccontextmanager
async def _intent(request: Request) -> AsyncIterator[dict[str, str] | None]:
    """What is kept beside a charge that has a key: the ledger refuses the key for anything else. Files of a form are open inside."""
    if KEY not in request.headers:
        yield None
        return
    is_theirs = is_parsed(request)
    try:
        yield {"request": await digest_of(request)}
    finally:
        if not is_theirs:  # else the files are open until all is done, tasks in the background as well
            await request.close()


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
        key = given_key(request.headers.get(KEY))
        async with _intent(request) as intent:
            if isinstance(ledger, BothHomes):
                moved = await spend_at_home(ledger, payer, price, reason, key, metadata=intent)
                try:
                    yield moved
                except BaseException:
                    if not moved.replayed and moved.key is not None:
                        await ledger.refund(
                            payer, moved.key, key=f"failed:{moved.key}", reason=f"{reason} failed"
                        )
                    raise
                return
            paid = await spend_for(ledger, payer, price, reason, key, unit=unit, metadata=intent)
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
        key = given_key(request.headers.get(KEY))
        async with _intent(request) as intent:
            hold = await hold_for(
                ledger,
                payer,
                price,
                reason,
                key,
                unit=unit,
                metadata=intent,
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
        try:
            request_key = given_key(None if given is None else given.decode("latin-1"))
        except HellerError as error:
            await problems.answer(error)(scope, receive, send)
            return
        intent = None
        if given is not None:
            try:
                digest, receive = await digest_ahead(scope, receive)
            except ClientDisconnect:
                return
            intent = {"request": digest}
        try:
            hold = await hold_for(
                self._heller(scope), account, amount, reason, request_key, unit=self._unit, metadata=intent
            )
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
