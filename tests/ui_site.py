"""What tests in a browser share: the site under test, sizes of windows, and axe."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

import stripe_twin
from heller import Heller
from heller.database import Database
from heller.stripe.catalogue import add_price

START_SECONDS_MAX = 120  # on a machine that does much else
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECRET = "a key for tests of the pages, long enough"  # noqa: S105  # of no use elsewhere
DESKTOP = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}
SATURDAY = 5
WCAG_AA = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}


@dataclass(frozen=True)
class Site:
    """What runs: the address of ``heller serve``, its database, and the twin (control it, look at it)."""

    url: str
    database_url: str
    twin: stripe_twin.Twin
    heller: Heller
    database: Database
    environment: dict[str, str]

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database has."""
        async with self.database.connection() as connection:
            return await (await connection.execute(query)).fetchall()  # type: ignore[arg-type]


def environment_of(database_url: str, twin: stripe_twin.Twin, webhook_secret: str) -> dict[str, str]:
    """What ``heller serve`` and ``heller worker`` are told."""
    return os.environ | {
        "DATABASE_URL": database_url,
        "HELLER_SECRET_KEY": SECRET,
        "STRIPE_MODE": "test",
        "STRIPE_SECRET_KEY": "sk_test_twin",
        "STRIPE_WEBHOOK_SECRETS": webhook_secret,
        "STRIPE_API_BASE": twin.url,
        "STRIPE_REQUESTS_PER_SECOND": "1000",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(environment: dict[str, str], port: int) -> Iterator[None]:
    """``heller serve`` as a process, ready."""
    log = Path(tempfile.gettempdir(), f"heller-ui-{port}.log")
    command = [sys.executable, "-m", "heller.cli.main", "serve", "--development", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + START_SECONDS_MAX
        while not _is_ready(port):
            if time.monotonic() > until or process.poll() is not None:
                raise AssertionError(f"heller serve did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(START_SECONDS_MAX)
        log.unlink()


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready").is_success
    except httpx.TransportError:
        return False


async def sell(database: Database) -> None:
    for credits, amount, pack in ((500, 1900, "Starter"), (2_000, 5900, "Team")):
        await add_price(
            database,
            f"pack-{credits}",
            product="Credits",
            pack=pack,
            credits=credits,
            currency="eur",
            amount=amount,
            valid_days=365,
        )
    await add_price(
        database,
        "monthly-1000",
        product="Credits",
        pack="Monthly",
        credits=1_000,
        currency="eur",
        amount=2_500,
        period="month",
        carry="expire",
    )


async def sign_in(page: Page, role: str, user: str = "") -> None:
    """Be somebody, by the development sign-in."""
    await page.goto("/sign-in")
    if role == "customer":
        await page.locator("input[name=user]").fill(user)
        await page.locator("form:has(input[name=user]) button[type=submit]").click()
    else:
        await page.locator(f"button[value={role}]").click()


async def serious_issues(page: Page) -> list[str]:
    """What axe finds on a page that keeps people out: serious and critical ones, with the place."""
    found = await Axe().run(page, options=WCAG_AA)
    return [
        f"{page.url}: {issue['id']} ({issue['impact']}): {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for issue in found.response["violations"]
        if issue["impact"] in {"serious", "critical"}
        for node in issue["nodes"]
    ]


FEATURES = (("job analysis", 10, 4), ("resume tailoring", 25, 2), ("cover letter", 15, 1))


async def live(
    heller: Heller, account: str, *, days: int = 45, unit: str = "credit", user: str | None = None
) -> None:
    """Give an account a life: bought, given and spent credits over the last days, some about to expire, one hold."""
    now = datetime.now(UTC)
    start = now - timedelta(days=days)
    await heller.open_account(account, user=user or account, unit=unit)
    await heller.grant(
        account,
        100,
        source="promotion",
        reason="Welcome",
        unit=unit,
        effective_at=start,
        expires_at=now + timedelta(days=90),
    )
    await heller.grant(
        account, 2_000, source="purchase", reason="Team", unit=unit, cost=5900, currency="eur", effective_at=start, expires_at=now + timedelta(days=320)
    )  # fmt: skip
    for day in range(1, days):
        at = start + timedelta(days=day)
        if at.weekday() >= SATURDAY:
            continue
        for place, (feature, amount, times) in enumerate(FEATURES):
            for turn in range((day * (place + 3)) % (times + 1)):
                await heller.spend(
                    account, amount, reason=feature, unit=unit, effective_at=at + timedelta(minutes=turn)
                )
    await heller.grant(
        account, 50, source="promotion", reason="Thank you for the feedback", unit=unit, expires_at=now + timedelta(days=9)
    )  # fmt: skip
    wrong = await heller.spend(account, 10, reason="job analysis", unit=unit)
    await heller.refund(account, wrong.seq or 0, reason="the analysis failed", unit=unit)
    await heller.place_hold(account, 25, reason="resume tailoring", seconds=900, unit=unit)


async def table(page: Page, selector: str) -> list[list[str]]:
    """What the rows of a table's body say, cell by cell."""
    script = "t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.innerText.trim()))"
    return await page.locator(selector).first.evaluate(script)
