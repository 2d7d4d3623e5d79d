"""Webhooks: deliveries accepted per second, and events converged per second, beside simpler and older ways.

One uvicorn process and one PostgreSQL with its default durability (fsync on). The load is signed deliveries of one
event each over loopback. Three applications take them in turn, in rounds, so that only ratios of one round count:

heller    verify the signature over the raw bytes, store them in the inbox, commit, answer 200
bare      one INSERT of the same bytes, commit, answer 200: no signature, no parsing, no deduplication
legacy    the old handler's shape: signature, parse, and the whole effect in the request's one transaction
          (dedupe row, look for the user, payment, transaction, balance), then 200

Then the inbox is drained against the Stripe twin (which shares the machine): events converged per second.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import multiprocessing
import os
import platform
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import uvicorn
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

import stripe_twin
from heller import embedded, schema
from heller.database import Database, call
from heller.stripe import Item, StripeApi, StripeSettings, WebhookApp, add_price, buy, drain
from heller.stripe.ingest import opened

BAR = 0.7
SECRET = "whsec_benchmark"  # noqa: S105 - of this run alone
POOL = 4
WARM_UP = 300
BACK = "http://127.0.0.1:1/"

OTHERS = """
create schema if not exists other;
create table if not exists other.bare (id bigint generated always as identity primary key, body bytea not null,
  received_at timestamptz not null default clock_timestamp());
create table if not exists other.users (id serial primary key, email varchar not null unique, name varchar not null,
  credits_balance int not null default 0);
create table if not exists other.payments (id bigserial primary key, user_id text not null, provider varchar(50),
  provider_payment_intent_id varchar(255), expected_credits int, status text, raw_provider_data json,
  unique (provider, provider_payment_intent_id));
create table if not exists other.credit_transactions (id bigserial primary key, user_id text, payment_id bigint,
  delta_credits int, reason text, meta json, created_at timestamptz default now());
create table if not exists other.processed_events (id bigserial primary key, provider text, provider_event_id text,
  received_at timestamptz default now(), payload_sha256 text, unique (provider, provider_event_id));
insert into other.users (email, name) select 'u' || n || '@example.com', 'u' || n from generate_series(1, 200) n
  on conflict do nothing;
"""


def settings(api_base: str | None = None) -> StripeSettings:
    return StripeSettings(
        secret_key="sk_test_twin",  # noqa: S106 - the twin takes any
        webhook_secrets=(SECRET,),
        mode="test",
        api_base=api_base,
        requests_per_second=1000,
    )


# The three applications


async def _body(receive: Any) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _ok(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def bare(pool: AsyncConnectionPool) -> Any:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        async with pool.connection() as connection:
            await connection.execute("insert into other.bare (body) values (%b)", [body])
        await _ok(send)

    return app


def legacy(pool: AsyncConnectionPool) -> Any:
    async def effect(connection: psycopg.AsyncConnection, body: bytes) -> None:
        event = json.loads(body)
        item = event["data"]["object"]
        digest = hashlib.sha256(body).hexdigest()
        fresh = await connection.execute(
            "insert into other.processed_events (provider, provider_event_id, payload_sha256) values ('stripe', %s, %s)"
            " on conflict do nothing returning id",
            [event["id"], digest],
        )
        if await fresh.fetchone() is None:
            return
        number = int(hashlib.sha256(item["id"].encode()).hexdigest()[:8], 16) % 200 + 1
        await connection.execute("select id from other.users where id = %s for update", [number])
        paid = await connection.execute(
            "insert into other.payments (user_id, provider, provider_payment_intent_id, expected_credits, status, raw_provider_data)"
            " values (%s, 'stripe', %s, 100, 'PAID', %s) returning id",
            [str(number), item["id"], Jsonb(event)],
        )
        row = await paid.fetchone()
        await connection.execute(
            "insert into other.credit_transactions (user_id, payment_id, delta_credits, reason) values (%s, %s, 100, 'PURCHASE')",
            [str(number), row[0] if row else None],
        )
        await connection.execute(
            "update other.users set credits_balance = credits_balance + 100 where id = %s", [number]
        )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        header = dict(scope["headers"])[b"stripe-signature"].decode()
        at, given = (part.partition("=")[2] for part in header.split(","))
        expected = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected, given):
            async with pool.connection() as connection, connection.transaction():
                await effect(connection, body)
        await _ok(send)

    return app


def serve(name: str, url: str, port: int) -> None:
    """One application in a process of its own."""

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            if name == "heller":
                app: Any = WebhookApp(await stack.enter_async_context(opened(url, settings(), pool_max=POOL)))
            else:
                pool = AsyncConnectionPool(
                    url, min_size=POOL, max_size=POOL, open=False, kwargs={"autocommit": True}
                )
                await pool.open()
                stack.push_async_callback(pool.close)
                app = {"bare": bare, "legacy": legacy}[name](pool)
            config = uvicorn.Config(
                app, host="127.0.0.1", port=port, log_level="critical", lifespan="off", ws="none"
            )
            await uvicorn.Server(config).serve()

    asyncio.run(run())


@contextlib.contextmanager
def serving(name: str, url: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(name, url, port), daemon=True)
    process.start()
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.join(10)


# The load


def deliveries(count: int, sample: bytes, start: int) -> list[bytes]:
    """Whole HTTP requests, signed beforehand: only the server's work is measured."""
    requests = []
    at = int(time.time())
    for number in range(start, start + count):
        body = sample.replace(b"evt_SAMPLE", b"evt_%020d" % number).replace(
            b"pi_SAMPLE", b"pi_%020d" % number
        )
        signature = hmac.new(SECRET.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
        head = f"POST / HTTP/1.1\r\nhost: x\r\nstripe-signature: t={at},v1={signature}\r\ncontent-length: {len(body)}\r\n\r\n"
        requests.append(head.encode() + body)
    return requests


async def rate(port: int, requests: list[bytes], concurrency: int) -> float:
    """Requests answered 200 per second, over kept-alive connections."""
    waiting = iter(requests)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = next(
                int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(concurrency)))
    return len(requests) / (time.perf_counter() - started)


