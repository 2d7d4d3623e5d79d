"""Peers whose calls block get one thread a caller, which is the most they can use."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Threads:
    """Runs blocking calls beside the event loop."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count)

    async def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """The value of ``call(*arguments)``, made in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def sqlalchemy_url(url: str) -> str:
    """The same address for SQLAlchemy with psycopg 3."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
