"""The server under ``heller serve``: told to stop, it lets a proxy turn to another process before it hangs up."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import threading
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

import uvicorn
from uvicorn._types import ASGIApplication

DRAIN_SECONDS = 2.0
LOOK_SECONDS = 0.05
SUPERVISE_SECONDS = 0.2
BACKLOG = 2048
NOT_STARTED = 1  # the exit code of a process that could not serve: another would not either


class Server(uvicorn.Server):
    """First refuses new connections, while those that are open serve once more.

    Uvicorn alone hangs up on idle connections at once. A proxy may be sending a request on one just then, and a write
    that gets no answer it will not repeat.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse, serve what still comes, at most ``DRAIN_SECONDS``; then end as uvicorn does. Ctrl-C waits for nobody."""
        await asyncio.sleep(0)  # who has connected is let in: closing the socket would reset them
        for server in self.servers:
            server.close()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        if signal.SIGINT not in self._captured_signals:
            await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        for _ in range(int(DRAIN_SECONDS / LOOK_SECONDS)):
            if self.force_exit or not self.server_state.connections:
                return
            await asyncio.sleep(LOOK_SECONDS)


def run(app: ASGIApplication | str, *, sockets: list[socket.socket] | None = None, **options: Any) -> None:
    """Serve ``app`` in this process until it is told to stop. ``options`` are uvicorn's. Raises SystemExit if it cannot start."""
    server = Server(uvicorn.Config(app, **options))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        raise SystemExit(NOT_STARTED)


def run_many(factory: str, *, workers: int, host: str, port: int, **options: Any) -> None:
    """Serve in so many processes on one port until told to stop; one that dies is replaced. Arguments as ``run``.

    Each drains as a process alone does: uvicorn's own supervisor has it hang up at once.

    Raises:
        SystemExit: they cannot start.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    told: list[int] = []

    def stop(signum: int, _frame: FrameType | None) -> None:
        told.append(signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, stop)
    processes = [_begun(factory, listening, options) for _ in range(workers)]
    try:
        while not told:
            wait([process.sentinel for process in processes], SUPERVISE_SECONDS)
            for place, process in enumerate(processes):
                if process.exitcode == NOT_STARTED:
                    raise SystemExit(NOT_STARTED)
                if process.exitcode is not None and not told:
                    processes[place] = _begun(factory, listening, options)
    finally:
        listening.close()  # else it would take connections that nobody answers
        for process in processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGTERM)  # Ctrl-C is theirs already; a second one cuts off
        for process in processes:
            process.join()


def _begun(factory: str, listening: socket.socket, options: dict[str, Any]) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(factory, listening, options))
    process.start()
    return process


def _serve(factory: str, listening: socket.socket, options: dict[str, Any]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, _end)
    run(factory, factory=True, sockets=[listening], **options)


def _end(*_: Any) -> None:
    """While nothing is under way; and uvicorn raises the signal again when all is answered."""
    raise SystemExit(0)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
