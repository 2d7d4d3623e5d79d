"""Calls to Stripe: the official SDK with a pinned version, short timeouts, a rate limit and patience with 429."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from weakref import WeakValueDictionary

import stripe

from heller.errors import LimitExceeded
from heller.stripe.settings import StripeSettings

TIMEOUT_SECONDS = 10.0
RETRIES_MAX = 2
BUSY_TRIES_MAX = 4
BUSY_PAUSE_SECONDS = 0.5
PAGE = 100
PAGES_MAX = 10_000
API_VERSION = stripe.api_version

Json = dict[str, Any]


class Throttle:
    """A token bucket: at most so many requests a second, with bursts of one second's worth."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._tokens = float(per_second)
        self._at = time.monotonic()

    async def wait(self) -> None:
        """Return when one more request may go out."""
        now = time.monotonic()
        self._tokens = min(self._per_second, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._per_second)


class StripeApi:
    """One account's API in one mode; what it answers is plain JSON.

    Used inside one event loop. ``account`` in a call names a connected account.
    """

    def __init__(self, settings: StripeSettings, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Make the client; nothing is sent yet."""
        self.settings = settings
        self._http = stripe.HTTPXClient(timeout=timeout_seconds)
        bases: dict[str, Any] = {}
        if settings.api_base is not None:
            bases = dict.fromkeys(("api", "files", "connect", "meter_events"), settings.api_base)
        self._client = stripe.StripeClient(
            settings.secret_key,
            stripe_version=API_VERSION,
            http_client=self._http,
            max_network_retries=RETRIES_MAX,
            base_addresses=bases,  # type: ignore[arg-type]  # a TypedDict of these names
        )
        self._throttle = Throttle(settings.requests_per_second)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.clock_skew_seconds = 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # the SDK has no types here

    def lock(self, key: str) -> asyncio.Lock:
        """The lock of one payment in this process: a second look at it waits for the first."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    async def retrieve(
        self, service: str, identifier: str, *, account: str = "", expand: tuple[str, ...] = ()
    ) -> Json:
        """One object, such as ``retrieve("payment_intents", "pi_1")``.

        Raises:
            stripe.StripeError: as the SDK does; a missing object is InvalidRequestError with status 404.
        """
        params: Json = {"expand": list(expand)} if expand else {}
        method = self._method(service, "retrieve_async")
        return await self._send(lambda: method(identifier, params=params, options=_options(account)))

    async def create(self, service: str, params: Mapping[str, Any], *, key: str, account: str = "") -> Json:
        """Make an object, once for ``key`` (Stripe's idempotency key)."""
        method = self._method(service, "create_async")
        options = _options(account) | {"idempotency_key": key}
        return await self._send(lambda: method(params=dict(params), options=options))

    async def act(
        self,
        service: str,
        verb: str,
        identifier: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str = "",
    ) -> Json:
        """Do something with an object: update, cancel, expire, ..."""
        method = self._method(service, f"{verb}_async")
        return await self._send(
            lambda: method(identifier, params=dict(params or {}), options=_options(account))
        )

    async def pages(
        self,
        service: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str = "",
        limit: int | None = None,
    ) -> AsyncIterator[Json]:
        """All objects of a list, newest first; at most ``limit``.

        Raises:
            LimitExceeded: there are more than a million: the oldest are not given, which nobody may take for all.
        """
        method = self._method(service, "list_async")
        asked: Json = {"limit": min(PAGE, limit or PAGE), **(params or {})}
        given = 0
        for _ in range(PAGES_MAX):
            page = await self._send(lambda: method(params=dict(asked), options=_options(account)))
            for item in page["data"]:
                yield item
                given += 1
                if given == limit:
                    return
            if not page.get("has_more") or not page["data"]:
                return
            asked["starting_after"] = page["data"][-1]["id"]
        raise LimitExceeded(
            f"Stripe has more than {PAGES_MAX * PAGE:,} {service} to list.",
            hint="Look at a shorter time: heller stripe reconcile --since.",
            limit="pages",
        )

    async def all(self, service: str, params: Mapping[str, Any], *, account: str = "") -> list[Json]:
        """All objects of a short list."""
        return [item async for item in self.pages(service, params, account=account)]

    def _method(self, service: str, name: str) -> Callable[..., Awaitable[Any]]:
        found: Any = self._client.v1
        for part in service.split("."):
            found = getattr(found, part)
        method: Callable[..., Awaitable[Any]] = getattr(found, name)
        return method

    async def _send(self, request: Callable[[], Awaitable[Any]]) -> Json:
        for attempt in range(1, BUSY_TRIES_MAX + 1):
            await self._throttle.wait()
            try:
                answer = await request()
            except stripe.RateLimitError:
                if attempt == BUSY_TRIES_MAX:
                    raise
                await asyncio.sleep(BUSY_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
                continue
            self._note_clock(answer)
            result: Json = answer.to_dict(for_json=True)
            return result
        raise AssertionError  # the loop returns or raises

    def _note_clock(self, answer: Any) -> None:
        response = getattr(answer, "last_response", None)
        date = response.headers.get("date") if response is not None else None
        if date:
            self.clock_skew_seconds = time.time() - _seconds_of(date)


def _seconds_of(date: str) -> float:

    return parsedate_to_datetime(date).timestamp()


def _options(account: str) -> Json:
    return {"stripe_account": account} if account else {}


@asynccontextmanager
async def opened(settings: StripeSettings) -> AsyncIterator[StripeApi]:
    """A client for the length of the block."""
    api = StripeApi(settings)
    try:
        yield api
    finally:
        await api.close()
