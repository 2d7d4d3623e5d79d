"""What tests in a browser share: the site under test, sizes of windows, and axe."""

from dataclasses import dataclass

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

import stripe_twin
from heller import Heller
from heller.database import Database

DESKTOP = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Site:
    """What runs: the address of ``heller serve``, its database, and the twin (control it, look at it)."""

    url: str
    database_url: str
    twin: stripe_twin.Twin
    heller: Heller
    database: Database
    environment: dict[str, str]


async def serious_issues(page: Page) -> list[str]:
    """What axe finds on a page that keeps people out: serious and critical ones, with the place."""
    found = await Axe().run(page)
    return [
        f"{page.url}: {issue['id']} ({issue['impact']}): {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for issue in found.response["violations"]
        if issue["impact"] in {"serious", "critical"}
        for node in issue["nodes"]
    ]
