"""``heller worker``: what has to happen without anybody calling. Any number of copies may run.

Nothing here is needed for a balance to be right: the verbs do what is due by themselves, and Stripe's payments
converge from any side. The worker makes it happen soon. Of many workers one does each job, under a lease: when it is
killed, another takes the job over as soon as the lease ends.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog

from heller import Heller, pooler, traces
from heller.database import Database, call
from heller.errors import HellerError
from heller.migration.handover import fence
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.outbox import drain
from heller.migration.handover.purchases import deliver, set_aside
from heller.migration.handover.runs import open_sides
from heller.rollout.alerts import Alerts
from heller.rollout.controller import tick
from heller.stripe import inbox, rounds
from heller.stripe.api import StripeApi, opened
from heller.stripe.settings import load
from heller.worker_health import serving

SWEEP_SECONDS = 5.0
ALERT_SECONDS = 10.0
EVENT_SECONDS = 1.0
ANCHOR_SECONDS = 600.0
ANCHOR_EVERY = timedelta(days=1)
ROLLOUT_SECONDS = 10.0
INVARIANT_SECONDS = 60.0
FORGET_SECONDS = 3600.0
OBSERVATIONS_KEPT = timedelta(days=90)
LEASE_SECONDS = 120.0
LONG_LEASE_SECONDS = 900.0
ROLLOUT_LEASE_SECONDS = (
    30.0  # a killed worker must not hold up a rollback; ``tick`` has a lock of its own, gone with its session
)
EARLY = 0.9  # of a period: the workers' clocks do not tick together
PAGES_MAX = 100_000
EVENT_ROUNDS_MAX = 1_000
BREACHES_TOLD_MAX = 10

FAILED = "failed: "

Told = Callable[[str, Any], None]
"""Takes a job's name and what it answered."""

