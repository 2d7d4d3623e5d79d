"""The server under ``heller serve``: told to stop, it lets a proxy turn to another process before it hangs up."""

import asyncio
import contextlib
import signal
import socket
from typing import Any

import uvicorn
from uvicorn._types import ASGIApplication

DRAIN_SECONDS = 2.0
LOOK_SECONDS = 0.05


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


def run(app: ASGIApplication, **options: Any) -> None:
    """Serve ``app`` in this process until it is told to stop. ``options`` are uvicorn's. Raises SystemExit if it cannot start."""
    server = Server(uvicorn.Config(app, **options))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(1)
