"""The legacy application as a process: with heller's router and observation around it, where they are wanted."""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn
from starlette.middleware.sessions import SessionMiddleware

from heller.database import Database
from heller.errors import MigrationError
from heller.migration.handover.routing import HomeMiddleware
from heller.rollout.observing import ObservingMiddleware, Operation
from legacy_sample.app import Settings, create_app
from legacy_sample.app.storage import opened

LOOPBACK = "127.0.0.1"
START_SECONDS_MAX = 30.0
LOOK_SECONDS = 0.05
STOP_SECONDS_MAX = 10.0
KINDS = {"/api/spend": "spend", "/api/undo": "refund", "/api/buy": "purchase", "/webhooks/stripe": "webhook"}

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


async def serve(settings: Settings, *, port: int, database: str | None, elsewhere: str | None) -> None:
    """Serve until interrupted.

    Args:
        database: heller's; outcomes are recorded there as the control arm of a rollout.
        elsewhere: where customers who have moved are sent; without it the application answers that they moved.
    """
    async with opened(settings.database_url):
        pass  # tables of another shape are an error now, not a server that does not start
    async with contextlib.AsyncExitStack() as stack:
        app: App = create_app(settings)
        if elsewhere is not None:
            legacy = await Database.open(settings.database_url, pool_max=2)
            stack.push_async_callback(legacy.close)
            app = HomeMiddleware(app, user_of=user_of, home=_asker(legacy), elsewhere=elsewhere)
        if database is not None:
            ours = await Database.open(database, pool_max=4)
            stack.push_async_callback(ours.close)
            app = ObservingMiddleware(app, database=ours, arm="legacy", operation_of=operation_of)
        around = SessionMiddleware(app, secret_key=settings.session_secret, same_site="lax")
        config = uvicorn.Config(
            around, host=LOOPBACK, port=port, log_level="warning", ws="none", access_log=False
        )
        await uvicorn.Server(config).serve()


def user_of(scope: Scope) -> str | None:
    """Who is signed in, by the cookie."""
    user = scope.get("session", {}).get("user")
    return None if user is None or not scope["path"].startswith("/api/") else str(user)


def operation_of(scope: Scope) -> Operation | None:
    """What a request was about."""
    what = KINDS.get(scope["path"])
    return None if what is None else Operation(what, account=user_of(scope))


def _asker(legacy: Database) -> Callable[[str], Awaitable[str | None]]:
    async def home(user: str) -> str | None:
        try:
            async with legacy.connection() as connection:
                row = await (await connection.execute("select heller_fence.home(%s)", [user])).fetchone()
        except psycopg.errors.InvalidSchemaName:  # no fence: everybody is at home
            return None
        return row[0] if row else None

    return home


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


@asynccontextmanager
async def process(
    url: str, *, port: int, webhook_secret: str, stripe_api: str, database: str | None, log: Path
) -> AsyncIterator[str]:
    """The application in a process of its own, as ``heller sample app`` starts it; its URL, once it answers.

    Raises:
        MigrationError: it did not start; the log says why.
    """
    command = [sys.executable, "-m", "heller.cli.main", "sample", "app", "--port", str(port)]
    environment = os.environ | {
        "LEGACY_DATABASE_URL": url, "LEGACY_WEBHOOK_SECRET": webhook_secret, "LEGACY_SESSION_SECRET": secrets.token_hex(16),
        "STRIPE_API_BASE": stripe_api, "DATABASE_URL": database or "",
    }  # fmt: skip
    with log.open("wb") as output:
        started = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=output, stderr=output
        )
    base = f"http://{LOOPBACK}:{port}"
    try:
        await _until_it_answers(base, started, log)
        yield base
    finally:
        if started.returncode is None:
            started.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(started.wait(), STOP_SECONDS_MAX)
        if started.returncode is None:
            started.kill()
            await started.wait()


async def _until_it_answers(base: str, started: asyncio.subprocess.Process, log: Path) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(int(START_SECONDS_MAX / LOOK_SECONDS)):
            if started.returncode is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{base}/health")).is_success:
                    return
            await asyncio.sleep(LOOK_SECONDS)
    raise MigrationError("The legacy application did not start.", hint=f"Its log is {log}.")
