"""Everything that has to run for two living systems: Stripe's stand-in, both applications, heller's worker, customers."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from heller.cli.living import legacy
from heller.cli.living.twin import Twin, twin_process
from heller.cli.living.ways import ensure_price, stripe_settings
from heller.database import Database
from heller.errors import MigrationError
from heller.migration.handover import fence
from heller.migration.handover.runs import Sides, open_sides
from heller.rollout.observing import ObservingMiddleware, Operation
from heller.stripe import API_VERSION, StripeApi, WebhookApp, inbox, ingest
from heller.stripe.events import REQUIRED_TYPES
from legacy_sample.app.webhooks import BACK, PAID
from legacy_sample.traffic import Customer, customers_of

POOL_MAX = 4
SECONDS_MAX = 600
LEGACY_EVENTS = (*PAID, *BACK)


class _Server(uvicorn.Server):
    """One that leaves Ctrl-C to the command it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


@dataclass(frozen=True, slots=True)
class Scene:
    """What runs: both databases with the fence between them, and the process of the customers."""

    sides: Sides
    fence: fence.FenceStatus
    customers: asyncio.subprocess.Process

    async def gone(self) -> dict[str, Any]:
        """The customers leave; what they were told and whose balance does not agree with it.

        Raises:
            MigrationError: their process failed.
        """
        if self.customers.returncode is None:
            self.customers.terminate()
        told, trouble = await self.customers.communicate()
        try:
            result: dict[str, Any] = json.loads(told)
        except ValueError as error:
            raise MigrationError(
                "The customers' process failed.", hint=trouble.decode(errors="replace")[-2_000:]
            ) from error
        return result


@asynccontextmanager
async def scene(
    legacy_url: str, heller_url: str, folder: Path, *, customers: int, rate: float, seed: int
) -> AsyncIterator[Scene]:
    """Start all of it, with a fence around the legacy users; it stops when the block ends."""
    async with AsyncExitStack() as stack:
        twin = await stack.enter_async_context(twin_process())
        await stack.enter_async_context(_heller_side(twin, heller_url))
        port = legacy.free_port()
        secret = await twin.add_endpoint(f"http://{legacy.LOOPBACK}:{port}/webhooks/stripe", LEGACY_EVENTS)
        base = await stack.enter_async_context(
            legacy.process(
                legacy_url, port=port, webhook_secret=secret, stripe_api=twin.url, database=heller_url,
                log=folder / "legacy-application.log",
            )
        )  # fmt: skip
        sides = await stack.enter_async_context(open_sides(legacy_url, heller_url, needs_fence=False))
        # before the first customer: without a fence what was copied could be spent in both systems
        built = await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout)
        await _remember_customers(twin, sides, await customers_of(legacy_url, count=customers, seed=seed))
        command = [
            sys.executable, "-m", "heller.cli.main", "sample", "traffic", "--app", base, "--customers", str(customers),
            "--rate", str(rate), "--seed", str(seed), "--seconds", str(SECONDS_MAX), "--record", str(folder / "traffic.jsonl"), "--json",
        ]  # fmt: skip
        visitors = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"LEGACY_DATABASE_URL": legacy_url, "DATABASE_URL": heller_url, "STRIPE_API_BASE": twin.url},
        )  # fmt: skip
        try:
            yield Scene(sides, built, visitors)
        finally:
            if visitors.returncode is None:
                visitors.kill()
            await visitors.communicate()


async def _remember_customers(twin: Twin, sides: Sides, customers: Sequence[Customer]) -> None:
    """Stripe knows the customers that were migrated."""
    query = "select name from heller.identities where kind = 'stripe_customer' and user_id = any(%s)"
    users = [customer.user for customer in customers]
    rows = await (await sides.ours.connection.execute(query, [users])).fetchall()
    await twin.remember_customers(row[0] for row in rows)


@asynccontextmanager
async def _heller_side(twin: Twin, url: str) -> AsyncIterator[None]:
    """Heller's webhook endpoint, and the worker that answers its inbox."""
    port = legacy.free_port()
    hook = f"http://{legacy.LOOPBACK}:{port}/webhooks/stripe"
    settings = stripe_settings(
        twin.url, await twin.add_endpoint(hook, sorted(REQUIRED_TYPES), api_version=API_VERSION)
    )
    api, stop, database = StripeApi(settings), asyncio.Event(), await Database.open(url, pool_max=POOL_MAX)
    await ensure_price(database)
    async with ingest.opened(url, settings) as receiver:
        watched = ObservingMiddleware(
            WebhookApp(receiver), database=database, arm="heller", operation_of=lambda _: Operation("webhook")
        )
        server = _Server(
            uvicorn.Config(
                watched, host=legacy.LOOPBACK, port=port, log_level="critical", lifespan="off", ws="none"
            )
        )
        working = asyncio.create_task(inbox.run(database, api, url, stop=stop))
        serving = asyncio.create_task(server.serve())
        try:
            yield
        finally:
            server.should_exit = True
            stop.set()
            await asyncio.gather(serving, working, return_exceptions=True)
            await api.close()
            await database.close()
