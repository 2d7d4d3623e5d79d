"""What has to be done every so often, by whichever worker is there first: reconcile, top-ups, the overdue."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import stripe
import structlog

from heller.database import Database
from heller.errors import HellerError
from heller.stripe.api import StripeApi
from heller.stripe.inbox import worker_name
from heller.stripe.reconcile import HOURLY, NIGHTLY, Reconciled, missed_events, reconcile
from heller.stripe.said import said
from heller.stripe.top_up import StoredRules, TopUpRules, release_overdue, run_rules

LOOK_SECONDS = 5.0
EVENTS_SECONDS = 600.0
SWEEP_SECONDS = 3_600.0
NIGHT_SECONDS = 24 * 3_600.0
OVERDUE_SECONDS = 60.0
TOP_UP_SECONDS = 15.0

log = structlog.get_logger("heller.stripe")


async def keep(
    database: Database, api: StripeApi, *, stop: asyncio.Event, rules: TopUpRules | None = None
) -> None:
    """Do each job in its turn until ``stop`` is set; of many workers one does it. ``rules``: the stored ones."""
    while not stop.is_set():
        await once(database, api, rules=rules)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class _Round:
    """A job of its own turn. ``lease_seconds``: longer than it can take; when its worker is killed, another waits so long."""

    name: str
    every_seconds: float
    lease_seconds: float
    do: Callable[[], Awaitable[Any]]


async def once(database: Database, api: StripeApi, *, rules: TopUpRules | None = None) -> list[str]:
    """Do what is due now; the names of the jobs done. A job in trouble is logged and comes again in its turn."""

    async def since(age: timedelta, *, balance: bool = False) -> Reconciled:
        return await reconcile(database, api, since=datetime.now(UTC) - age, balance=balance)

    jobs = [
        _Round(
            "top_up", TOP_UP_SECONDS, 300.0, lambda: run_rules(database, api, rules or StoredRules(database))
        ),
        _Round("overdue", OVERDUE_SECONDS, 300.0, lambda: release_overdue(database, api)),
        _Round("events", EVENTS_SECONDS, 900.0, lambda: missed_events(database, api)),
        _Round("sweep", SWEEP_SECONDS, 3_600.0, lambda: since(HOURLY)),
        _Round("night", NIGHT_SECONDS, 7_200.0, lambda: since(NIGHTLY, balance=True)),
    ]
    done: list[str] = []
    for job in jobs:
        try:
            if await _turn(database, job):
                done.append(job.name)
        except (stripe.StripeError, HellerError, psycopg.Error) as error:
            log.warning("a periodic job failed", job=job.name, error=said(error))
        except Exception:  # a defect of one must not keep the others from their turn
            log.exception("a periodic job met a defect", job=job.name)
    return done


async def _turn(database: Database, job: _Round) -> bool:
    """Do a job under a lease, if it is due and nobody else does it."""
    mine = {"job": f"stripe {job.name}", "worker": worker_name()}
    taken = await database.call(
        "take_job", **mine, every_seconds=job.every_seconds, lease_seconds=job.lease_seconds
    )
    if taken is None:
        return False
    try:
        await job.do()
    except BaseException as error:
        with contextlib.suppress(HellerError, psycopg.Error):  # the lease's end does the same
            await database.call("finish_job", **mine, error=str(error) or type(error).__name__)
        raise
    await database.call("finish_job", **mine)
    return True


async def lost_events(database: Database, api: StripeApi) -> None:
    """Stripe said that it could not make some events: look at the objects now. For ``drain``'s ``on_lost_events``."""
    await reconcile(database, api, since=datetime.now(UTC) - HOURLY)
