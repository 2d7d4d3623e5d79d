"""For the legacy application: ask where a user is at home, and send requests for those who moved to where they live.

Advice only: it gives a clear answer in place of an error. What protects the credits is the fence in the database.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HOME_QUERY = "select heller_fence.home($1)"
"""For any driver: 'legacy', 'away', or null for a user never seen. The role needs USAGE on the schema, which everyone has."""

RETRY_AFTER_SECONDS = 1
_MOVED_STATES = frozenset({"MG001", "MG003"})


def is_moved(error: BaseException) -> bool:
    """Whether an error of any driver (psycopg, asyncpg, SQLAlchemy) is the fence's refusal."""
    seen: BaseException | None = error
    while seen is not None:
        for candidate in (seen, getattr(seen, "orig", None)):
            state = getattr(candidate, "sqlstate", None) or getattr(candidate, "pgcode", None)
            if state in _MOVED_STATES:
                return True
        seen = seen.__cause__ or seen.__context__
    return False


def _answer(location: str | None) -> tuple[int, list[tuple[str, str]], bytes]:
    """A redirect to the new home, or one moment's patience."""
    problem = {
        "type": "about:blank",
        "title": "The credits of this user have moved",
        "status": 307 if location else 503,
    }
    headers = [("content-type", "application/problem+json"), ("x-heller-home", "heller")]
    headers.append(("location", location) if location else ("retry-after", str(RETRY_AFTER_SECONDS)))
    return int(problem["status"]), headers, json.dumps(problem).encode()


class HomeMiddleware:
    """ASGI: requests of users who are away get 307 to ``elsewhere`` (same path), or 503 with Retry-After without one.

    Args:
        app: the legacy application.
        user_of: the user of a request's scope, or None for requests that are about nobody.
        home: asks the legacy database (``HOME_QUERY``).
        elsewhere: the base URL of the system that serves moved users.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        user_of: Callable[[Scope], str | None],
        home: Callable[[str], Awaitable[str | None]],
        elsewhere: str | None = None,
    ) -> None:
        self.app, self.user_of, self.home, self.elsewhere = app, user_of, home, elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, redirect, or turn the fence's refusal into a clear answer."""
        user = self.user_of(scope) if scope["type"] == "http" else None
        if user is None:
            await self.app(scope, receive, send)
            return
        if await self.home(user) == "away":
            await self._moved(scope, send)
            return
        begun = False

        async def watching(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watching)
        except Exception as error:
            if begun or not is_moved(error):
                raise
            await self._moved(scope, send)  # moved between the question and the change

    async def _moved(self, scope: Scope, send: Send) -> None:
        query = scope.get("query_string", b"").decode()
        location = (
            f"{self.elsewhere.rstrip('/')}{scope['path']}{'?' + query if query else ''}"
            if self.elsewhere
            else None
        )
        status, headers, body = _answer(location)
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


class _StartResponse(Protocol):
    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> Any: ...


class HomeMiddlewareWsgi:
    """The same for WSGI; ``home`` is an ordinary function here."""

    def __init__(
        self,
        app: Callable[[dict[str, Any], Any], Iterable[bytes]],
        *,
        user_of: Callable[[dict[str, Any]], str | None],
        home: Callable[[str], str | None],
        elsewhere: str | None = None,
    ) -> None:
        self.app, self.user_of, self.home, self.elsewhere = app, user_of, home, elsewhere

    def __call__(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        """Serve, redirect, or turn the fence's refusal into a clear answer."""
        user = self.user_of(environ)
        if user is not None and self.home(user) == "away":
            return self._moved(environ, start_response)
        try:
            return self.app(environ, start_response)
        except Exception as error:
            if user is None or not is_moved(error):
                raise
            return self._moved(environ, start_response)

    def _moved(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        path = environ.get("PATH_INFO", "/")
        location = (
            f"{self.elsewhere.rstrip('/')}{path}{'?' + query if query else ''}" if self.elsewhere else None
        )
        status, headers, body = _answer(location)
        start_response("307 Temporary Redirect" if status == 307 else "503 Service Unavailable", headers)  # noqa: PLR2004  # HTTP
        return [body]
