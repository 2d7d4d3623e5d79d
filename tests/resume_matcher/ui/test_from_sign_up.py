"""A person comes, signs up, buys credits, has a resume analysed, and finds the charge on the account."""

import re

import pytest
from playwright.async_api import expect

import resume_papers as papers
from heller import verify
from ui_site import serious_issues

pytestmark = pytest.mark.asyncio(loop_scope="session")
PHONE = {"width": 390, "height": 844}
BAKERY = "Pastry chef\n\nRequirements\n- 5 years of experience as a pastry chef\n- HACCP"


async def sign_up(page, subject):
    """From the front page through the provider to the overview."""
    await page.goto("/")
    await page.locator(".hero-actions a").first.click()
    if "/sign-in" in page.url:
        await page.locator("form[action*=sign-in] button, a[href*='sign-in/']").first.click()
    await page.locator("input[name=sub]").fill(subject)
    await page.locator("button[type=submit], input[type=submit]").first.click()
    await page.wait_for_url("**/matcher")


async def test_from_sign_up_over_a_purchase_to_a_result_and_the_charge(shop, visitor):
    page = await visitor()
    await sign_up(page, "auth0|eve")
    await expect(page.locator(".sidebar .purse")).to_contain_text("0 credits")
    assert await serious_issues(page) == []

    await page.locator("input[type=file]").set_input_files(
        {"name": "resume.pdf", "mimeType": "application/pdf", "buffer": papers.pdf(papers.GERMAN)}
    )
    await page.get_by_role("button", name="Upload").click()
    await expect(page.get_by_text("Rheinwerk Digital GmbH").first).to_be_visible()
    assert await serious_issues(page) == []

    await page.get_by_role("link", name="New analysis").first.click()
    await page.locator("#job-0").fill(BAKERY)
    await page.get_by_role("button", name="Analyse").click()
    await expect(page.get_by_text("This costs 10 credits; you have 0.")).to_be_visible()
    assert await serious_issues(page) == []
    await page.locator("main").get_by_role("link", name="Buy credits").click()
    await page.locator("form:has(input[value='starter-50']) button[type=submit]").click()
    await expect(page).to_have_url(re.compile("/pay/c/"))
    await page.locator("input[name=outcome][value=card]").check()
    await page.locator("form button").first.click()
    await expect(page).to_have_url(re.compile("/portal/"))
    await expect(page.get_by_role("heading", name="50 credits are yours")).to_be_visible()

    await page.get_by_role("link", name="Resume Matcher").first.click()
    await page.get_by_role("link", name="New analysis").first.click()
    await page.locator("#job-0").fill(BAKERY)
    await page.get_by_text("Job 2", exact=True).click()
    await page.locator("#job-1").fill(papers.JOB)
    await page.get_by_role("button", name="Analyse").click()
    await page.wait_for_url("**/matcher/orders/*")
    await page.locator("#order:not([aria-busy])").wait_for()
    assert await serious_issues(page) == []
    rows = await page.locator("#order tbody tr").all_inner_texts()
    assert rows[0].startswith("1\tSenior Backend-Entwickler")
    assert "Pastry chef" in rows[1]
    await page.get_by_role("link", name="Senior Backend-Entwickler").click()
    await expect(page.get_by_text("Entwicklung von Microservices in Go und C#").first).to_be_visible()
    await expect(page.get_by_text("10 credits were charged for this.")).to_be_visible()
    assert await serious_issues(page) == []

    await page.get_by_role("button", name="Follow this job").click()
    await page.locator("select[name=state]").select_option("interview")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("select[name=state]")).to_have_value("interview")
    assert await serious_issues(page) == []
    await page.get_by_role("link", name="Senior Backend-Entwickler").click()
    await seen_on_a_phone_in_the_dark(page)

    await page.goto("/portal/transactions")
    texts = await page.locator("main tbody tr").all_inner_texts()
    assert len([text for text in texts if "resume analysis" in text and "−10" in text]) == 2
    assert (await shop.heller.balance("auth0|eve")).posted == 30
    assert (await verify(shop.database_url)).is_ok


async def seen_on_a_phone_in_the_dark(page):
    """Nothing is wider than a phone, nothing is illegible in the dark."""
    await page.set_viewport_size(PHONE)
    await page.emulate_media(color_scheme="dark")
    await page.reload()
    assert await serious_issues(page) == []
    here = page.url
    for address in (
        "/matcher",
        "/matcher/resumes",
        "/matcher/new",
        "/matcher/history",
        "/matcher/applications",
        here,
    ):
        await page.goto(address)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
    await page.set_viewport_size({"width": 1200, "height": 900})
    await page.emulate_media(color_scheme="light")


async def test_a_scan_is_refused_in_the_readers_language(visitor):
    page = await visitor(locale="de-DE", viewport=PHONE)
    await page.goto("/matcher/sample")
    await expect(page.get_by_role("heading", name="Was am meisten helfen würde")).to_be_visible()
    assert await serious_issues(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await sign_up(page, "auth0|zoe")
    await page.locator("input[type=file]").set_input_files(
        {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": papers.scanned_pdf()}
    )
    await page.get_by_role("button", name="Hochladen").click()
    await expect(page.get_by_text("Das ist ein Scan: Bilder von Seiten ohne Text.")).to_be_visible()
    await page.get_by_text("oder den Text einfügen").click()
    await page.locator("#text").fill(papers.GERMAN)
    await page.get_by_role("button", name="Hochladen").click()
    await expect(page.get_by_role("heading", name="Was verstanden wurde")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Lebenslauf löschen").click()
    await page.wait_for_url("**/matcher/resumes")
    await expect(page.get_by_text("Noch kein Lebenslauf")).to_be_visible()
