"""The hot routes: read a balance, spend, place, capture and release a hold. Plain ASGI, no dependency graph.

They check what the other routes check, with the same models and problems, and are in the same OpenAPI document.
Concurrent spends share round trips in the ledger's batching.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPMethod
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec
import pydantic
from starlette.routing import Route, compile_path
from starlette.types import Message, Receive, Scope, Send

from heller import errors
from heller.ledger.heller import within
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import Account, HoldState, Transaction
from heller.web import audit, problems
from heller.web.api import models
from heller.web.api.answers import READ, WRITE, Kinds
from heller.web.api.caller import ETAG_PATTERN, KEY_CHARACTERS_MAX, demand, identify, see, version_of
from heller.web.principal import Principal
from heller.web.wiring import Wiring

_JSON = (b"content-type", b"application/json")
_REPLAYED = (b"idempotent-replayed", b"true")
_ETAG = re.compile(ETAG_PATTERN)
_encode = msgspec.json.Encoder().encode
_UNIT = pydantic.TypeAdapter(models.Unit)
_ACCOUNT = pydantic.TypeAdapter(models.Account)
_PLACE = pydantic.TypeAdapter(models.Place)


@dataclass(slots=True)
class Call:
    """One request, as far as a verb needs it."""

    wiring: Wiring
    principal: Principal
    request_id: str
    account: str
    hold: int
    key: str | None
    if_version: int | None
    body: Any

    @property
    def arguments(self) -> dict[str, Any]:
        """What the verb is given: the body's fields that are not their defaults, and who acts."""
        return {"actor": self.principal.actor, **self.unsigned}

    @property
    def unsigned(self) -> dict[str, Any]:
        """The same of a step that writes no transaction."""
        given: dict[str, Any] = self.body.model_dump(exclude_defaults=True)
        if self.if_version is not None:
            given["if_version"] = self.if_version
        return given


Verb = Callable[[Call], Awaitable[Any]]


async def _balance(call: Call) -> Account:
    await see(call.wiring, call.principal, call.account)
    return await call.wiring.heller.balance(call.account, unit=call.body)


async def _spend(call: Call) -> Transaction:
    return await call.wiring.heller.spend(call.account, key=call.key, **call.arguments)


async def _place(call: Call) -> HoldState:
    return await call.wiring.heller.place_hold(call.account, key=call.key, **call.arguments)


async def _capture(call: Call) -> Transaction:
    return await call.wiring.heller.capture(call.account, call.hold, key=call.key, **call.arguments)


async def _release(call: Call) -> HoldState:
    async with call.wiring.database.transaction() as connection:
        released = await within(connection).release(call.account, call.hold, **call.unsigned)
        if not (released.replayed or released.dry_run):
            await audit.note(
                connection,
                call.principal,
                "hold.release",
                call.account,
                {"hold": call.hold},
                request_id=call.request_id,
            )
    return released


