"""What has to be done every so often, by whichever worker is there first: reconcile, top-ups, the overdue."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import stripe
import structlog

from heller.database import Database, call
from heller.errors import HellerError
from heller.stripe.api import StripeApi
from heller.stripe.reconcile import HOURLY, NIGHTLY, missed_events, reconcile
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


async def once(database: Database, api: StripeApi, *, rules: TopUpRules | None = None) -> list[str]:
    """Do what is due now; the names of the jobs done. A job in trouble is logged and comes again in its turn."""
    jobs: list[tuple[str, float, Callable[[], Awaitable[Any]]]] = [
        ("top_up", TOP_UP_SECONDS, lambda: run_rules(database, api, rules or StoredRules(database))),
        ("overdue", OVERDUE_SECONDS, lambda: release_overdue(database, api)),
        ("events", EVENTS_SECONDS, lambda: missed_events(database, api)),
        ("sweep", SWEEP_SECONDS, lambda: reconcile(database, api, since=datetime.now(UTC) - HOURLY)),
        (
            "night",
            NIGHT_SECONDS,
            lambda: reconcile(database, api, since=datetime.now(UTC) - NIGHTLY, balance=True),
        ),
    ]
    done: list[str] = []
    for name, every_seconds, job in jobs:
        try:
            async with database.connection() as connection:
                is_mine = await call(connection, "stripe_take_turn", name=name, every_seconds=every_seconds)
            if is_mine:
                await job()
                done.append(name)
        except (stripe.StripeError, HellerError, psycopg.Error) as error:
            log.warning("a periodic job failed", job=name, error=str(error))
    return done


async def lost_events(database: Database, api: StripeApi) -> None:
    """Stripe said that it could not make some events: look at the objects now. For ``drain``'s ``on_lost_events``."""
    await reconcile(database, api, since=datetime.now(UTC) - HOURLY)
