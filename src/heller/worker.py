"""``heller worker``: what has to happen without anybody calling. Any number of copies may run.

Nothing here is needed for a balance to be right: the verbs do what is due by themselves, and Stripe's payments
converge from any side. The worker makes it happen soon.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog

from heller import Heller
from heller.database import Database, call
from heller.errors import HellerError
from heller.migration.handover.runs import open_sides
from heller.rollout.alerts import Alerts
from heller.rollout.controller import tick
from heller.stripe import inbox, rounds
from heller.stripe.api import StripeApi, opened
from heller.stripe.settings import load

SWEEP_SECONDS = 5.0
ALERT_SECONDS = 10.0
EVENT_SECONDS = 1.0
ANCHOR_SECONDS = 600.0
ANCHOR_EVERY = timedelta(days=1)
ROLLOUT_SECONDS = 10.0
PAGES_MAX = 100_000
EVENT_ROUNDS_MAX = 1_000

log = structlog.get_logger("heller.worker")


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do every so often."""

    name: str
    every_seconds: float
    do: Callable[[], Awaitable[Any]]


@dataclass(slots=True)
class Worker:
    """The connections of one process and its jobs. ``api`` and ``legacy_url`` are None where they are not set up."""

    url: str
    database: Database
    heller: Heller
    alerts: Alerts
    api: StripeApi | None
    legacy_url: str | None

    @property
    def jobs(self) -> list[Job]:
        """What this process has to do."""
        jobs = [
            Job("due", SWEEP_SECONDS, self.sweep),
            Job("alerts", ALERT_SECONDS, self.tell),
            Job("events out", EVENT_SECONDS, self.deliver),
            Job("anchor", ANCHOR_SECONDS, self.anchor),
        ]
        if self.api is not None:
            jobs.append(Job("stripe", rounds.LOOK_SECONDS, self.stripe_rounds))
        if self.legacy_url is not None:
            jobs.append(Job("rollout", ROLLOUT_SECONDS, self.rollout))
        return jobs

    async def sweep(self) -> int:
        """Expire and let arrive what is due in all accounts; the number of pages that had something."""
        after = ""
        for page in range(PAGES_MAX):
            async with self.database.connection() as connection:
                last = await call(connection, "run_due", after=after)
            if last is None:
                return page
            after = last
        return PAGES_MAX

    async def tell(self) -> int:
        """Say which accounts fell below their threshold."""
        fired = await self.heller.fire_alerts()
        for alert in fired:
            log.warning("an account is low", account=alert.account, threshold=alert.threshold)
            await self.alerts.send(
                f"heller: {alert.account} is low",
                f"Account {alert.account} has {alert.available} {alert.unit} available, below {alert.threshold}.",
            )
        return len(fired)

    async def deliver(self) -> int:
        """Send the events that wait for the customer's own endpoints."""
        for sent in range(EVENT_ROUNDS_MAX):
            if await self.heller.deliver_once() is None:
                return sent
        return EVENT_ROUNDS_MAX

    async def anchor(self) -> None:
        """Once a day, write down the heads of all chains."""
        newest = await self.heller.anchors(limit=1)
        taken_at = newest[0].taken_at if newest else None
        if taken_at is None or taken_at < datetime.now(UTC) - ANCHOR_EVERY:
            await self.heller.take_anchor()

    async def stripe_rounds(self) -> None:
        """Reconcile, top up, release what is overdue, each in its turn."""
        if self.api is not None:
            await rounds.once(self.database, self.api)

    async def drain(self) -> int:
        """Converge the payments of the events that wait in the inbox."""
        return (
            0 if self.api is None else await inbox.drain(self.database, self.api, on_lost_events=self._lost)
        )

    async def rollout(self) -> None:
        """Judge the rollout, act on it, move homes towards its stage."""
        if self.legacy_url is not None:
            async with open_sides(self.legacy_url, self.url, needs_fence=False) as sides:
                await tick(sides, alerts=self.alerts)

    async def listen(self, stop: asyncio.Event) -> None:
        """Drain the inbox as events arrive."""
        if self.api is not None:
            await inbox.run(self.database, self.api, self.url, stop=stop, on_lost_events=self._lost)

    async def _lost(self) -> None:
        if self.api is not None:
            await rounds.lost_events(self.database, self.api)


@asynccontextmanager
async def opened_worker(url: str) -> AsyncIterator[Worker]:
    """A worker on its own connections.

    Raises:
        SettingsError: Stripe (STRIPE_SECRET_KEY) or alerts (HELLER_ALERT_URLS) are set up, but wrongly.
        DatabaseUnavailable: nothing answers at ``url``.
    """
    alerts = Alerts.of(os.environ.get("HELLER_ALERT_URLS"))
    async with contextlib.AsyncExitStack() as stack:
        database = await Database.open(url)
        stack.push_async_callback(database.close)
        api = await stack.enter_async_context(opened(load())) if "STRIPE_SECRET_KEY" in os.environ else None
        heller = await stack.enter_async_context(Heller.connect(url, pool_max=2))
        yield Worker(url, database, heller, alerts, api, os.environ.get("LEGACY_DATABASE_URL"))


async def once(url: str) -> dict[str, Any]:
    """One round of everything; what each job answered, or the error that it met. Raises as ``opened_worker``."""
    async with opened_worker(url) as worker:
        done = {job.name: await _attempt(job) for job in worker.jobs}
        if worker.api is not None:
            done["inbox"] = await worker.drain()
        return done


async def run(url: str, *, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set; what is under way then is finished first. Raises as ``opened_worker``."""
    async with opened_worker(url) as worker, asyncio.TaskGroup() as tasks:
        for job in worker.jobs:
            tasks.create_task(_repeat(job, stop))
        tasks.create_task(worker.listen(stop))
        log.info("worker started", jobs=[job.name for job in worker.jobs])


async def _repeat(job: Job, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await _attempt(job)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), job.every_seconds)


async def _attempt(job: Job) -> Any:
    try:
        return await job.do()
    except (HellerError, psycopg.Error, OSError) as error:  # it comes again in its turn
        log.warning("a job failed", job=job.name, error=str(error))
        return f"failed: {error}"
