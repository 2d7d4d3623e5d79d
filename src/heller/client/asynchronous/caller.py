"""How requests are sent."""

import asyncio
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from heller.client.core import AGAIN, RETRIES_MAX, TIMEOUT_SECONDS, Ask, address, pause, unreachable
from heller.ledger.results import decoded

T = TypeVar("T")


class AsyncCaller:
    """What asks the server, and asks again where that is safe."""

    def __init__(
        self,
        url: str,
        *,
        key: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries_max: int = RETRIES_MAX,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: where heller is served, such as https://credits.example.org.
            key: an API key, or a token of the OpenID provider.
            timeout_seconds: how long to wait for one answer.
            retries_max: how often to ask again when there is none, or one that says so.
            transport: another way to the server, for tests.

        Raises:
            InvalidArgument: ``url`` is not such an address.
        """
        self._retries_max = retries_max
        self._http = httpx.AsyncClient(
            base_url=address(url),
            headers={"authorization": f"Bearer {key}", "accept": "application/json"},
            timeout=timeout_seconds,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, ask: Ask[T]) -> T:
        for attempt in range(self._retries_max + 1):
            is_last = attempt == self._retries_max
            answer: httpx.Response | None = None
            try:
                answer = await self._http.request(
                    ask.method, ask.path, content=ask.content(), params=ask.params(), headers=ask.headers()
                )
            except httpx.TransportError as error:
                if is_last:
                    raise unreachable(error) from error
            if answer is not None and (is_last or answer.status_code not in AGAIN):
                return ask.result(answer)
            await asyncio.sleep(pause(attempt, answer))
        raise AssertionError  # the last try returns or raises

    async def _items(self, ask: Ask[dict[str, Any]], kind: type[T]) -> list[T]:
        return [decoded(item, kind) for item in (await self._send(ask))["items"]]

    async def _all(self, ask: Ask[dict[str, Any]], kind: type[T]) -> list[T]:
        """The items of every page."""
        found: list[T] = []
        while True:
            page = await self._send(ask)
            found += [decoded(item, kind) for item in page["items"]]
            if page["next"] is None:
                return found
            ask = replace(ask, query={**ask.query, "cursor": page["next"]})
