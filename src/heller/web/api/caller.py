"""Who calls a route and what it may do; how a route answers."""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Header, Request
from starlette.responses import Response

from heller.database import call
from heller.errors import InvalidArgument, UnknownAccount
from heller.ledger.heller import Ledger, within
from heller.stripe.api import StripeApi
from heller.web import audit
from heller.web.auth import Known
from heller.web.principal import Principal, allows
from heller.web.problems import Forbidden, NotSetUp, Unauthenticated
from heller.web.wiring import Wiring, wiring_of

T = TypeVar("T")

KEY_CHARACTERS_MAX = 255
BIGINT_MAX = 2**63 - 1
ETAG_PATTERN = r'^(W/)?"\d{1,18}"$'

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=KEY_CHARACTERS_MAX,
        description="Your name for this intent: the same key with the same request answers the first result.",
        examples=["analysis-42"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        pattern=ETAG_PATTERN,
        description="The ETag of the account as you read it; 412 when it has changed since.",
        examples=['"7"'],
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The principal of a request, the connections, and the headers that writes understand."""

    principal: Principal
    wiring: Wiring
    request_id: str
    path: str
    key: str | None = None
    if_version: int | None = None

    @property
    def signed(self) -> dict[str, Any]:
        """What a verb of the ledger takes from the request's headers: key and actor."""
        return {"key": self.key, "actor": self.principal.actor, "if_version": self.if_version}

    @property
    def stripe(self) -> StripeApi:
        """Stripe's API.

        Raises:
            NotSetUp: this installation has none.
        """
        if self.wiring.stripe is None:
            raise NotSetUp("This installation has no Stripe.", hint="Set STRIPE_SECRET_KEY.")
        return self.wiring.stripe

    async def see(self, account: str) -> None:
        """Let a customer see only accounts of its own.

        Raises:
            UnknownAccount: for a customer, other people's accounts do not exist.
        """
        await see(self.wiring, self.principal, account)

    async def change(
        self,
        action: str,
        target: str,
        verb: Callable[[Ledger], Awaitable[T]],
        detail: Mapping[str, Any] | None = None,
    ) -> T:
        """Do a verb and note it in the audit log, in one transaction. A replay and a dry run are not noted again."""
        async with self.wiring.database.transaction() as connection:
            result = await verb(within(connection))
            if not (getattr(result, "replayed", False) or getattr(result, "dry_run", False)):
                await audit.note(
                    connection,
                    self.principal,
                    action,
                    target,
                    {"key": self.key, **(detail or {})},
                    request_id=self.request_id,
                )
        return result

    def page(self, items: list[Any], *, limit: int, after: Callable[[Any], Any]) -> Response:
        """A page of this route's list, and the cursor of the next one where there may be more."""
        is_full = len(items) >= limit and bool(items)
        following = cursor_of({"of": _list_of(self.path), "at": after(items[-1])}) if is_full else None
        return answer({"items": items, "next": following})

    def place(self, cursor: str | None, kind: type[T]) -> T | None:
        """The place in this route's list that a cursor stands for.

        Raises:
            InvalidArgument: it is none of ours, or of another list.
        """
        if cursor is None:
            return None
        found = place_of(cursor, Any)
        if isinstance(found, dict) and found.keys() == {"of", "at"}:
            if found["of"] != _list_of(self.path):
                raise InvalidArgument(
                    "This cursor is of another list.",
                    hint="Use the 'next' of an earlier page of this one.",
                    argument="cursor",
                )
            found = found["at"]  # else it is of version 0.1.0
        try:
            place = msgspec.convert(found, kind)
        except msgspec.ValidationError:
            raise _no_cursor() from None
        if isinstance(place, int) and abs(place) > BIGINT_MAX:
            raise _no_cursor()
        return place

    def moment(self, cursor: str | None) -> list[str] | None:
        """The place in a list by time: an instant, and the id that comes last of those at it."""
        place = self.place(cursor, tuple[datetime, str])
        return None if place is None else [place[0].isoformat(), place[1].replace("\0", "")]

    async def note(self, action: str, target: str, detail: Mapping[str, Any] | None = None) -> None:
        """Note what was done in a transaction of its own, such as an order at Stripe."""
        async with self.wiring.database.connection() as connection:
            await audit.note(connection, self.principal, action, target, detail, request_id=self.request_id)


async def see(wiring: Wiring, principal: Principal, account: str) -> None:
    """As ``Caller.see``."""
    if not principal.is_customer:
        return
    async with wiring.database.connection() as connection:
        is_own = principal.user is not None and await call(
            connection, "is_account_of", account_id=account, user_id=principal.user
        )
    if not is_own:
        raise UnknownAccount(f"There is no account {account}.", account=account)


async def identify(wiring: Wiring, header: bytes | None, address: str) -> Known:
    """Who calls; failures from one address are counted and slowed down.

    Raises:
        Unauthenticated, TooManyRequests: as said.
    """
    try:
        return await wiring.auth.known(header)
    except Unauthenticated:
        if header is not None:
            await wiring.limiter.fail(address)
        raise


def demand(principal: Principal, scope: str) -> None:
    """Refuse a principal without a scope.

    Raises:
        Forbidden: it has not.
    """
    if not allows(principal, scope):
        raise Forbidden(
            f"This needs the scope {scope}.", hint="Ask for a key or role that has it.", scope=scope
        )


async def _caller(request: Request, scope: str) -> Caller:
    _refuse_unknown_query(request)
    wiring = wiring_of(request)
    header = request.headers.get("authorization")
    known = await identify(
        wiring,
        None if header is None else header.encode("latin-1"),
        request.client.host if request.client else "",
    )
    if known.rate_per_minute is not None:
        request.state.headers = await wiring.limiter.take(known.principal, known.rate_per_minute)
    demand(known.principal, scope)
    return Caller(
        principal=known.principal, wiring=wiring, request_id=request.state.request_id, path=request.url.path
    )


def reads(scope: str) -> Any:
    """The caller of a route that needs a scope, as a dependency."""

    async def caller(request: Request) -> Caller:
        return await _caller(request, scope)

    caller.scope = scope  # type: ignore[attr-defined]  # said in the OpenAPI document
    return Depends(caller)


def writes(scope: str) -> Any:
    """The same for a verb of the ledger: it understands Idempotency-Key and If-Match."""

    async def caller(
        found: Annotated[Caller, reads(scope)],  # who calls is asked before what the headers say
        idempotency_key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> Caller:
        return replace(found, key=idempotency_key, if_version=version_of(if_match))

    caller.scope = scope  # type: ignore[attr-defined]  # said in the OpenAPI document
    return Depends(caller)


def version_of(etag: str | None) -> int | None:
    """The account version an If-Match names."""
    return None if etag is None else int(etag.removeprefix("W/").strip('"'))


def _refuse_unknown_query(request: Request) -> None:
    """A mistyped filter must not answer everything."""
    names = {field.alias for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in names:
            known = f"Known are {', '.join(sorted(names))}." if names else "This route has none."
            raise InvalidArgument(f"{name} is no parameter of this route.", hint=known, argument=name)


def answer(result: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A result as JSON; a replay says so in a header."""
    replayed = {"idempotent-replayed": "true"} if getattr(result, "replayed", False) else {}
    return Response(
        msgspec.json.encode(result),
        status_code=status,
        media_type="application/json",
        headers={**replayed, **(headers or {})},
    )


def cursor_of(place: Any) -> str:
    """A place in a list as opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(cursor: str | None, kind: type[T]) -> T | None:
    """The place a cursor stands for.

    Raises:
        InvalidArgument: it is none of ours.
    """
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (ValueError, msgspec.MsgspecError):
        raise _no_cursor() from None


def _no_cursor() -> InvalidArgument:
    return InvalidArgument(
        "This is no cursor.", hint="Use the 'next' of an earlier page as it is.", argument="cursor"
    )


def _list_of(path: str) -> str:
    """The list of a route, in few letters: a cursor of one account's list is none of another's."""
    return hashlib.sha256(path.encode()).hexdigest()[:12]
