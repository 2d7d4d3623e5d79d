"""The demo's purchase: a stand-in of Stripe as a process of its own, a pack bought, everything delivered twice, half refunded."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import uvicorn

from heller import schema
from heller.cli import output
from heller.database import Database, call
from heller.errors import IntegrityError, ProviderError
from heller.stripe import checkout, inbox, ingest
from heller.stripe.api import API_VERSION, Json, StripeApi, opened
from heller.stripe.asgi import WebhookApp
from heller.stripe.catalogue import add_price
from heller.stripe.events import REQUIRED_TYPES
from heller.stripe.settings import StripeSettings

LOOPBACK = "127.0.0.1"
ACCOUNT = "buyer"
CREDITS = 500
CENTS = 2_000
REFUNDED_CENTS = 500
START_SECONDS_MAX = 15.0
SETTLE_SECONDS_MAX = 15.0
SECRETS_UNKNOWN = ("whsec_not_known_yet",)


@dataclass(frozen=True, slots=True)
class Bought:
    """What the demo's purchase came to."""

    payment: str
    after_purchase: int
    after_repeats: int
    after_refund: int
    events: int
    deliveries: int


async def purchase(url: str) -> Bought:
    """Buy a pack through the stand-in on the database at ``url``, repeat every delivery, refund a quarter.

    Raises:
        IntegrityError: a balance is not what it must be.
        ProviderError: the stand-in did not start.
    """
    await schema.apply(url)
    database = await Database.open(url, pool_max=4)
    try:
        async with _twin() as twin:
            settings = StripeSettings(
                secret_key="sk_test_demo",  # noqa: S106  # the stand-in takes any
                webhook_secrets=SECRETS_UNKNOWN,
                mode="test",
                api_base=str(twin.base_url).rstrip("/"),
                requests_per_second=200,
            )
            async with opened(settings) as api:
                return await _purchase(url, database, api, twin)
    finally:
        await database.close()


async def _purchase(url: str, database: Database, api: StripeApi, twin: httpx.AsyncClient) -> Bought:
    async with _receiving(url, api) as place:
        await _call(database, "open_account", account_id=ACCOUNT, user_id=ACCOUNT)
        await add_price(
            database,
            "pack-500",
            product="Credits",
            pack="500 credits",
            credits=CREDITS,
            currency="eur",
            amount=CENTS,
        )
        order = await checkout.buy(
            database,
            api,
            ACCOUNT,
            [checkout.Item("pack-500")],
            success_url=f"{place}/thanks",
            cancel_url=place,
        )
        output.out.print(
            f"order {order.order_id}: {order.credits:,} credits for {order.amount / 100:.2f} EUR"
        )
        session = await _ask(twin, "pay", session_id=order.checkout_session)
        intent = str(session["payment_intent"])
        bought = await _settled(database, api, twin)
        output.out.print(f"paid; the signed events are stored and worked on: balance {bought:,}")
        events = [event["id"] for event in await _ask(twin, "events")]
        await _ask(twin, "deliver", event_ids=events, times=3, parallel=True)
        repeated = await _settled(database, api, twin)
        output.out.print(f"every event delivered three times more, all at once: balance {repeated:,}")
        await _ask(twin, "refund", payment=intent, amount=REFUNDED_CENTS)
        refunded = await _settled(database, api, twin)
        output.out.print(
            f"{REFUNDED_CENTS / 100:.2f} of {CENTS / 100:.2f} EUR refunded: balance {refunded:,}"
        )
        stored, times = await _inbox(database)
    result = Bought(intent, bought, repeated, refunded, stored, times)
    due = CREDITS - CREDITS * REFUNDED_CENTS // CENTS
    if (bought, repeated, refunded) != (CREDITS, CREDITS, due):
        raise IntegrityError(
            f"The demo's purchase does not add up: {result}.", hint="This is a defect: please report it."
        )
    output.out.print(f"{times} deliveries of {stored} events; each credit once.")
    return result


@asynccontextmanager
async def _twin() -> AsyncIterator[httpx.AsyncClient]:
    """The stand-in of Stripe as a process, and a client for its controls."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stripe_twin", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise AssertionError  # it was asked for
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS_MAX)
        if not line:
            raise ProviderError("The stand-in of Stripe did not start.", hint="Try 'python -m stripe_twin'.")
        async with httpx.AsyncClient(base_url=line.decode().strip(), timeout=SETTLE_SECONDS_MAX) as client:
            yield client
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def _receiving(url: str, api: StripeApi) -> AsyncIterator[str]:
    """Our webhook on a port of its own, known to Stripe as an endpoint; yields its address."""
    with socket.create_server((LOOPBACK, 0)) as listener:  # whoever calls from now on waits until we serve
        place = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        params = {
            "url": f"{place}/webhooks/stripe",
            "enabled_events": sorted(REQUIRED_TYPES),
            "api_version": API_VERSION,
        }
        endpoint = await api.create("webhook_endpoints", params, key="demo-endpoint")
        api.settings = replace(api.settings, webhook_secrets=(str(endpoint["secret"]),))
        async with ingest.opened(url, api.settings) as receiver:
            config = uvicorn.Config(
                WebhookApp(receiver), log_level=logging.CRITICAL, lifespan="off", ws="none"
            )
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield place
            finally:
                server.should_exit = True
                await serving


async def _settled(database: Database, api: StripeApi, twin: httpx.AsyncClient) -> int:
    """Work until all that Stripe has to say is delivered and done; the account's balance then."""
    await _ask(twin, "drain", timeout_seconds=SETTLE_SECONDS_MAX)
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while await inbox.drain(database, api):
            pass
    return int((await _call(database, "balance", account_id=ACCOUNT))["posted"])


async def _inbox(database: Database) -> tuple[int, int]:
    async with database.connection() as connection:
        cursor = await connection.execute("select count(*), coalesce(sum(deliveries), 0) from heller.inbox")
        row = await cursor.fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


async def _ask(twin: httpx.AsyncClient, verb: str, **arguments: Any) -> Any:
    answer = await twin.post(f"/_twin/{verb}", json=arguments)
    if not answer.is_success:
        raise ProviderError(f"The stand-in of Stripe refused {verb}: {answer.text}")
    return answer.json()


async def _call(database: Database, function: str, **arguments: Any) -> Json:
    async with database.connection() as connection:
        result: Json = await call(connection, function, **arguments)
        return result
