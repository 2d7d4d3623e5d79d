"""The HTTP layer's part of observing: a middleware that records what became of each request that is an operation.

``observe`` and ``observed``, for those who do operations themselves, are the handover's (its facade records with them).
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from psycopg import Error

from heller.database import Database
from heller.errors import HellerError
from heller.migration.handover.observing import Arm, observe, observed, record

__all__ = ["ObservingMiddleware", "Operation", "observe", "observed"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SERVER_ERRORS = 500
CONFLICT = 409
ROUTED = b"x-heller-home"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request is about. Without an ``operation`` of its own it is one by itself; webhooks are about no account."""

    what: str
    account: str | None = None
    operation: str | None = None


class ObservingMiddleware:
    """ASGI: records each operation's time, and whether it failed (5xx, or an exception).

    Requests that were sent to the other home (the router's answer, or 409 from an application that knows of the fence)
    are nobody's outcome and are left out.

    Args:
        app: the application.
        database: heller's own.
        arm: which home the application serves: heller, or legacy for the control arm.
        operation_of: what a request was about, asked after it was answered; None for what is no operation.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        database: Database,
        arm: Arm,
        operation_of: Callable[[Scope], Operation | None],
    ) -> None:
        self.app, self.database, self.arm, self.operation_of = app, database, arm, operation_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, then record."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, is_routed = time.perf_counter(), 0, False

        async def watching(message: Message) -> None:
            nonlocal status, is_routed
            if message["type"] == "http.response.start":
                status = message["status"]
                is_routed = any(name.lower() == ROUTED for name, _ in message.get("headers", ()))
            await send(message)

        failure = "no answer"
        try:
            await self.app(scope, receive, watching)
        except Exception as error:
            failure = type(error).__name__
            status = SERVER_ERRORS
            raise
        finally:
            if status and not is_routed and status != CONFLICT:
                await self._record(
                    scope,
                    failure=(failure if failure != "no answer" else f"HTTP {status}")
                    if status >= SERVER_ERRORS
                    else None,
                    milliseconds=round((time.perf_counter() - started) * 1000),
                )

    async def _record(self, scope: Scope, *, failure: str | None, milliseconds: int) -> None:
        about = self.operation_of(scope)
        if about is None:
            return
        name = about.operation or str(uuid4())
        with suppress(HellerError, Error):  # an outcome that cannot be recorded must not fail the request
            await record(
                self.database, operation=name, account=about.account or name, arm=self.arm, what=about.what, failure=failure,
                milliseconds=milliseconds,
            )  # fmt: skip
