"""``heller sample traffic``: customers of applications that run already."""

import asyncio
import contextlib
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from heller.cli.living.balances import wrong_ones
from heller.cli.living.ways import FacadeWay, ensure_price, stripe_settings
from heller.database import Database, connect
from heller.errors import MigrationError
from heller.migration.handover.facade import Credits
from heller.stripe import StripeApi
from legacy_sample.traffic import LIMITS, AppWay, Record, Traffic, Way, customers_of

POOL_MAX = 4


async def visit(
    legacy_url: str,
    application_url: str,
    stripe_api: str,
    database: str | None,
    *,
    customers: int,
    rate: float,
    seconds: float,
    seed: int,
    path: Path,
) -> tuple[Record, int, list[str]]:
    """Act for so long, or until SIGTERM; what was acknowledged, how many took part, and whose balance does not agree with it.

    Raises:
        MigrationError: no user of the legacy database has credits to spend.
    """
    async with AsyncExitStack() as stack:
        app = AppWay(
            await stack.enter_async_context(httpx.AsyncClient(base_url=application_url, limits=LIMITS))
        )
        ways: list[Way] = [app]
        if database is not None:
            pool = await Database.open(database, pool_max=POOL_MAX)
            stack.push_async_callback(pool.close)
            await ensure_price(pool)
            api = StripeApi(stripe_settings(stripe_api, "whsec_of_another_process"))
            stack.push_async_callback(api.close)
            credits = await stack.enter_async_context(
                Credits.connect(database, legacy_url, pool_max=POOL_MAX)
            )
            ways.append(FacadeWay(credits, pool, api, app))
        chosen = await customers_of(legacy_url, count=customers, seed=seed)
        if not chosen:
            raise MigrationError(
                "Nobody in the legacy database has credits to spend.", hint="Build a larger sample."
            )
        record, stop = Record(path), asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        traffic = Traffic(chosen, ways, stripe_url=stripe_api, record=record, rate=rate, seed=seed)
        acting = asyncio.create_task(traffic.run(stop))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(acting), seconds)
        stop.set()
        await acting
        # connected only now: one that waited through all of it would not have outlived a restart of PostgreSQL
        legacy = await stack.enter_async_context(await connect(legacy_url))
        ours = None if database is None else await stack.enter_async_context(await connect(database))
        return record, len(chosen), await wrong_ones(record, chosen, legacy, ours)
