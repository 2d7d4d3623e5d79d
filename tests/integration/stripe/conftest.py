"""A shop that sells credits: heller's database, the Stripe twin, the receiving end and the worker, in one test."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import stripe_twin
from heller.database import Database, call
from heller.stripe import checkout, inbox, ingest
from heller.stripe.api import API_VERSION, StripeApi
from heller.stripe.catalogue import add_price
from heller.stripe.converge import Converged, converge
from heller.stripe.reconcile import Reconciled, reconcile
from heller.stripe.settings import StripeSettings

FAKES = Path(__file__).parents[2] / "fakes"
BACK_TO = "http://127.0.0.1:1/back"
WEBHOOK = "http://127.0.0.1:1/webhooks/stripe"


@dataclass
class Shop:
    """What a test needs to sell, pay, deliver and look."""

    url: str
    database: Database
    api: StripeApi
    twin: stripe_twin.Twin
    receiver: ingest.Ingest
    settings: StripeSettings
    endpoint: str
    results: list[ingest.IngestResult] = field(default_factory=list)

    async def open(self, account: str = "ann", **more: Any) -> str:
        async with self.database.connection() as connection:
            await call(connection, "open_account", account_id=account, user_id=account, **more)
        return account

    async def buy(
        self, account: str = "ann", price: str = "pack-100", quantity: int = 1, **more: Any
    ) -> checkout.Order:
        items = more.pop("items", [checkout.Item(price, quantity)])
        return await checkout.buy(
            self.database, self.api, account, items, success_url=BACK_TO, cancel_url=BACK_TO, **more
        )

    async def paid(self, account: str = "ann", outcome: Any = "card", **more: Any) -> str:
        """Buy and pay, no event delivered yet; the payment intent."""
        order = await self.buy(account, **more)
        session = self.twin.pay(order.checkout_session or "", outcome)
        return str(session["payment_intent"])

    async def settled(self, account: str = "ann", **more: Any) -> str:
        """Buy, pay, deliver, work; the payment intent."""
        intent = await self.paid(account, **more)
        await self.deliver()
        await self.work()
        return intent

    def ids(self, event_type: str | None = None, about: str | None = None) -> list[str]:
        return [event["id"] for event in self.twin.events(event_type, about=about)]

    async def post(self, event_id: str, **more: Any) -> ingest.IngestResult:
        """Deliver one event to the receiving end, as the wire would."""
        delivery = self.twin.delivery(event_id, self.endpoint, **more)
        result = await self.receiver.ingest(
            delivery.body, {name.lower(): value for name, value in delivery.headers.items()}
        )
        self.results.append(result)
        return result

    async def deliver(self, *types: str) -> list[ingest.IngestResult]:
        """Deliver what waits (of these types), in order, and forget it."""
        waiting = dict.fromkeys(self.twin.pending())
        wanted = [e for e in waiting if not types or e in {i for t in types for i in self.ids(t)}]
        self.twin.forget_pending(wanted)
        return [await self.post(event_id) for event_id in wanted]

    async def post_raw(self, body: bytes, header: str | None = None) -> ingest.IngestResult:
        """Any bytes, signed with the endpoint's secret unless a header is given."""
        if header is None:
            header = self.twin.sign(body, self.settings.webhook_secrets[0])
        return await self.receiver.ingest(body, {"stripe-signature": header} if header else {})

    async def work(self, *, rounds: int = 20, **options: Any) -> int:
        """Drain until nothing is due."""
        done = 0
        for _ in range(rounds):
            count = await inbox.drain(self.database, self.api, **options)
            if count == 0:
                return done
            done += count
        return done

    async def converge(self, key: str, **more: Any) -> Converged:
        return await converge(self.database, self.api, key, **more)

    async def reconcile(self, **more: Any) -> Reconciled:
        return await reconcile(
            self.database,
            self.api,
            since=datetime.now(UTC) - timedelta(days=3),
            grace=timedelta(seconds=-60),
            **more,
        )

    async def balance(self, account: str = "ann") -> int:
        async with self.database.connection() as connection:
            return int((await call(connection, "balance", account_id=account))["posted"])

    async def rows(self, query: str, *values: Any) -> list[Any]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()  # type: ignore[arg-type]

    async def kinds(self, account: str = "ann") -> list[tuple[str, int]]:
        found = await self.rows(
            "select kind, delta from heller.transactions where account_id = %s order by seq", account
        )
        return [(row[0], row[1]) for row in found]

    async def statuses(self) -> dict[str, int]:
        return dict(await self.rows("select status, count(*)::int from heller.inbox group by 1"))

    async def parked(self) -> list[str]:
        return [
            r[0]
            for r in await self.rows(
                "select reason from heller.inbox where status = 'parked' order by inbox_id"
            )
        ]

    async def payment(self, key: str) -> dict[str, Any]:
        return dict((await self.rows("select heller.stripe_payment(%s)", key))[0][0])

    async def drift(self) -> list[Any]:
        return await self.rows("select * from heller._stripe_drifted()")

    def with_settings(self, **changes: Any) -> "Shop":
        """The same shop under other policies."""
        settings = replace(self.settings, **changes)
        self.api.settings = settings
        self.settings = settings
        self.receiver._settings = settings
        return self

    def event(self, **changes: Any) -> bytes:
        """A well-formed event about nothing we sold."""
        body = {
            "id": f"evt_{time.time_ns()}",
            "object": "event",
            "type": "payment_intent.succeeded",
            "livemode": False,
            "created": int(time.time()),
            "api_version": API_VERSION,
            "data": {"object": {"id": "pi_none", "object": "payment_intent"}},
        }
        return json.dumps({k: v for k, v in (body | changes).items() if v is not None}).encode()


