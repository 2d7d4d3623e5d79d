"""The fifth part of the demo: a pack is bought through a stand-in of Stripe, every delivery repeated, a quarter refunded."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import uvicorn

from heller import schema
from heller.cli import output
from heller.cli.living.twin import Twin, twin_process
from heller.cli.living.ways import stripe_settings
from heller.database import Database, call
from heller.errors import IntegrityError
from heller.stripe import checkout, inbox, ingest
from heller.stripe.api import API_VERSION, Json, StripeApi, opened
from heller.stripe.asgi import WebhookApp
from heller.stripe.catalogue import add_price
from heller.stripe.events import REQUIRED_TYPES

LOOPBACK = "127.0.0.1"
ACCOUNT = "buyer"
CREDITS = 500
CENTS = 2_000
REFUNDED_CENTS = 500
SETTLE_SECONDS_MAX = 15.0
NOT_SIGNED_YET = "whsec_not_known_yet"


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
        MigrationError: the stand-in did not start.
        ProviderError: it refused something.
    """
    await schema.apply(url)
    database = await Database.open(url, pool_max=4)
    try:
        async with twin_process() as twin:
            settings = stripe_settings(twin.url, NOT_SIGNED_YET)
            async with opened(settings) as api:
                return await _purchase(url, database, api, twin)
    finally:
        await database.close()


async def _purchase(url: str, database: Database, api: StripeApi, twin: Twin) -> Bought:
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
        session = await twin.ask("pay", session_id=order.checkout_session)
        intent = str(session["payment_intent"])
        bought = await _settled(database, api, twin)
        output.out.print(f"paid; the signed events are stored and worked on: balance {bought:,}")
        events = [event["id"] for event in await twin.ask("events")]
        await twin.ask("deliver", event_ids=events, times=3, parallel=True)
        repeated = await _settled(database, api, twin)
        output.out.print(f"every event delivered three times more, all at once: balance {repeated:,}")
        await twin.ask("refund", payment=intent, amount=REFUNDED_CENTS)
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


async def _settled(database: Database, api: StripeApi, twin: Twin) -> int:
    """Work until all that Stripe has to say is delivered and done; the account's balance then."""
    await twin.ask("drain", timeout_seconds=SETTLE_SECONDS_MAX)
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while await inbox.drain(database, api):
            pass
    return int((await _call(database, "balance", account_id=ACCOUNT))["posted"])


async def _inbox(database: Database) -> tuple[int, int]:
    async with database.connection() as connection:
        cursor = await connection.execute("select count(*), coalesce(sum(deliveries), 0) from heller.inbox")
        row = await cursor.fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


async def _call(database: Database, function: str, **arguments: Any) -> Json:
    async with database.connection() as connection:
        result: Json = await call(connection, function, **arguments)
        return result
