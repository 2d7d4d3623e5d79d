"""Take the pictures of the console that the docs show: ``python tests/tools/console_pictures.py``.

It carries a messy legacy system over, moves half of it under guardrails, lets deliveries go wrong, and writes
``docs/pictures/console-*.png``.
"""

import asyncio
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

import stripe_twin
from heller import Heller, embedded, schema

sys.path.insert(0, str(Path(__file__).parents[1]))
import console_world as world
from ui_site import CHROMIUM_ARGUMENTS, DESKTOP, PHONE, environment_of, free_port, serving, sign_in

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
COLOURS = 256
WIDTH = 1200
HORIZON_SECONDS = 1.5
TALL = {"width": DESKTOP["width"], "height": 1250}
PHONES = ("/console", "/console/rollout", "/console/account?id=ada.lovelace")


async def furnish(url: str, legacy: str, out: Path) -> None:
    """A day that an operator has to deal with."""
    await schema.apply(url)
    async with Heller.connect(url) as heller:
        await world.accounts(heller)
        await world.migrated(legacy, url, out)
        await world.rolling(legacy, url)
        await world.deliveries(url)
        await heller.take_anchor()  # the first call only marks an instant
        await asyncio.sleep(HORIZON_SECONDS)
        await heller.take_anchor()


async def opened(browser: Browser, address: str, **options: Any) -> Page:
    """A page of an admin."""
    context = await browser.new_context(base_url=address, **{"viewport": TALL, "locale": "en-GB", **options})
    page = await context.new_page()
    await sign_in(page, "admin")
    return page


async def taken(page: Page, path: str, *, click: str = "") -> Image.Image:
    """One view as a picture, without the banner of the development sign-in."""
    await page.goto(path)
    await page.evaluate("document.querySelector('.development').remove()")
    if click:
        await page.locator(click).first.click()
    await page.wait_for_function(
        "!document.querySelector('canvas') || Chart.getChart(document.querySelector('canvas'))"
    )
    return Image.open(BytesIO(await page.screenshot())).convert("RGB")


def written(picture: Image.Image, name: str) -> None:
    """Save it small."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, picture.height * WIDTH // picture.width), Image.Resampling.LANCZOS)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"console-{name}.png", optimize=True)


async def act(page: Page) -> None:
    """Two things done by hand, for the log."""
    for amount, reason in (("25", "Sorry for the slow analysis"), ("-10", "Counted twice")):
        await page.goto("/console/account?id=ada.lovelace")
        await page.locator("details.action summary").first.click()
        await page.locator("#adjust-amount").fill(amount)
        await page.locator("#adjust-reason").fill(reason)
        await page.locator("details.action[open] button[type=submit]").click()
        await page.locator("main .alert").wait_for()


async def take(address: str) -> None:
    """All pictures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS
        )
        page = await opened(browser, address)
        await act(page)
        views = {
            "overview": ("/console", ""),
            "account": ("/console/account?id=ada.lovelace", ""),
            "adjust": ("/console/account?id=ada.lovelace", "details.action summary"),
            "deliveries": ("/console/deliveries?tab=all", ""),
            "delivery": ("/console/deliveries/3", ""),
            "discrepancies": ("/console/discrepancies?tab=all", ""),
            "rollout": ("/console/rollout", ""),
            "migration": ("/console/migration", ""),
            "checklist": ("/console/checklist", ""),
            "audit": ("/console/audit", ""),
        }
        for name, (path, click) in views.items():
            written(await taken(page, path, click=click), name)
        dark = await opened(browser, address, color_scheme="dark", locale="de-DE")
        written(await taken(dark, "/console/rollout"), "rollout-dark-german")
        phone = await opened(browser, address, viewport=PHONE)
        pictures = [await taken(phone, path) for path in PHONES]
        sheet = Image.new("RGB", (sum(p.width for p in pictures) + 48, PHONE["height"]), "#d9dee5")
        for place, picture in enumerate(pictures):
            sheet.paste(picture, (place * (PHONE["width"] + 24), 0))
        written(sheet, "phone")
        await browser.close()


def main() -> None:
    """Start everything, take the pictures."""
    port = free_port()
    with embedded.running() as server, stripe_twin.running() as twin, tempfile.TemporaryDirectory() as out:
        legacy = server.ensure_database("legacy")
        asyncio.run(furnish(server.url, legacy, Path(out)))
        environment = environment_of(server.url, twin, "whsec_x") | {"LEGACY_DATABASE_URL": legacy}
        with serving(environment, port):
            asyncio.run(take(f"http://127.0.0.1:{port}"))


if __name__ == "__main__":
    main()