log = structlog.get_logger("heller.worker")


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do every so often. ``lease_seconds``: longer than it can take; None where it has leases of its own."""

    name: str
    every_seconds: float
    do: Callable[[Any], Awaitable[Any]]
    lease_seconds: float | None = LEASE_SECONDS


@dataclass(slots=True)
class Worker:
    """The connections of one process and its jobs. ``api`` and ``legacy_url`` are None where they are not set up."""

    url: str
    database: Database
    heller: Heller
    alerts: Alerts
    api: StripeApi | None
    legacy_url: str | None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = field(default_factory=inbox.worker_name)

    @property
    def jobs(self) -> list[Job]:
        """What this process has to do."""
        jobs = [
            Job("due", SWEEP_SECONDS, self.sweep),  # two at once do no harm, none for long would
            Job("alerts", ALERT_SECONDS, self.tell),
            Job("events out", EVENT_SECONDS, self.deliver, None),
            Job("anchor", ANCHOR_SECONDS, self.anchor, LONG_LEASE_SECONDS),
            Job("forget", FORGET_SECONDS, self.forget),
        ]
        if self.api is not None:
            jobs.append(Job("stripe", rounds.LOOK_SECONDS, self.stripe_rounds, None))
        if self.legacy_url is not None:
            jobs.append(Job("rollout", ROLLOUT_SECONDS, self.rollout, ROLLOUT_LEASE_SECONDS))
            jobs.append(Job("invariants", INVARIANT_SECONDS, self.invariants, LONG_LEASE_SECONDS))
        return jobs

    async def sweep(self, _previous: Any) -> int:
        """Expire and let arrive what is due in all accounts; the number of pages that had something."""
        after = ""
        for page in range(PAGES_MAX):
            last = await self._call("run_due", after=after)
            if last is None:
                return page
            after = last
        return PAGES_MAX

    async def tell(self, _previous: Any) -> int:
        """Say which accounts fell below their threshold."""
        fired = await self.heller.fire_alerts()
        for alert in fired:
            log.warning("an account is low", account=alert.account, threshold=alert.threshold)
            await self.say(
                f"heller: {alert.account} is low",
                f"Account {alert.account} has {alert.available} {alert.unit} available, below {alert.threshold}.",
            )
        return len(fired)

    async def deliver(self, _previous: Any) -> int:
        """Send the events that wait for the customer's own endpoints; told to stop, the rest waits."""
        for sent in range(EVENT_ROUNDS_MAX):
            if self.stop.is_set() or await self.heller.deliver_once() is None:
                return sent
        return EVENT_ROUNDS_MAX

    async def anchor(self, _previous: Any) -> str | None:
        """Once a day, write down the heads of all chains; the instant of the newest anchor."""
        newest = await self.heller.anchors(limit=1)
        taken_at = newest[0].taken_at if newest else None
        if taken_at is None or taken_at < datetime.now(UTC) - ANCHOR_EVERY:
            taken = await self.heller.take_anchor()
            return None if taken is None else taken.at
        return newest[0].at

    async def forget(self, _previous: Any) -> int:
        """Delete what the guardrails have long judged; how many outcomes."""
        forgotten = 0
        for _page in range(PAGES_MAX):
            gone = await self._call("forget_observations", before=datetime.now(UTC) - OBSERVATIONS_KEPT)
            if not gone:
                break
            forgotten += int(gone)
        return forgotten

    async def stripe_rounds(self, _previous: Any) -> list[str]:
        """Reconcile, top up, release what is overdue, each in its turn; what was done."""
        return [] if self.api is None else await rounds.once(self.database, self.api)

    async def drain(self) -> int:
        """Converge the payments of the events that wait in the inbox."""
        return (
            0 if self.api is None else await inbox.drain(self.database, self.api, on_lost_events=self._lost)
        )

    async def rollout(self, _previous: Any) -> dict[str, Any]:
        """Credit what the fence captured, set aside what legacy sells; then judge the rollout, act on it, move homes towards its stage."""
        if self.legacy_url is None:
            return {}
        async with open_sides(self.legacy_url, self.url, needs_fence=False) as sides:
            is_fenced = await fence.is_installed(sides.legacy.connection)
            drained = await drain(sides) if is_fenced else {}
            theirs = await set_aside(sides) if is_fenced else 0
            delivered = await deliver(sides) if is_fenced else 0
            done = await tick(sides, alerts=self.alerts)
        if done.alerted:
            await self._call(
                "record_evidence",
                kind="alert",
                ok=True,
                detail={"title": f"rollout {done.state}"},
                actor=self.name,
            )
        return {
            "state": done.state,
            "percent": done.percent,
            "moves": done.moves.as_json(),
            "outbox": drained,
            "set_aside": theirs,
            "delivered": delivered,
        }

    async def invariants(self, previous: Any) -> dict[str, Any]:
        """Check I1 to I6, whether a rollout runs or not; a new breach is told once."""
        if self.legacy_url is None:
            return {}
        async with open_sides(self.legacy_url, self.url, needs_fence=False) as sides:
            if not await fence.is_installed(sides.legacy.connection):
                return {"ok": True, "fence": False}
            found = await check_invariants(sides)
        broken = [f"{breach.invariant} {breach.account}" for breach in found.breaches]
        if set(broken) - set((previous or {}).get("breaches", ())):
            log.error("an invariant is broken", breaches=broken[:BREACHES_TOLD_MAX])
            told = "\n".join(
                f"{b.invariant} {b.account}: {b.sentence}" for b in found.breaches[:BREACHES_TOLD_MAX]
            )
            await self.say(f"heller: {len(broken)} broken invariants", told)
        return {"ok": found.ok, "users": found.users, "homes": found.at_home, "breaches": broken}

    async def say(self, title: str, body: str) -> bool:
        """Send an alert, and write down whether it was taken."""
        is_sent = await self.alerts.send(title, body)
        if self.alerts.urls:
            await self._call(
                "record_evidence", kind="alert", ok=is_sent, detail={"title": title}, actor=self.name
            )
        return is_sent

    async def listen(self) -> None:
        """Drain the inbox as events arrive."""
        if self.api is not None:
            await inbox.run(self.database, self.api, self.url, stop=self.stop, on_lost_events=self._lost)

    async def attempt(self, job: Job, *, is_due: bool = False) -> Any:
        """Do a job if it is due and nobody else does it; what it answered, or "failed: ..."; None when it was not ours."""
        try:
            if job.lease_seconds is None:
                with traces.span(f"job {job.name}", worker=self.name):
                    return await job.do(None)
            taken = await self._call(
                "take_job",
                job=job.name,
                worker=self.name,
                every_seconds=0.0 if is_due else job.every_seconds * EARLY,
                lease_seconds=job.lease_seconds,
            )
            return None if taken is None else await self._do(job, (taken["previous"] or {}).get("value"))
        except (HellerError, psycopg.Error, OSError) as error:  # it comes again in its turn
            said = str(error).partition("\nLINE ")[0]  # PostgreSQL would show its statement too
            log.warning("a job failed", job=job.name, error=said)
            return f"{FAILED}{said}"
        except Exception as error:  # a defect of one job must not end the others, least of all the inbox
            log.exception("a job met a defect", job=job.name)
            return f"{FAILED}{type(error).__name__}: {error}"

    async def _do(self, job: Job, previous: Any) -> Any:
        try:
            with traces.span(f"job {job.name}", worker=self.name):
                answer = await job.do(previous)
        except BaseException as error:
            with contextlib.suppress(HellerError, psycopg.Error):  # the lease's end does the same
                await self._call(
                    "finish_job", job=job.name, worker=self.name, error=str(error) or type(error).__name__
                )
            raise
        await self._call("finish_job", job=job.name, worker=self.name, answer={"value": answer})
        return answer

    async def _call(self, function: str, /, **arguments: Any) -> Any:
        async with self.database.connection() as connection:
            return await call(connection, function, **arguments)

    async def _lost(self) -> None:
        if self.api is not None:
            await rounds.lost_events(self.database, self.api)


