"""The twin as a web server: in a thread for tests, or alone as a process."""

import asyncio
import contextlib
import inspect
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stripe_twin.api import ROUTES, Handler
from stripe_twin.control import VERBS
from stripe_twin.errors import ApiError
from stripe_twin.pages import page_routes
from stripe_twin.twin import Twin
from stripe_twin.world import World

START_SECONDS_MAX = 15.0
STOP_SECONDS_MAX = 15.0
LOOPBACK = "127.0.0.1"


class TwinServer(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Prepare to serve; ``on_listening`` is called once, in the server's thread."""
        super().__init__(config)
        self.on_listening: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.on_listening()


class HangUp:
    """Middleware that lets an answer close the connection without a word, which ASGI has no message for."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application; must be outermost, next to uvicorn."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Offer ``scope["stripe_twin.hang_up"]``."""
        if scope["type"] == "http":
            cycle = getattr(send, "__self__", None)  # uvicorn's request cycle
            scope["stripe_twin.hang_up"] = cycle.transport.close if cycle is not None else None
        await self.app(scope, receive, send)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _control_route(twin: Twin) -> Route:
    async def control(request: Request) -> Response:
        """``POST /_twin/{verb}`` with the arguments as a JSON object."""
        name = request.path_params["verb"]
        if name in ("deliver", "drain"):
            function: Callable[..., Any] = getattr(twin, f"{name}_async")
        elif name in VERBS:
            function = partial(VERBS[name], twin)
        else:
            known = sorted([*VERBS, "deliver", "drain"])
            return JSONResponse({"error": {"message": f"no such verb: {name}", "verbs": known}}, 404)
        try:
            result = function(**json.loads(await request.body() or b"{}"))
            if inspect.isawaitable(result):
                result = await result
        except ApiError as error:
            return JSONResponse(error.body(), error.status)
        except (TypeError, ValueError, KeyError) as error:
            return JSONResponse({"error": {"message": f"{type(error).__name__}: {error}"}}, 400)
        return JSONResponse(_plain(result))

    return Route("/_twin/{verb}", control, methods=["POST"])


def application(twin: Twin) -> Starlette:
    """The ASGI application: API, control, pages."""

    def endpoint(handler: Handler | None) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return await twin.api.handle(request, handler)

        return answer

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        living = asyncio.create_task(twin.live())
        await asyncio.sleep(0)
        yield
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living
        twin.save()

    routes = [_control_route(twin), *page_routes(twin)]
    routes += [Route(path, endpoint(handler), methods=[method]) for method, path, handler in ROUTES]
    unknown = endpoint(None)
    methods = ["GET", "POST", "DELETE"]
    routes += [Route(f"/{api}/{{rest:path}}", unknown, methods=methods) for api in ("v1", "v2")]
    return Starlette(routes=routes, lifespan=lifespan)


def build(
    port: int,
    *,
    host: str = LOOPBACK,
    retry_scale: float = 1.0,
    id_seed: int | None = None,
    state_path: Path | None = None,
    sepa_settles_after_seconds: float | None = None,
    public_url: str | None = None,
) -> tuple[Twin, TwinServer, socket.socket]:
    """A twin, its server and its bound socket; port 0 takes a free one."""
    # With the protocol named, asyncio switches Nagle off; without it each answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    base_url = public_url or f"http://{host}:{listener.getsockname()[1]}"
    world = World(base_url=base_url, id_seed=id_seed, sepa_settles_after_seconds=sepa_settles_after_seconds)
    twin = Twin(world, retry_scale=retry_scale, state_path=state_path)
    config = uvicorn.Config(
        HangUp(application(twin)),
        log_level=logging.CRITICAL,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=1,
        ws="none",
    )
    return twin, TwinServer(config), listener


@contextlib.contextmanager
def running(
    port: int = 0,
    *,
    retry_scale: float = 1.0,
    id_seed: int | None = None,
    state_path: Path | None = None,
    sepa_settles_after_seconds: float | None = None,
) -> Iterator[Twin]:
    """A twin on a loopback port, in a thread of its own, for as long as the block lasts.

    ``retry_scale`` shrinks the delays between delivery attempts (0.001 makes five minutes 0.3 s); ``id_seed`` makes
    ids repeatable; ``state_path`` keeps the state in a file; ``sepa_settles_after_seconds`` lets debits settle alone.
    """
    twin, server, listener = build(
        port,
        retry_scale=retry_scale,
        id_seed=id_seed,
        state_path=state_path,
        sepa_settles_after_seconds=sepa_settles_after_seconds,
    )
    is_up = threading.Event()
    server.on_listening = is_up.set
    thread = threading.Thread(target=server.run, args=([listener],), name="stripe-twin", daemon=True)
    thread.start()
    try:
        if not is_up.wait(START_SECONDS_MAX):
            message = "the Stripe twin did not start"
            raise RuntimeError(message)
        yield twin
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS_MAX)
        listener.close()
