"""The application as a process, with a real OpenID provider, the Stripe twin, a pack for sale, and Chromium."""

import shutil
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright
from psycopg import sql
from pytest_socket import socket_allow_hosts

import stripe_twin
from fakes import oidc
from heller import Heller
from heller.database import Database
from heller.stripe.api import API_VERSION
from heller.stripe.catalogue import add_price
from resume_site import free_port, matcher_process

ACTION_MILLISECONDS_MAX = 30_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
module_fixture = pytest_asyncio.fixture(scope="module", loop_scope="session")


@dataclass
class Shop:
    """What runs: the application's address, its ledger, the twin."""

    url: str
    heller: Heller
    database_url: str
    twin: stripe_twin.Twin


@pytest.fixture(scope="module")
def shop_database(server_url, heller_template):
    name = f"shop_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(heller_template)
            )
        )
    old = psycopg.conninfo.conninfo_to_dict(server_url)["dbname"]
    yield server_url.replace(f"/{old}?", f"/{name}?", 1)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@module_fixture
async def shop(shop_database):
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with stripe_twin.running(retry_scale=0.001) as twin, oidc.provider(oidc.free_port()) as issuer:
        endpoint = twin.add_endpoint(f"{address}/v1/webhooks/stripe", api_version=API_VERSION)
        environment = {
            "HELLER_OIDC_ISSUER": issuer,
            "HELLER_OIDC_CLIENT_ID": "heller",
            "HELLER_OIDC_CLIENT_SECRET": "any",
            "STRIPE_MODE": "test",
            "STRIPE_SECRET_KEY": "sk_test_twin",
            "STRIPE_WEBHOOK_SECRETS": endpoint["secret"],
            "STRIPE_API_BASE": twin.url,
            "RESUME_MATCHER_WORK_PROCESSES": "1",
        }
        database = await Database.open(shop_database, pool_max=1)
        await add_price(
            database, "starter-50", product="Credits", pack="Starter", credits=50, currency="eur", amount=499
        )
        await database.close()
        with matcher_process(shop_database, port, **environment):
            async with Heller.connect(shop_database, pool_max=2) as heller:
                yield Shop(address, heller, shop_database, twin)


@module_fixture
async def chromium():
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("Chromium is missing; the pages were not tested. Install it: apt-get install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(shop, chromium):
    """``await visitor(locale="de-DE")``: a page; an error on its console fails the test."""
    opened, complaints = [], []

    async def come(**options):
        context = await chromium.new_context(
            base_url=shop.url, **{"viewport": {"width": 1200, "height": 900}, "locale": "en-GB", **options}
        )
        context.set_default_timeout(ACTION_MILLISECONDS_MAX)
        opened.append(context)
        page = await context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if _is_complaint(m, shop.url) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield come
    for context in opened:
        await context.close()
    assert complaints == []


def _is_complaint(message, address):
    """An error on a page of ours (not the provider's, nor the twin's), but not that something was refused."""
    is_ours = message.location.get("url", "").startswith(address)
    return (
        message.type == "error" and is_ours and "the server responded with a status of 4" not in message.text
    )
