"""What a worker says of itself: /health, /ready and /metrics on a port."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from heller import metrics
from heller.database import Database, call_many
from heller.errors import HellerError, SettingsError

READY_SECONDS_MAX = 5.0
EVERYWHERE = "0.0.0.0"  # noqa: S104  # who scrapes is on another machine
LATE_SECONDS = 900.0  # longer than any job's period and lease


@asynccontextmanager
async def serving(
    database: Database, port: int, *, periods: Mapping[str, float], wakes: bool, host: str = EVERYWHERE
) -> AsyncIterator[None]:
    """Answer on a port for as long as the block lasts. ``periods``: how often each leased job is due, in seconds.

    Raises:
        SettingsError: the port cannot be had.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise SettingsError(
            f"The health port {port} cannot be had: {error.strerror}.", hint="Choose another --health-port."
        ) from None
    config = uvicorn.Config(
        _application(database, periods, wakes=wakes),
        log_level=logging.CRITICAL,
        log_config=None,
        lifespan="off",
        ws="none",
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


class _Quiet(uvicorn.Server):
    """A server that leaves the process's signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _application(database: Database, periods: Mapping[str, float], *, wakes: bool) -> Starlette:
    started = time.monotonic()

    async def health(_request: Request) -> Response:
        """The process runs, and no job has been left undone by all workers."""
        try:
            late = await _late(database, periods)
        except (HellerError, psycopg.Error, TimeoutError):
            late = []  # the database's trouble is /ready's to tell: a restart of this process would not help
        is_late = bool(late) and time.monotonic() - started >= LATE_SECONDS
        body = {
            "status": "late" if is_late else "ok",
            "late": late,
            "wakes_by": "notify" if wakes else "polling",
        }
        return JSONResponse(body, 503 if is_late else 200)

    async def ready(_request: Request) -> Response:
        """The database answers too."""
        try:
            async with asyncio.timeout(READY_SECONDS_MAX), database.connection() as connection:
                await connection.execute("select 1")
        except (HellerError, psycopg.Error, TimeoutError) as error:
            return JSONResponse({"status": "database unavailable", "detail": str(error)}, 503)
        return JSONResponse({"status": "ok"})

    async def figures(_request: Request) -> Response:
        """For Prometheus."""
        return Response(await metrics.exposition(database), media_type=metrics.CONTENT_TYPE)

    return Starlette(routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", figures)])


async def _late(database: Database, periods: Mapping[str, float]) -> list[str]:
    """The jobs that no worker has done for much longer than they are due, and that nobody does now."""
    async with asyncio.timeout(READY_SECONDS_MAX), database.connection() as connection:
        jobs = {job["job"]: job for job in await call_many(connection, "jobs_list")}
    return [name for name, period in periods.items() if _is_late(jobs.get(name), period + LATE_SECONDS)]


def _is_late(job: dict[str, Any] | None, seconds_max: float) -> bool:
    if job is None:
        return True
    return not job["is_running"] and (job["age_seconds"] is None or job["age_seconds"] > seconds_max)
