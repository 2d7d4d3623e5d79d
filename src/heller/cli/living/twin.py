"""Stripe's stand-in as a process of its own, and the few things a scene asks of it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from heller.errors import MigrationError, ProviderError

START_SECONDS_MAX = 30.0
TIMEOUT_SECONDS = 15.0
KEY = "sk_test_demo"


class Twin:
    """The stand-in at ``url``."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url, self._client = url, client

    async def add_endpoint(self, url: str, events: Sequence[str], *, api_version: str | None = None) -> str:
        """An endpoint for these events; the secret that signs its deliveries."""
        words: dict[str, Any] = {"url": url, "enabled_events[]": list(events)}
        if api_version is not None:
            words["api_version"] = api_version
        answer = await self._client.post(
            "/v1/webhook_endpoints", data=words, headers={"authorization": f"Bearer {KEY}"}
        )
        answer.raise_for_status()
        return str(answer.json()["secret"])

    async def remember_customers(self, names: Iterable[str]) -> None:
        """Customers who were there before, under the ids that the tables have."""
        for name in names:
            await self.ask("remember_customer", customer=name)

    async def ask(self, verb: str, **arguments: Any) -> Any:
        """One of its controls: pay, deliver, refund, drain, ... Raises ProviderError when it refuses."""
        answer = await self._client.post(f"/_twin/{verb}", json=arguments)
        if not answer.is_success:
            raise ProviderError(f"The stand-in of Stripe refused {verb}: {answer.text}")
        return answer.json()


@asynccontextmanager
async def twin_process() -> AsyncIterator[Twin]:
    """Start it on a free port. Raises MigrationError when it does not say where it listens."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stripe_twin", "--port", "0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )  # fmt: skip
    try:
        line = b""
        if started.stdout is not None:
            with contextlib.suppress(TimeoutError):
                line = await asyncio.wait_for(started.stdout.readline(), START_SECONDS_MAX)
        url = line.decode().strip()
        if not url:
            raise MigrationError(
                "Stripe's stand-in did not start.", hint="Try 'python -m stripe_twin --port 0'."
            )
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS) as client:
            yield Twin(url, client)
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()