def sample_event() -> bytes:
    """A whole event of a paid intent, as the twin sends it."""
    with stripe_twin.running() as twin:
        twin.hold()
        endpoint = twin.add_endpoint("http://127.0.0.1:1/")
        charge = twin.dashboard_charge(1000, "eur")
        (event,) = twin.events("payment_intent.succeeded")
        body = twin.delivery(event["id"], endpoint["id"]).body
    return body.replace(event["id"].encode(), b"evt_SAMPLE").replace(charge["id"].encode(), b"pi_SAMPLE")


def accepted(url: str, options: argparse.Namespace) -> list[dict[str, float]]:
    """The three applications in turn, round by round."""
    sample = sample_event()
    number = 0
    rounds = []
    for _ in range(options.rounds):
        figures = {}
        for name in ("bare", "heller", "legacy"):
            with serving(name, url) as port:
                for count in (WARM_UP, options.deliveries):
                    requests = deliveries(count, sample, number)
                    number += count
                    figures[name] = asyncio.run(rate(port, requests, options.concurrency))
        rounds.append(figures)
    return rounds


async def converged(url: str, purchases: int) -> dict[str, float]:
    """Events drained per second: each purchase is three events and one look at Stripe."""
    with stripe_twin.running() as twin:
        twin.hold()
        endpoint = twin.add_endpoint("http://127.0.0.1:1/")
        ours = settings(twin.url)
        database, api = await Database.open(url), StripeApi(ours)
        async with database.connection() as connection:
            await connection.execute("delete from heller.inbox")
            await call(connection, "open_account", account_id="bench", user_id="bench")
        await add_price(
            database, "pack", product="Credits", pack="100", credits=100, currency="eur", amount=1000
        )
        for _ in range(purchases):
            order = await buy(database, api, "bench", [Item("pack")], success_url=BACK, cancel_url=BACK)
            twin.pay(order.checkout_session or "")
        kinds = ("checkout.session.completed", "payment_intent.succeeded", "charge.succeeded")
        secret = twin.secrets(endpoint["id"])[0]
        async with opened(url, replace(ours, webhook_secrets=(secret,))) as ingest:
            for event in (event for kind in kinds for event in twin.events(kind)):
                delivery = twin.delivery(event["id"], endpoint["id"])
                await ingest.ingest(delivery.body, {k.lower(): v for k, v in delivery.headers.items()})
        started, events = time.perf_counter(), 0
        while count := await drain(database, api):
            events += count
        seconds = time.perf_counter() - started
        async with database.connection() as connection:
            posted = (await call(connection, "balance", account_id="bench"))["posted"]
        if posted != purchases * 100:
            raise RuntimeError(f"{posted} credits instead of {purchases * 100}")
        await api.close()
        await database.close()
        return {"events_per_second": events / seconds, "payments_per_second": purchases / seconds}


def machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def main() -> int:
    """Measure, print, write the JSON. Exit code 1 when the bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deliveries", type=int, default=3000, help="per application and round")
    parser.add_argument("--concurrency", type=int, default=16, help="Stripe's parallel connections")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--purchases", type=int, default=150, help="to converge")
    parser.add_argument("--json", action="store_true", help="print the JSON alone")
    parser.add_argument("--out", type=Path, help="write the JSON here as well")
    options = parser.parse_args()
    with embedded.running() as server:
        asyncio.run(schema.apply(server.url))
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(OTHERS)
        rounds = accepted(server.url, options)
        drained = asyncio.run(converged(server.url, options.purchases))
    ratios = [figures["heller"] / figures["bare"] for figures in rounds]
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "concurrency": options.concurrency,
        "accepted_per_second": {
            n: round(statistics.median(f[n] for f in rounds), 1) for n in ("bare", "heller", "legacy")
        },
        "ratio_to_bare_insert": round(statistics.median(ratios), 3),
        "ratio_to_legacy": round(statistics.median(f["heller"] / f["legacy"] for f in rounds), 3),
        "bar": BAR,
        "converged": {name: round(value, 1) for name, value in drained.items()},
        "rounds": rounds,
    }
    text = json.dumps(result, indent=2)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    if options.json:
        print(text)
    else:
        for name, value in result["accepted_per_second"].items():
            print(f"{name:8} {value:8.0f} deliveries accepted per second")
        print(
            f"heller / bare INSERT {result['ratio_to_bare_insert']} (bar {BAR}); / legacy {result['ratio_to_legacy']}"
        )
        print(
            f"converged: {drained['events_per_second']:.0f} events, {drained['payments_per_second']:.0f} payments per second"
        )
    return 0 if result["ratio_to_bare_insert"] >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
