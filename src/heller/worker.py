"""``heller worker``: what has to happen without anybody calling. Any number of copies may run.

Nothing here is needed for a balance to be right: the verbs do what is due by themselves, and Stripe's payments
converge from any side. The worker makes it happen soon.
"""

import asyncio
import os
from dataclasses import dataclass

import psycopg
import structlog

from heller.database import Database, call
from heller.errors import HellerError
from heller.stripe import inbox
from heller.stripe.api import opened
from heller.stripe.settings import load

SWEEP_SECONDS = 5.0
PAGES_MAX = 100_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Done:
    """What one round did: pages of accounts with something due, and payments converged."""

    pages: int
    payments: int


async def once(url: str) -> Done:
    """One round of everything, then return.

    Raises:
        SettingsError: Stripe is set up, but wrongly.
        DatabaseUnavailable: nothing answers at ``url``.
    """
    database = await Database.open(url)
    try:
        pages = await sweep(database)
        payments = 0
        if _has_stripe():
            async with opened(load()) as api:
                while drained := await inbox.drain(database, api):
                    payments += drained
        return Done(pages, payments)
    finally:
        await database.close()


async def run(url: str, *, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set; what is being worked on then is finished first. Raises as ``once`` does."""
    database = await Database.open(url)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_sweeping(database, stop))
            if _has_stripe():
                tasks.create_task(_draining(database, url, stop))
            log.info("worker started", stripe=_has_stripe())
    finally:
        await database.close()


async def sweep(database: Database) -> int:
    """Expire and let arrive what is due in all accounts; the number of pages that had something."""
    after = ""
    for page in range(PAGES_MAX):
        async with database.connection() as connection:
            last = await call(connection, "run_due", after=after)
        if last is None:
            return page
        after = last
    return PAGES_MAX


def _has_stripe() -> bool:
    return "STRIPE_SECRET_KEY" in os.environ


async def _sweeping(database: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await sweep(database)
        except (HellerError, psycopg.Error) as error:  # the next round tries again
            log.warning("what is due could not be done", error=str(error))
        try:
            await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)
        except TimeoutError:
            continue


async def _draining(database: Database, url: str, stop: asyncio.Event) -> None:
    async with opened(load()) as api:
        await inbox.run(database, api, url, stop=stop)
