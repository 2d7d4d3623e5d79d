"""A customer looks: overview, transactions, grants, whose account, languages, sizes, themes, without JavaScript."""

import csv
import io
import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from ui_site import PHONE, live, serious_issues, table

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def accounts():
    return {}


async def lived(site, accounts, name="lena"):
    if name not in accounts:
        await live(site.heller, name)
        accounts[name] = True
    return name


async def test_the_overview_says_what_is_there_and_what_used_it(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    balance = await site.heller.balance(user)
    page = await as_role("customer", user)

    await page.locator(".tile-value").first.wait_for()
    tiles = await page.locator(".tile-value").all_inner_texts()
    assert tiles[:3] == [f"{balance.available:,}", "25", "50"]
    await page.get_by_text("As a table").click()
    rows = await table(page, "#usage-table")
    used = sum(int(cell.replace(",", "")) for row in rows for cell in row[1:])
    assert f"{used:,}" == tiles[3]
    assert (
        await page.locator("figure.chart canvas").evaluate(
            "c => c.width > 100 && Chart.getChart(c).data.datasets.length"
        )
        == 3
    )


async def test_the_overview_says_what_arrives_next_and_the_first_of_what_is_held(site, as_role) -> None:
    await site.heller.open_account("mona", user="mona")
    await site.heller.put_recurring_grant("mona", "free", 50, anchor=datetime(2026, 1, 1, 12, tzinfo=UTC))
    for _ in range(11):
        await site.heller.place_hold("mona", 1)
    page = await as_role("customer", "mona")
    held = page.locator(".card").filter(has=page.get_by_role("heading", name="Held now"))
    await expect(held.locator("tbody tr")).to_have_count(11)
    await expect(held.locator("tbody tr").last).to_have_text("and more")
    card = page.locator(".card").filter(has=page.get_by_role("heading", name="Arriving next"))
    await expect(card).to_contain_text("50 per month")
    await expect(card).to_contain_text("free")


async def test_a_spend_appears_in_the_table_of_the_chart(site, as_role) -> None:
    await site.heller.open_account("sven", user="sven")
    await site.heller.grant("sven", 100)
    page = await as_role("customer", "sven")
    await expect(page.get_by_text("Nothing was used in this time")).to_be_visible()

    await site.heller.spend("sven", 12, reason="job analysis")
    await page.reload()
    await page.get_by_text("As a table").click()
    assert [row[1] for row in await table(page, "#usage-table")] == ["12"]
    await expect(page.locator(".tile-value").first).to_have_text("88")


async def test_transactions_are_searched_filtered_paged_and_exported(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user)
    await page.goto("/portal/transactions")
    assert len(await table(page, "#list table")) == 50
    await page.get_by_role("link", name="Older").click()
    assert "before=" in page.url
    await expect(page.get_by_role("link", name="Newest")).to_be_visible()

    await page.goto("/portal/transactions")
    await page.get_by_label("Search").press_sequentially("COVER")
    await expect(page.locator("#list tbody tr").first).to_contain_text("cover letter")
    await expect(page).to_have_url(re.compile("text=COVER"))
    await expect(page.get_by_role("link", name="CSV")).to_have_attribute("href", re.compile("text=COVER"))
    assert {row[1] for row in await table(page, "#list table")} == {"cover letter"}

    await page.goto("/portal/transactions?kind=refund&from=2020-01-01&until=2999-01-01")
    assert [(row[1], row[3]) for row in await table(page, "#list table")] == [("the analysis failed", "+10")]
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV").click()
    text = (await (await download.value).path()).read_text()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(line["kind"], line["delta"], line["reason"]) for line in lines] == [
        ("refund", "10", "the analysis failed")
    ]

    await page.goto("/portal/transactions?text=no-such-thing")
    await expect(page.get_by_text("Nothing matches")).to_be_visible()


async def test_a_transaction_says_which_grant_paid_it(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user)
    await page.goto("/portal/transactions/3")
    paid = await table(page, "table")
    assert [row[1] for row in paid] == ["Promotion"]
    assert (await page.goto("/portal/transactions/999999")).status == 404


async def test_grants_stand_in_the_order_they_burn_down(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user)
    await page.goto("/portal/grants")
    order = [row[1].splitlines()[1] for row in await table(page, "table")]
    assert order == ["Thank you for the feedback", "Team"]
    await page.get_by_role("link", name="Show used up ones").click()
    assert "Welcome" in (await table(page, "table >> nth=1"))[0][0]


