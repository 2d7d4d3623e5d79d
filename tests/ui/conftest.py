"""A real ``heller serve`` with the development sign-in, the Stripe twin, and Debian's Chromium; one of each per worker.

Tests and fixtures of this folder share one event loop: ``pytestmark = pytest.mark.asyncio(loop_scope="session")``.
"""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from psycopg import sql
from pytest_socket import socket_allow_hosts

import stripe_twin
from heller import Heller
from heller.database import Database
from heller.stripe.api import API_VERSION
from ui_site import CHROMIUM_ARGUMENTS, DESKTOP, Site, environment_of, free_port, sell, serving, sign_in

ACTION_MILLISECONDS_MAX = 30_000  # on a machine that does much else
session_fixture = pytest_asyncio.fixture(scope="session", loop_scope="session")


@pytest.fixture(scope="session")
def ui_database(server_url: str, heller_template: str) -> Iterator[str]:
    """The URL of the database of all UI tests of this worker: tests use accounts of their own."""
    name = f"ui_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(heller_template)
            )
        )
        parts = psycopg.conninfo.conninfo_to_dict(server_url)
    yield server_url.replace(f"/{parts['dbname']}?", f"/{name}?", 1)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def ui_twin() -> Iterator[stripe_twin.Twin]:
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    with stripe_twin.running(retry_scale=0.001) as twin:
        yield twin


@session_fixture
async def site(ui_database: str, ui_twin: stripe_twin.Twin) -> AsyncIterator[Site]:
    """``heller serve --development`` with Stripe set up, and two packs and a subscription for sale."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    endpoint = ui_twin.add_endpoint(f"{address}/v1/webhooks/stripe", api_version=API_VERSION)
    environment = environment_of(ui_database, ui_twin, endpoint["secret"])
    with serving(environment, port):
        database = await Database.open(ui_database, pool_max=4)
        async with Heller.connect(ui_database, pool_max=4) as heller:
            await sell(database)
            yield Site(address, ui_database, ui_twin, heller, database, environment)
        await database.close()


@session_fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium. Where it is missing the tests fail: nothing was looked at."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("Chromium is missing; the pages were not tested. Install it: apt-get install chromium")
    expect.set_options(timeout=ACTION_MILLISECONDS_MAX)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        yield started
        await started.close()


AsRole = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def as_role(site: Site, browser: Browser) -> AsyncIterator[AsRole]:
    """``await as_role("customer", user="ann")``: a page signed in so, in a context of its own.

    Options are those of a browser context (``viewport``, ``color_scheme``, ``locale``, ``java_script_enabled``). A message
    on the console's error level, a refused inline script among them, fails the test at its end.
    """
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(role: str | None, user: str = "", **options: Any) -> Page:
        context = await browser.new_context(
            base_url=site.url, **{"viewport": DESKTOP, "locale": "en-GB", **options}
        )
        context.set_default_timeout(ACTION_MILLISECONDS_MAX)
        opened.append(context)
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if role is not None:
            await sign_in(page, role, user)
        return page

    yield open_page
    for context in opened:
        await context.close()
    assert complaints == []


def is_complaint(message: Any) -> bool:
    """An error on the console, but not that a page the test asked for answered 404 or 422."""
    return message.type == "error" and "the server responded with a status of 4" not in message.text
