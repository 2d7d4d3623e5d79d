"""Take the pictures of the portal that the docs show: ``python tests/tools/portal_pictures.py``.

It starts a database, the Stripe twin and ``heller serve``, lets a team work for six weeks, and writes ``docs/pictures/portal-*.png``.
"""

import asyncio
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

import stripe_twin
from heller import Heller, embedded, schema
from heller.database import Database
from heller.stripe import Item, StripeApi, StripeSettings, buy, confirm
from heller.stripe.api import API_VERSION
from heller.web import widget

sys.path.insert(0, str(Path(__file__).parents[1]))
from ui_site import (
    CHROMIUM_ARGUMENTS,
    DESKTOP,
    PHONE,
    SECRET,
    environment_of,
    free_port,
    live,
    sell,
    serving,
    sign_in,
)

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
COLOURS = 256
WIDTH = 1200
GAP = 24


async def furnish(url: str, twin: stripe_twin.Twin) -> None:
    """A team with a past."""
    database = await Database.open(url)
    settings = StripeSettings(
        secret_key="sk_test_twin",  # noqa: S106  # the twin takes any
        webhook_secrets=("whsec_x",),
        mode="test",
        api_base=twin.url,
    )
    api = StripeApi(settings)
    await sell(database)
    async with Heller.connect(url) as heller:
        await live(heller, "acme")
        for name, cap, spends in (
            ("ines", 400, (25, 25, 10, 15)),
            ("jonas", 200, (10, 10, 25)),
            ("mara", None, (15,)),
        ):
            await heller.put_member("acme", name, cap=cap)
            for amount in spends:
                await heller.spend_as(
                    "acme", name, amount, reason="resume tailoring" if amount == 25 else "job analysis"
                )  # a figure of the story
        for price in ("pack-500", "monthly-1000"):
            back = "http://127.0.0.1:1/"
            order = await buy(
                database,
                api,
                "acme",
                [Item(price)],
                success_url=back,
                cancel_url=back,
                save_card=price == "pack-500",
            )
            twin.pay(order.checkout_session or "")
            await confirm(database, api, order.checkout_session or "")
        await heller.put_top_up_rule(
            "acme", threshold=200, price="pack-500", ceiling=10_000, cooldown_seconds=3_600
        )
    await api.close()
    await database.close()


async def taken(browser: Browser, address: str, path: str, **options: Any) -> Image.Image:
    """One page as a picture, without the banner of the development sign-in."""
    context = await browser.new_context(
        base_url=address, **{"viewport": DESKTOP, "locale": "en-GB", **options}
    )
    page: Page = await context.new_page()
    await sign_in(page, "customer", "acme")
    await page.goto(path, wait_until="networkidle")
    await page.evaluate("document.querySelector('.development').remove()")
    picture = Image.open(BytesIO(await page.screenshot())).convert("RGB")
    await context.close()
    return picture


def written(picture: Image.Image, name: str) -> None:
    """Save it small."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, picture.height * WIDTH // picture.width), Image.Resampling.LANCZOS)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"portal-{name}.png", optimize=True)


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """Several of one height as one."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) + 1)
    sheet = Image.new("RGB", (width, pictures[0].height + 2 * GAP), "#d9dee5")
    left = GAP
    for picture in pictures:
        sheet.paste(picture, (left, GAP))
        left += picture.width + GAP
    return sheet


async def embedded_balance(browser: Browser, address: str) -> Image.Image:
    """The widget as another page shows it."""
    page = await browser.new_page(viewport={"width": 560, "height": 90}, locale="en-GB")
    await page.goto(f"{address}/health")
    token = widget.sign(SECRET, "acme", "credit", seconds=600)
    await page.set_content(
        f'<h3>Resume tools</h3><script src="{address}/widget.js" data-token="{token}"></script>'
    )
    await page.locator("heller-balance a").wait_for()
    picture = Image.open(BytesIO(await page.screenshot())).convert("RGB")
    await page.close()
    return picture


async def take(address: str) -> None:
    """All pictures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS
        )
        for name in ("", "transactions", "grants", "buy", "top-up", "receipts", "team"):
            written(await taken(browser, address, f"/portal/{name}"), name or "overview")
        dark = await taken(browser, address, "/portal", color_scheme="dark", locale="de-DE")
        written(dark, "overview-dark-german")
        phone = [
            await taken(browser, address, path, viewport=PHONE)
            for path in ("/portal", "/portal/transactions", "/portal/buy")
        ]
        written(side_by_side(phone), "phone")
        written(await embedded_balance(browser, address), "widget")
        await browser.close()


def main() -> None:
    """Start everything, take the pictures."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with embedded.running() as server, stripe_twin.running() as twin:
        endpoint = twin.add_endpoint(f"{address}/v1/webhooks/stripe", api_version=API_VERSION)
        asyncio.run(schema.apply(server.url))
        asyncio.run(furnish(server.url, twin))
        with serving(environment_of(server.url, twin, endpoint["secret"]), port):
            asyncio.run(take(address))


if __name__ == "__main__":
    main()