@dataclass(frozen=True, slots=True)
class Lean:
    """A hot route; what it says of itself goes into the OpenAPI document."""

    path: str
    method: HTTPMethod
    name: str
    summary: str
    scope: str
    verb: Verb
    result: type
    body: type[models.Body] | None = None
    status: int = 200
    problems: Kinds = ()
    tag: ClassVar[str] = "credits"

    @property
    def path_regex(self) -> re.Pattern[str]:
        """What its path looks like."""
        return compile_path(self.path)[0]

    def route(self, prefix: str) -> Route:
        """The route to serve it by."""
        return Route(prefix + self.path, self, methods=[self.method], name=self.name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            result = await self._do(scope, receive)
        except errors.HellerError as error:
            short = isinstance(error, errors.InsufficientCredits)
            top_up = f"{scope['app'].state.settings.address}/portal/buy" if short else None
            answer = problems.answer(error, request_id=scope["state"]["request_id"], top_up=top_up)
            await answer(scope, receive, send)
            return
        content = _encode(result)
        headers = [_JSON, (b"content-length", b"%d" % len(content))]
        if result.replayed:
            headers.append(_REPLAYED)
        if self.result is Account:
            headers.append((b"etag", b'"%d"' % result.version))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _do(self, scope: Scope, receive: Receive) -> Any:
        wiring: Wiring = scope["app"].state.wiring
        given = _Headers(scope["headers"])
        known = await identify(wiring, given.authorization, (scope.get("client") or ("",))[0])
        if known.rate_per_minute is not None:
            scope["state"]["headers"] = await wiring.limiter.take(known.principal, known.rate_per_minute)
        demand(known.principal, self.scope)
        parameters = scope["path_params"]
        body: Any = _unit(scope["query_string"]) if self.body is None else None
        if self.body is not None:
            _refuse_query(scope["query_string"])
            body = _parsed(self.body, await _read(receive), given.content_type)
        return await self.verb(
            Call(
                wiring,
                known.principal,
                scope["state"]["request_id"],
                _valid(_ACCOUNT, "account", parameters["account"]),
                _valid(_PLACE, "hold", parameters.get("hold", 1)),
                None if given.key is None else _key(given.key),
                None if given.if_match is None else _version(given.if_match),
                body,
            )
        )


class _Headers:
    """The few headers that matter here, as they came."""

    __slots__ = ("authorization", "content_type", "if_match", "key")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.authorization: bytes | None = None
        self.content_type = b""
        self.key: bytes | None = None
        self.if_match: bytes | None = None
        for name, value in headers:
            if name == b"authorization":
                self.authorization = value
            elif name == b"content-type":
                self.content_type = value
            elif name == b"idempotency-key":
                self.key = value
            elif name == b"if-match":
                self.if_match = value


def _key(value: bytes) -> str:
    key = value.decode("latin-1")
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX:
        raise errors.InvalidArgument(
            f"idempotency-key has {len(key)} characters; 1 to {KEY_CHARACTERS_MAX} are allowed",
            argument="idempotency-key",
        )
    return key


def _version(value: bytes) -> int | None:
    if not _ETAG.fullmatch(value.decode("latin-1")):
        raise errors.InvalidArgument("if-match is not the ETag of an account", argument="if-match")
    return version_of(value.decode())


def _unit(query: bytes) -> str:
    unit = DEFAULT_UNIT
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else ():
        if name != "unit":
            raise errors.InvalidArgument(
                f"{name} is no parameter of this route.", hint="Known are unit.", argument=name
            )
        unit = _valid(_UNIT, "unit", value)
    return unit


def _refuse_query(query: bytes) -> None:
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else ():
        raise errors.InvalidArgument(
            f"{name} is no parameter of this route.", hint="This route has none.", argument=name
        )


async def _read(receive: Receive) -> bytes:
    message: Message = await receive()
    if not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        return body
    chunks = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


def _parsed(kind: type[models.Body], body: bytes, content_type: bytes) -> models.Body:
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise problems.UnsupportedMediaType("The body is not JSON.", hint="Content-Type: application/json")
    try:
        return kind.__pydantic_validator__.validate_json(body)  # type: ignore[no-any-return]  # of that kind
    except pydantic.ValidationError as error:
        raise problems.invalid(error.errors(include_url=False, include_context=False)[0]) from None


def _valid(adapter: pydantic.TypeAdapter[Any], name: str, value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except pydantic.ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        raise errors.InvalidArgument(f"{name}: {message}", argument=name) from None


ROUTES = (
    Lean(
        "/accounts/{account}/spend", HTTPMethod.POST, "spend",
        "Take credits for something. `allow_partial` takes what is there; `min_available_after` keeps a rest.",
        "credits:spend", _spend, Transaction, models.Spend, problems=(*WRITE, errors.InsufficientCredits),
    ),
    Lean(
        "/accounts/{account}/holds", HTTPMethod.POST, "place_hold",
        "Reserve credits: captured wholly, partly or in parts, released, or expired.",
        "credits:spend", _place, HoldState, models.PlaceHold, status=201, problems=(*WRITE, errors.InsufficientCredits),
    ),
    Lean(
        "/accounts/{account}/holds/{hold}/capture", HTTPMethod.POST, "capture_hold",
        "Spend held credits: all that is left, or a part; `final` frees the rest.",
        "credits:spend", _capture, Transaction, models.Capture,
        problems=(*WRITE, errors.UnknownHold, errors.HoldNotOpen, errors.ExceedsOriginal),
    ),
    Lean(
        "/accounts/{account}/holds/{hold}/release", HTTPMethod.POST, "release_hold",
        "End a hold without spending; again is a replay.",
        "credits:spend", _release, HoldState, models.Release, problems=(*WRITE, errors.UnknownHold, errors.HoldNotOpen),
    ),
    Lean(
        "/accounts/{account}", HTTPMethod.GET, "get_account",
        "Posted, held and available at this instant: what has expired by then is not counted. The ETag is its version.",
        "credits:read", _balance, Account, problems=READ,
    ),
)  # fmt: skip
