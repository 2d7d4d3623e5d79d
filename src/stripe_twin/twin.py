"""The twin in process: its verbs, its deliveries, its log; what ``running()`` gives."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NotRequired, TypedDict, TypeVar

from stripe_twin import buyer
from stripe_twin.api import Call
from stripe_twin.app import Api, RequestSeen
from stripe_twin.control import Control, verb
from stripe_twin.delivery import Courier, Sent, SignedDelivery
from stripe_twin.errors import missing
from stripe_twin.receivers import Receiver, find_receiver, receivers_of, signature_header
from stripe_twin.resources.endpoints import EndpointCreate, make_endpoint
from stripe_twin.shapes import Json
from stripe_twin.store import Space, write_state
from stripe_twin.world import PLATFORM, World

WAIT_SECONDS_MAX = 60.0
HOUSEKEEPING_SECONDS = 1.0
Result = TypeVar("Result")


class BaseAddresses(TypedDict):
    """The SDK's type of the same name, without the SDK."""

    api: NotRequired[str | None]
    connect: NotRequired[str | None]
    files: NotRequired[str | None]
    meter_events: NotRequired[str | None]


class Twin(Control):
    """A running twin. Every method may be called from any thread; ``..._async`` ones from the caller's event loop.

    A test whose receiver runs in the test's own event loop must use the ``_async`` form: the other one blocks it.
    """

    def __init__(self, world: World, *, retry_scale: float, state_path: Path | None = None) -> None:
        """Build the parts, and take over the state that was kept at ``state_path``."""
        super().__init__(world, Courier(world, retry_scale=retry_scale))
        self.api = Api(world)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._state_path = state_path
        if state_path is not None and state_path.exists():
            self._load(json.loads(state_path.read_text(encoding="utf-8")))

    @property
    def url(self) -> str:
        """Where the twin listens."""
        return self.world.base_url

    @property
    def base_addresses(self) -> BaseAddresses:
        """For ``stripe.StripeClient(key, base_addresses=twin.base_addresses)``."""
        return {"api": self.url, "files": self.url, "connect": self.url, "meter_events": self.url}

    @property
    def requests(self) -> list[RequestSeen]:
        """The API requests so far, oldest first."""
        return list(self.api.requests)

    @property
    def sent(self) -> list[Sent]:
        """The delivery attempts so far, oldest first."""
        return list(self.courier.sent)

    # Endpoints

    def add_endpoint(
        self,
        url: str,
        enabled_events: list[str] | None = None,
        *,
        api_version: str | None = None,
        connect: bool = False,
        livemode: bool = False,
        account: str = PLATFORM,
    ) -> Json:
        """A webhook endpoint as the API makes it, with its ``secret``."""
        with self.world.lock:
            params = EndpointCreate(
                url=url, enabled_events=enabled_events or ["*"], api_version=api_version, connect=connect
            )
            call = Call(
                self.world, self.world.store.space(account, livemode), "/v1/webhook_endpoints", {}, {}
            )
            endpoint = make_endpoint(self.world, call, params)
            return self._shown(call.space, endpoint) | {"secret": endpoint["_secrets"][0]["secret"]}

    def secrets(self, endpoint: str) -> list[str]:
        """The secrets that sign for an endpoint now, oldest first."""
        receiver = self._receiver(endpoint)
        return receiver.live_secrets(self.world)

    def _receiver(self, endpoint: str) -> Receiver:
        with self.world.lock:
            receiver = find_receiver(self.world, endpoint)
        if receiver is None:
            raise missing("webhook_endpoint", endpoint)
        return receiver

    # Deliveries, decided by the test

    @verb
    def hold(self) -> None:
        """Deliver nothing by itself from now on; events queue up."""
        self.courier.is_held = True

    @verb
    def release(self) -> None:
        """Deliver what queued up, and go on."""
        self.courier.is_held = False
        self.courier.poke()

    @verb
    def pending(self) -> list[str]:
        """The ids of the events that wait for delivery, soonest first."""
        with self.world.lock:
            return [attempt.event_id for attempt in self.courier.pending()]

    @verb
    def forget_pending(self, event_ids: list[str] | None = None) -> int:
        """Lose queued deliveries for good (all, or of these events); says how many."""
        with self.world.lock:
            return self.courier.forget_pending(None if event_ids is None else set(event_ids))

    def delivery(
        self,
        event_id: str,
        endpoint: str | None = None,
        *,
        api_version: str | None = None,
        account: str | None = None,
    ) -> SignedDelivery:
        """The signed POST of an event, not sent: for a test that sends, alters or repeats it by itself."""
        space, event, receiver = self._targets([event_id], endpoint, account)[0]
        with self.world.lock:
            return self.courier.sign(space, event, receiver, api_version=api_version)

    def sign(self, body: bytes, secret: str, *, timestamp: int | None = None) -> str:
        """A ``Stripe-Signature`` header for any bytes."""
        return signature_header(self.world, body, [secret], timestamp=timestamp)

    def _targets(
        self, event_ids: list[str] | None, endpoint: str | None, account: str | None
    ) -> list[tuple[Space, Json, Receiver]]:
        with self.world.lock:
            if event_ids is None:
                waiting = dict.fromkeys(
                    (a.account, a.event_id, a.endpoint_id) for a in self.courier.pending()
                )
                chosen = [key for key in waiting if endpoint in (None, key[2])]
                return [self._target(event_id, owner, receiver) for owner, event_id, receiver in chosen]
            targets = []
            for event_id in event_ids:
                space, event = self._found(event_id, account)
                is_thin = event["object"] == "v2.core.event"
                ids = [r.id for r in receivers_of(self.world, space, event["type"], thin=is_thin)]
                targets += [self._target(event_id, space.account, r) for r in ids if endpoint in (None, r)]
                if endpoint is not None and endpoint not in ids:
                    targets.append(self._target(event_id, space.account, endpoint))
            return targets

    def _target(self, event_id: str, account: str, endpoint: str) -> tuple[Space, Json, Receiver]:
        space, event = self._found(event_id, account)
        return space, event, self._receiver(endpoint)

    def deliver(
        self,
        event_ids: list[str] | None = None,
        *,
        endpoint: str | None = None,
        times: int = 1,
        parallel: bool = False,
        account: str | None = None,
    ) -> list[Sent]:
        """Deliver now, in this order: these events, or all that wait; ``times`` each; one by one or all at once.

        Works while held, and for events delivered before (a resend). Each event goes to every endpoint that
        subscribed to it, or to ``endpoint`` alone, subscribed or not. No faults are drawn.
        """
        return self._wait(self._deliver(event_ids, endpoint, times, parallel, account))

    async def deliver_async(
        self,
        event_ids: list[str] | None = None,
        *,
        endpoint: str | None = None,
        times: int = 1,
        parallel: bool = False,
        account: str | None = None,
    ) -> list[Sent]:
        """:meth:`deliver`, for a caller in an event loop."""
        return await self._wait_async(self._deliver(event_ids, endpoint, times, parallel, account))

    async def _deliver(
        self,
        event_ids: list[str] | None,
        endpoint: str | None,
        times: int,
        parallel: bool,
        account: str | None,
    ) -> list[Sent]:
        targets = self._targets(event_ids, endpoint, account)
        return await self.courier.deliver(targets, times=times, is_parallel=parallel)

    def drain(self, timeout_seconds: float = 30.0) -> None:
        """Wait until every queued delivery was tried; only later retries may be left."""
        self._wait(self.courier.drain(timeout_seconds))

    async def drain_async(self, timeout_seconds: float = 30.0) -> None:
        """:meth:`drain`, for a caller in an event loop."""
        await self._wait_async(self.courier.drain(timeout_seconds))

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        if self.loop is None:
            work.close()
            message = "the twin is not running: use stripe_twin.running()"
            raise RuntimeError(message)
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_SECONDS_MAX)

    async def _wait_async(self, work: Coroutine[Any, Any, Result]) -> Result:
        if self.loop is None:
            work.close()
            message = "the twin is not running: use stripe_twin.running()"
            raise RuntimeError(message)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    # Living

    async def live(self) -> None:
        """Deliver and keep house until cancelled; runs in the server's loop."""
        self.loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.courier.run())
            group.create_task(self._keep_house())

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            with self.world.lock:
                buyer.tick(self.world)
            self.save()

    def save(self) -> None:
        """Write the state, when there is a path for it and something changed."""
        with self.world.lock:
            if self._state_path is None or not self.world.is_changed:
                return
            state = {
                "spaces": self.world.store.dump(),
                "queue": self.courier.dump(),
                "clock": {
                    "offset_seconds": self.world.clock.offset_seconds,
                    "frozen_at": self.world.clock.frozen_at,
                },
            }
            self.world.is_changed = False
            write_state(self._state_path, state)

    def _load(self, state: Json) -> None:
        self.world.store.load(state["spaces"])
        self.courier.load(state["queue"])
        self.world.clock.offset_seconds = state["clock"]["offset_seconds"]
        self.world.clock.frozen_at = state["clock"]["frozen_at"]
