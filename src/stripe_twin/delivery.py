"""Signed deliveries of events to endpoints: at least once, in no promised order, again with growing delays.

The courier lives in the server's event loop. It can be held, so that a test decides what arrives when.
"""

import asyncio
import heapq
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

import httpx

from stripe_twin.receivers import Receiver, find_receiver, receivers_of, signature_header
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.versions import REQUEST_IS_AN_OBJECT, age
from stripe_twin.world import PLATFORM, World

MINUTE, HOUR = 60, 3600
# Stripe tries for up to three days, ever more rarely.
RETRY_SECONDS = (5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, *([12 * HOUR] * 4))
ANSWER_SECONDS_MAX = 20.0
DELIVERIES_AT_ONCE_MAX = 16
LOOK_AGAIN_SECONDS = 1.0
DRAIN_LOOK_SECONDS = 0.005
SENT_KEPT_MAX = 100_000
ANSWER_KEPT_CHARACTERS = 500
HTTP_OK, HTTP_REDIRECT = 200, 300


@dataclass(frozen=True, slots=True)
class SignedDelivery:
    """One POST as it goes over the wire; a test can send it itself, altered or not."""

    event_id: str
    endpoint_id: str
    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one attempt: the receiver's status and answer, or the error when there was none."""

    event_id: str
    endpoint_id: str
    attempt: int
    status: int | None
    answer: str
    error: str | None
    at: float

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver took it (2xx)."""
        return self.status is not None and HTTP_OK <= self.status < HTTP_REDIRECT


@dataclass(slots=True)
class Attempt:
    """One delivery that waits for its time."""

    account: str
    livemode: bool
    event_id: str
    endpoint_id: str
    number: int
    due_at: float


def is_thin(event: Json) -> bool:
    """Whether an event is a v2 one."""
    return bool(event["object"] == "v2.core.event")


def render(
    world: World, space: Space, event: Json, receiver: Receiver, *, api_version: str | None = None
) -> bytes:
    """The body for one receiver, in its API version."""
    if is_thin(event):
        thin = {k: v for k, v in event.items() if not k.startswith("_")}
        return json.dumps(thin, indent=2).encode()
    version = api_version or receiver.api_version or world.api_version
    body = {k: v for k, v in event.items() if not k.startswith("_")}
    body["data"] = json.loads(json.dumps(event["data"]))
    if event["api_version"] == world.api_version:
        body["api_version"] = version
    age(space, body["data"]["object"], version)
    if version[:10] < REQUEST_IS_AN_OBJECT:
        body["request"] = (body["request"] or {}).get("id")
    body["pending_webhooks"] = sum(1 for state in event["_deliveries"].values() if state != "delivered")
    if receiver.is_connect and space.account != PLATFORM:
        body["account"] = space.account
    return json.dumps(body, indent=2, ensure_ascii=False).encode()


class Courier:
    """Queues, signs, sends and retries; ``sent`` is the log of all attempts."""

    def __init__(self, world: World, *, retry_scale: float) -> None:
        """Start listening to the world's events; ``retry_scale`` shrinks the delays between attempts."""
        self.world = world
        self.retry_scale = retry_scale
        self.is_held = False
        self.sent: deque[Sent] = deque(maxlen=SENT_KEPT_MAX)
        self._queue: list[tuple[float, int, Attempt]] = []
        self._ordinal = 0
        self._tasks: set[asyncio.Task[Sent]] = set()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(DELIVERIES_AT_ONCE_MAX)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx.AsyncClient | None = None
        world.on_event = self.queue_event
        world.on_direct = self.queue_direct

    # Queueing; called under the world's lock, from any thread.

    def queue_event(self, space: Space, event: Json) -> None:
        """Queue an event for every endpoint that asked for it; makes its thin sister where one is asked for."""
        world = self.world
        if not is_thin(event) and any(
            r.is_thin for r in receivers_of(world, space, f"v1.{event['type']}", thin=True)
        ):
            about = event["data"]["object"]
            thin = world.make_thin(space, f"v1.{event['type']}", about=about, snapshot=event["id"])
            self.queue_event(space, thin)
        for receiver in receivers_of(world, space, event["type"], thin=is_thin(event)):
            if world.dice.falls(world.faults.drop):
                event["_deliveries"][receiver.id] = "dropped"
                continue
            event["_deliveries"][receiver.id] = "pending"
            for _ in range(2 if world.dice.falls(world.faults.duplicate) else 1):
                delay = world.dice.seconds(world.faults.delay_seconds_max)
                self._push(
                    Attempt(
                        space.account, space.livemode, event["id"], receiver.id, 1, world.clock.now() + delay
                    )
                )
        self.poke()

    def queue_direct(self, space: Space, event: Json, endpoint_id: str) -> None:
        """Queue an event for one endpoint, whatever it subscribed to."""
        event["_deliveries"][endpoint_id] = "pending"
        self._push(
            Attempt(space.account, space.livemode, event["id"], endpoint_id, 1, self.world.clock.now())
        )
        self.poke()

    def _push(self, attempt: Attempt) -> None:
        self._ordinal += 1
        heapq.heappush(self._queue, (attempt.due_at, self._ordinal, attempt))

    def poke(self) -> None:
        """Look at the queue now: something was queued, or the clock moved."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def pending(self) -> list[Attempt]:
        """Everything queued, soonest first."""
        return [attempt for _, _, attempt in sorted(self._queue, key=lambda entry: entry[:2])]

    def forget_pending(self, event_ids: set[str] | None = None) -> int:
        """Take deliveries out of the queue for good; says how many."""
        kept = [
            entry for entry in self._queue if event_ids is not None and entry[2].event_id not in event_ids
        ]
        count = len(self._queue) - len(kept)
        heapq.heapify(kept)
        self._queue = kept
        return count

    # Sending; in the server's loop.

    async def run(self) -> None:
        """Deliver what is due, for ever."""
        self._loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(
            timeout=ANSWER_SECONDS_MAX, follow_redirects=False, trust_env=False
        ) as client:
            self._client = client
            while True:
                self._wake.clear()
                for attempt in self._take_due():
                    task = asyncio.create_task(self._attempt(attempt))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                try:
                    await asyncio.wait_for(self._wake.wait(), self._pause_seconds())
                except TimeoutError:
                    continue

    def _take_due(self) -> list[Attempt]:
        with self.world.lock:
            due = []
            now = self.world.clock.now()
            while not self.is_held and self._queue and self._queue[0][0] <= now:
                due.append(heapq.heappop(self._queue)[2])
            return due

    def _pause_seconds(self) -> float:
        with self.world.lock:
            if self.is_held or not self._queue:
                return LOOK_AGAIN_SECONDS
            return min(LOOK_AGAIN_SECONDS, max(0.001, self._queue[0][0] - self.world.clock.now()))

    async def _attempt(self, attempt: Attempt) -> Sent:
        faults, dice = self.world.faults, self.world.dice
        with self.world.lock:
            delivery = self._signed(attempt)
            is_lost, is_forgotten = dice.falls(faults.lose_attempt), dice.falls(faults.lose_answer)
        if delivery is None:
            return self._record(attempt, None, "", "the endpoint or the event is gone")
        async with self._slots:
            if is_lost:
                return self._record(attempt, None, "", "lost on the way (fault)")
            status, answer, error = await self._post(delivery)
        if is_forgotten:
            return self._record(attempt, None, "", f"answer {status} lost on the way (fault)")
        return self._record(attempt, status, answer, error)

    async def _post(self, delivery: SignedDelivery) -> tuple[int | None, str, str | None]:
        if self._client is None:
            return None, "", "the courier is not running"
        try:
            response = await self._client.post(delivery.url, content=delivery.body, headers=delivery.headers)
        except httpx.HTTPError as error:
            return None, "", f"{type(error).__name__}: {error}"
        return response.status_code, response.text[:ANSWER_KEPT_CHARACTERS], None

    def _signed(self, attempt: Attempt) -> SignedDelivery | None:
        world = self.world
        space = world.store.space(attempt.account, attempt.livemode)
        event, receiver = space.find(attempt.event_id), find_receiver(world, attempt.endpoint_id)
        if event is None or receiver is None or not receiver.is_enabled:
            return None
        return self.sign(space, event, receiver)

    def sign(
        self, space: Space, event: Json, receiver: Receiver, *, api_version: str | None = None
    ) -> SignedDelivery:
        """The POST of an event to a receiver, signed now."""
        body = render(self.world, space, event, receiver, api_version=api_version)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature_header(self.world, body, receiver.live_secrets(self.world)),
        }
        return SignedDelivery(event["id"], receiver.id, receiver.url, body, headers)

    def _record(self, attempt: Attempt, status: int | None, answer: str, error: str | None) -> Sent:
        world = self.world
        with world.lock:
            sent = Sent(
                attempt.event_id,
                attempt.endpoint_id,
                attempt.number,
                status,
                answer,
                error,
                world.clock.now(),
            )
            self.sent.append(sent)
            event = world.store.space(attempt.account, attempt.livemode).find(attempt.event_id)
            if event is not None:
                self._note(event, attempt, sent)
            world.is_changed = True
            return sent

    def _note(self, event: Json, attempt: Attempt, sent: Sent) -> None:
        states = event["_deliveries"]
        if sent.is_accepted:
            states[attempt.endpoint_id] = "delivered"
        elif (
            attempt.number <= len(RETRY_SECONDS)
            and find_receiver(self.world, attempt.endpoint_id) is not None
        ):
            delay = RETRY_SECONDS[attempt.number - 1] * self.retry_scale
            attempt.number += 1
            attempt.due_at = self.world.clock.now() + delay
            self._push(attempt)
            if states.get(attempt.endpoint_id) != "delivered":
                states[attempt.endpoint_id] = "pending"
        elif states.get(attempt.endpoint_id) != "delivered":
            states[attempt.endpoint_id] = "failed"

    async def deliver(
        self, targets: list[tuple[Space, Json, Receiver]], *, times: int, is_parallel: bool
    ) -> list[Sent]:
        """Send exactly these, in this order (or all at once), whatever is held; takes them out of the queue."""
        wanted = {(event["id"], receiver.id) for _, event, receiver in targets}
        with self.world.lock:
            self._queue = [e for e in self._queue if (e[2].event_id, e[2].endpoint_id) not in wanted]
            heapq.heapify(self._queue)
        jobs = [
            Attempt(space.account, space.livemode, event["id"], receiver.id, 1, self.world.clock.now())
            for space, event, receiver in targets
            for _ in range(times)
        ]
        if is_parallel:
            return list(await asyncio.gather(*(self._once(job) for job in jobs)))
        return [await self._once(job) for job in jobs]

    async def _once(self, attempt: Attempt) -> Sent:
        with self.world.lock:
            delivery = self._signed(attempt)
        if delivery is None:
            return self._record(
                attempt, None, "", "the endpoint or the event is gone, or the endpoint is disabled"
            )
        status, answer, error = await self._post(delivery)
        return self._record(attempt, status, answer, error)

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until nothing is on its way and only later retries are queued."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_seconds
        while self._is_busy():
            if loop.time() > until:
                message = f"deliveries still under way after {timeout_seconds} s: {self.pending()[:5]}"
                raise TimeoutError(message)
            self._wake.set()
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    def _is_busy(self) -> bool:
        with self.world.lock:
            horizon = self.world.clock.now() + self.world.faults.delay_seconds_max
            waiting = bool(self._queue) and not self.is_held and self._queue[0][0] <= horizon
            return waiting or bool(self._tasks)

    def dump(self) -> list[dict[str, Any]]:
        """The queue as JSON."""
        return [{name: getattr(a, name) for name in Attempt.__slots__} for a in self.pending()]

    def load(self, queue: list[dict[str, Any]]) -> None:
        """Take over a queue that ``dump`` wrote."""
        for values in queue:
            self._push(Attempt(**values))