async def test_somebody_elses_account_is_not_there(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    await site.heller.open_account("mallory", user="mallory")
    page = await as_role("customer", "mallory")
    for path in (
        "",
        "/transactions",
        "/transactions.csv",
        "/transactions/1",
        "/grants",
        "/team",
        "/top-up",
        "/receipts",
    ):
        response = await page.goto(f"/portal{path}?account={user}")
        assert (path, response.status) == (path, 404)
        assert "job analysis" not in await page.content()


async def test_accounts_of_one_user_are_switched(site, as_role) -> None:
    for account, unit, amount in (("two-a", "credit", 11), ("two-b", "credit", 22), ("two-b", "token", 33)):
        await site.heller.open_account(account, unit=unit, user="two")
        await site.heller.grant(account, amount, unit=unit)
    page = await as_role("customer", "two")
    for name, shown in (("two-b 22", "22"), ("two-b · token 33", "33"), ("two-a 11", "11")):
        await page.locator(".sidebar summary").click()
        await page.locator(".sidebar").get_by_role("link", name=name).click()
        await expect(page.locator(".tile-value").first).to_have_text(shown)
    await page.goto("/portal/transactions?account=two-b&unit=token")
    assert [row[4] for row in await table(page, "#list table")] == ["33"]


async def test_staff_see_an_account_as_its_owner_does_and_cannot_act(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("support")
    await page.goto("/portal")
    await page.get_by_label("Account").fill(user)
    await page.get_by_role("button", name="Look").click()
    await expect(page.get_by_text("You see this account as its owner does.")).to_be_visible()
    await page.goto(f"/portal/team?account={user}")
    assert await page.locator("main form").count() == 0
    token = await page.locator("input[name=csrf]").first.input_value()
    answer = await page.request.post(
        f"/portal/team?account={user}", form={"csrf": token, "member": "eve"}, headers={"accept": "text/html"}
    )
    assert answer.status == 403
    assert await site.heller.members(user) == []


async def test_german_is_complete_and_remembered(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user, locale="de-DE")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Übersicht")
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await page.locator(".sidebar").get_by_role("link", name="EN", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    await page.goto("/portal/grants")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Grants")


async def test_a_phone_shows_every_page_without_scrolling_sideways(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user, viewport=PHONE, has_touch=True)
    for path in ("", "/transactions", "/transactions/3", "/grants", "/buy", "/top-up", "/receipts", "/team"):
        await page.goto(f"/portal{path}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    unbroken = "0123456789" * 20
    await site.heller.open_account(unbroken, user=unbroken)
    await site.heller.grant(unbroken, 123_456_789_012, reason=unbroken, key=unbroken)
    await site.heller.spend(unbroken, 987_654_321, reason=unbroken)
    await site.heller.put_member(unbroken, unbroken, cap=10**12)
    endless = await as_role("customer", unbroken, viewport=PHONE)
    for path in ("", "/transactions", "/transactions/2", "/grants", "/team"):
        await endless.goto(f"/portal{path}")
        assert await endless.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    await page.locator(".topbar summary").click()
    await page.locator(".topbar").get_by_role("link", name="Grants").click()
    await expect(page).to_have_url(re.compile("/portal/grants"))


async def test_pages_are_read_without_javascript(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user, java_script_enabled=False)
    await expect(page.locator("figure.chart")).to_be_hidden()
    await page.get_by_text("As a table").click()
    await expect(page.locator("#usage-table tbody tr").first).to_be_visible()
    await page.goto("/portal/transactions")
    await page.get_by_label("Kind").select_option("refund")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("#list tbody tr")).to_have_count(1)


async def test_the_theme_follows_the_system_until_one_is_chosen(site, as_role, accounts) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user, color_scheme="dark")
    root = page.locator("html")
    await expect(root).to_have_attribute("data-bs-theme", "dark")
    await page.locator(".sidebar").get_by_role("link", name="Light").click()
    await expect(root).to_have_attribute("data-bs-theme", "light")
    await page.reload()
    await expect(root).to_have_attribute("data-bs-theme", "light")


PAGES = (
    "",
    "/transactions",
    "/transactions/3",
    "/grants?ended=1",
    "/buy?cancelled=1",
    "/top-up",
    "/receipts",
    "/team",
)


@pytest.mark.parametrize(
    ("scheme", "paths"), [("light", PAGES), ("dark", ("", "/buy?cancelled=1", "/top-up"))]
)
async def test_axe_finds_nothing_serious(site, as_role, accounts, scheme, paths) -> None:
    user = await lived(site, accounts)
    page = await as_role("customer", user, color_scheme=scheme)
    found = []
    for path in paths:
        await page.goto(f"/portal{path}")
        found += await serious_issues(page)
    assert found == []
