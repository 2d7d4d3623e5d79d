"""What tests in a browser share: the site under test, sizes of windows, and axe."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

import stripe_twin
from heller import Heller
from heller.database import Database

DESKTOP = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}
SATURDAY = 5


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


async def serious_issues(page: Page) -> list[str]:
    """What axe finds on a page that keeps people out: serious and critical ones, with the place."""
    found = await Axe().run(page)
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