@asynccontextmanager
async def opened_worker(url: str) -> AsyncIterator[Worker]:
    """A worker on its own connections.

    Raises:
        SettingsError: Stripe (STRIPE_SECRET_KEY) or alerts (HELLER_ALERT_URLS) are set up, but wrongly; or a rollout
            (LEGACY_DATABASE_URL) behind a pooler in transaction mode, where it cannot hold its lock.
        DatabaseUnavailable: nothing answers at ``url``.
    """
    alerts = Alerts.of(os.environ.get("HELLER_ALERT_URLS"))
    legacy_url = os.environ.get("LEGACY_DATABASE_URL")
    async with contextlib.AsyncExitStack() as stack:
        database = await Database.open(url)
        stack.push_async_callback(database.close)
        if legacy_url is not None:
            async with database.connection() as connection:
                await pooler.require_session(connection, url, what="A rollout (LEGACY_DATABASE_URL)")
        api = (
            await stack.enter_async_context(opened(load(webhooks=False)))
            if "STRIPE_SECRET_KEY" in os.environ
            else None
        )
        heller = await stack.enter_async_context(Heller.connect(url, pool_max=2))
        yield Worker(url, database, heller, alerts, api, legacy_url)


async def once(url: str) -> dict[str, Any]:
    """One round of everything; what each job answered, or the error that it met. Raises as ``opened_worker``."""
    with traces.tracing("heller-worker"):
        return await _once(url)


async def _once(url: str) -> dict[str, Any]:
    async with opened_worker(url) as worker:
        done = {job.name: await worker.attempt(job, is_due=True) for job in worker.jobs}
        if worker.api is not None:
            done["inbox"] = await worker.drain()
        return done


async def run(
    url: str, *, stop: asyncio.Event, health_port: int | None = None, told: Told | None = None
) -> None:
    """Work until ``stop`` is set; what is under way then is finished first. Raises as ``opened_worker``.

    ``health_port``: serve /health, /ready and /metrics there. ``told`` is called with each job that was done.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(traces.tracing("heller-worker"))
        worker = await stack.enter_async_context(opened_worker(url))
        worker.stop = stop
        wakes = await pooler.notifications_arrive(url)
        if not wakes:
            log.warning(
                "notifications do not arrive, so events are looked for every second",
                why="PgBouncer in transaction mode, or a proxy: give the worker a direct URL to be woken",
            )
        if health_port is not None:
            periods = {job.name: job.every_seconds for job in worker.jobs if job.lease_seconds is not None}
            await stack.enter_async_context(
                serving(worker.database, health_port, periods=periods, wakes=wakes)
            )
        async with asyncio.TaskGroup() as tasks:
            for job in worker.jobs:
                tasks.create_task(_repeat(worker, job, told))
            tasks.create_task(worker.listen())
            log.info("worker started", worker=worker.name, jobs=[job.name for job in worker.jobs])
        log.info("worker ended", worker=worker.name)


async def _repeat(worker: Worker, job: Job, told: Told | None) -> None:
    while not worker.stop.is_set():
        answer = await worker.attempt(job)
        if told is not None and answer is not None:
            told(job.name, answer)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(worker.stop.wait(), job.every_seconds)