@pytest.fixture
def twin() -> Iterator[stripe_twin.Twin]:
    with stripe_twin.running() as running:
        running.hold()
        yield running


@pytest.fixture
async def shop(heller_database: str, twin: stripe_twin.Twin) -> AsyncIterator[Shop]:
    endpoint = twin.add_endpoint(WEBHOOK, api_version=API_VERSION)
    settings = StripeSettings(
        secret_key="sk_test_twin",  # noqa: S106 - the twin takes any
        webhook_secrets=(endpoint["secret"],),
        mode="test",
        api_base=twin.url,
        requests_per_second=1000,
    )
    database = await Database.open(heller_database, pool_max=12)
    api = StripeApi(settings, timeout_seconds=5)
    async with ingest.opened(heller_database, settings) as receiver:
        made = Shop(heller_database, database, api, twin, receiver, settings, endpoint["id"])
        await made.open()
        await add_price(
            database,
            "pack-100",
            product="Credits",
            pack="100 credits",
            credits=100,
            currency="eur",
            amount=1000,
        )
        yield made
        await api.close()
        await database.close()


@pytest.fixture
def sql(heller_database: str) -> Iterator[psycopg.Connection]:
    """A connection of the test's own, to hold locks or to alter SQL with."""
    with psycopg.connect(heller_database, autocommit=True) as connection:
        yield connection


class Processes:
    """Web and worker processes of one test; all are gone at its end."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.alive: list[asyncio.subprocess.Process] = []

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "STRIPE_MODE": "test",
            "STRIPE_SECRET_KEY": self.shop.settings.secret_key,
            "STRIPE_WEBHOOK_SECRETS": ",".join(self.shop.settings.webhook_secrets),
            "STRIPE_API_BASE": self.shop.twin.url,
            "STRIPE_REQUESTS_PER_SECOND": "1000",
        }

    async def _start(self, script: str, *arguments: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(FAKES / script),
            self.shop.url,
            *arguments,
            env=self.environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        self.alive.append(process)
        return process

    async def worker(self, *, lease_seconds: float = 1.0, hang: str = "no") -> asyncio.subprocess.Process:
        return await self._start("stripe_worker.py", str(lease_seconds), hang)

    async def web(self, port: int, *, hang: str = "no") -> asyncio.subprocess.Process:
        process = await self._start("stripe_web.py", str(port), hang)
        for _ in range(1000):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return process
        pytest.fail("the web process did not start")

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """kill -9."""
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]
        self.alive.remove(process)


@pytest.fixture
def web_port() -> int:
    """A free one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def processes(shop: Shop) -> AsyncIterator[Processes]:
    started = Processes(shop)
    yield started
    for process in list(started.alive):
        await started.kill(process)
