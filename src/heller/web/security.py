"""The edge of the application: request ids, body limits, security headers, and no exception that leaves it."""

import re
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from heller.errors import HellerError
from heller.web import problems
from heller.web.settings import BODY_BYTES_MAX

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HSTS_SECONDS = 31_536_000
PASSING_BYTES_MAX = 64 * 2**20
SLASH = "\ue02f"
"""Stands for an escaped slash on the way through the routes; of the private use area, so that no text has it."""
_ESCAPED_SLASH = re.compile("%2[Ff]")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

log = structlog.get_logger("heller.web")


class Edge:
    """The outermost ASGI layer."""

    def __init__(
        self,
        app: App,
        *,
        is_secure: bool,
        form_targets: Iterable[str] = (),
        answer: Callable[[Request, HellerError], Response] | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        self.app = app
        self._body_bytes_max = body_bytes_max
        self._answer = answer or _as_problem
        csp = CONTENT_SECURITY_POLICY.replace(
            "form-action 'self'", " ".join(("form-action 'self'", *form_targets))
        )
        self._defaults = {
            b"x-content-type-options": b"nosniff",
            b"x-frame-options": b"DENY",
            b"referrer-policy": b"same-origin",
            b"cross-origin-opener-policy": b"same-origin",
            b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
            b"content-security-policy": csp.encode(),
            b"cache-control": b"no-store",
        }
        if is_secure:
            self._defaults[b"strict-transport-security"] = f"max-age={HSTS_SECONDS}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if b"%2" in scope.get("raw_path", b""):
            scope["path"] = _with_slashes(scope["raw_path"])
        request_id, declared = _read(scope["headers"])
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = self._headers(message.get("headers", ()), scope["state"])
            await send(message)

        if declared > self._body_bytes_max:
            await self._refuse(scope, receive, sending)
            return
        try:
            counted = receive if declared >= 0 else _counted(receive, self._body_bytes_max)
            await self.app(scope, counted, sending)
        except Exception:  # a defect: the caller gets a problem and its id, the log the trace
            log.exception("a request failed", request_id=request_id.decode(), path=scope["path"])
            if not begun:
                await self._defect(Request(scope))(scope, receive, sending)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that the body is too large, once it has passed by: a browser shows no answer that comes while it sends."""
        await _pass_by(receive)
        scope.setdefault("session", {})  # a page asks for one; nobody reads this one again
        error = problems.TooLarge(f"The body has more than {self._body_bytes_max} bytes.")
        await self._safely(Request(scope), error)(scope, receive, send)

    def _defect(self, request: Request) -> Response:
        """What to say of a defect: a page to whom reads pages, else a problem."""
        error = problems.Internal("Something went wrong here.", hint="Quote the request id to the operator.")
        return self._safely(request, error)

    def _safely(self, request: Request, error: HellerError) -> Response:
        try:
            return self._answer(request, error)
        except Exception:  # the defect may be one of all pages
            log.exception("a page about a failed request failed too", request_id=request.state.request_id)
            return _as_problem(request, error)

    def _headers(
        self, given: Iterable[tuple[bytes, bytes]], state: dict[str, Any]
    ) -> list[tuple[bytes, bytes]]:
        headers = list(given)
        named = {name for name, _ in headers}
        headers += [item for item in self._defaults.items() if item[0] not in named]
        headers.append((b"x-request-id", state["request_id"].encode()))
        headers += state.get("headers", ())  # what is left of the rate limit
        return headers


def _as_problem(request: Request, error: HellerError) -> Response:
    return problems.answer(error, request_id=request.state.request_id)


def _with_slashes(raw_path: bytes) -> str:
    """The path with each escaped slash as one character of a part: an id may have slashes."""
    return unquote(_ESCAPED_SLASH.sub(quote(SLASH), raw_path.decode("latin-1")))


def _read(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int]:
    """The request's id, and the length its body is said to have (-1 when nothing is said of one that comes)."""
    request_id, length, is_chunked = b"", 0, False
    for name, value in headers:
        if name == b"content-length":
            length = int(value) if value.isdigit() else sys.maxsize
        elif name == b"transfer-encoding":
            is_chunked = True
        elif name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value
    return request_id or secrets.token_hex(8).encode(), -1 if is_chunked else length


def _counted(receive: Receive, bytes_max: int) -> Receive:
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > bytes_max:
            raise HTTPException(413, f"The body has more than {bytes_max} bytes.")
        return message

    return counting


async def _pass_by(receive: Receive) -> None:
    """Take a body without keeping it, as far as somebody may send who only chose a wrong file."""
    size = 0
    while size < PASSING_BYTES_MAX:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


class Except:
    """A middleware that some paths do not pass through: ``Except(app, paths, Middleware, **options)``."""

    def __init__(
        self, app: App, paths: tuple[str, ...], middleware: Callable[..., App], **options: Any
    ) -> None:
        self._plain = app
        self._wrapped = middleware(app, **options)
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with or without it."""
        is_plain = scope["type"] != "http" or scope["path"].startswith(self._paths)
        await (self._plain if is_plain else self._wrapped)(scope, receive, send)
