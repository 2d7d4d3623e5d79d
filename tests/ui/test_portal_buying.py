"""A customer buys, tops up by itself, and runs a team."""

import re

import pytest
from playwright.async_api import expect

from heller.errors import LimitExceeded
from ui_site import serious_issues, table

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def choose(page, price, *, quantity=None):
    """From the packs to the twin's checkout."""
    await page.goto("/portal/buy")
    form = page.locator(f"form:has(input[value='{price}'])")
    if quantity is not None:
        await form.locator("select").select_option(str(quantity))
    await form.locator("button[type=submit]").click()
    await expect(page).to_have_url(re.compile("/pay/c/"))


async def pay(page, outcome="card"):
    await page.locator(f"input[name=outcome][value={outcome}]").check()
    await page.locator("form button").first.click()
    await expect(page).to_have_url(re.compile("/portal/"))


async def test_a_pack_is_bought_and_the_credits_are_there_at_once(site, as_role) -> None:
    site.twin.hold()  # no webhook: the success page alone has to do it
    page = await as_role("customer", "bea")  # who has no account yet
    await page.goto("/portal")
    await expect(
        page.get_by_text("No account belongs to you yet").or_(page.get_by_text("You have no credits yet"))
    ).to_be_visible()
    await choose(page, "pack-500", quantity=2)
    await pay(page)
    await expect(page.get_by_role("heading", name="1,000 credits are yours")).to_be_visible()
    assert await serious_issues(page) == []
    assert (await site.heller.balance("bea")).available == 1_000
    site.twin.release()

    await site.heller.spend("bea", 120, reason="job analysis")
    await page.get_by_role("link", name="To the overview").click()
    await expect(page.locator(".tile-value").first).to_have_text("880")
    await page.get_by_text("As a table").click()
    assert [row[1] for row in await table(page, "#usage-table")] == ["120"]

    await page.goto("/portal/receipts")
    (row,) = await table(page, "main table")
    what, payment = row[1].split()[:3], row[1].split()[-1]
    assert (what, row[2:5]) == (["Starter", "×", "2"], ["1,000", "€38.00", "Paid"])
    assert payment.startswith("pi_")
    await page.get_by_role("link", name="Receipt", exact=True).click()
    await expect(page).to_have_url(re.compile(re.escape(site.twin.url)))


async def test_a_checkout_left_charges_nothing_and_can_be_gone_on_with(site, as_role) -> None:
    await site.heller.open_account("cem", user="cem")
    page = await as_role("customer", "cem")
    await choose(page, "pack-500")
    await page.get_by_role("button", name="Go back").click()
    await expect(page.get_by_text("You left the checkout. Nothing was charged.")).to_be_visible()
    assert (await site.heller.balance("cem")).available == 0

    await page.goto("/portal/receipts")
    await page.get_by_role("link", name="Go on paying").click()
    await pay(page)
    await expect(page.get_by_role("heading", name="500 credits are yours")).to_be_visible()


async def test_a_payment_that_takes_time_is_shown_as_on_its_way_until_it_is_there(site, as_role) -> None:
    await site.heller.open_account("dora", user="dora")
    page = await as_role("customer", "dora")
    await choose(page, "pack-2000")
    await pay(page, "sepa")
    await expect(page.get_by_role("heading", name="Your payment is on its way")).to_be_visible()
    order = (
        await site.rows("select payment_intent, payment_key from heller.orders where account_id = 'dora'")
    )[0]
    site.twin.settle_sepa(order[0] or order[1])
    await expect(
        page.get_by_role("heading", name="2,000 credits are yours")
    ).to_be_visible()  # the page looks by itself


async def test_somebody_elses_purchase_is_not_shown(site, as_role) -> None:
    await site.heller.open_account("emil", user="emil")
    page = await as_role("customer", "emil")
    await choose(page, "pack-500")
    session = page.url.rsplit("/", 1)[1]
    await site.heller.open_account("mallet", user="mallet")
    other = await as_role("customer", "mallet")
    assert (await other.goto(f"/portal/bought?session_id={session}")).status == 404


async def test_a_subscription_runs_until_it_is_cancelled(site, as_role) -> None:
    await site.heller.open_account("finn", user="finn")
    page = await as_role("customer", "finn")
    await choose(page, "monthly-1000")
    await pay(page)
    await expect(page.get_by_role("heading", name="1,000 credits are yours")).to_be_visible()
    await page.goto("/portal/receipts")
    await expect(page.get_by_text("Running")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("Ends with the period")).to_be_visible()


async def test_top_up_is_turned_on_paused_resumed_and_turned_off(site, as_role) -> None:
    await site.heller.open_account("gia", user="gia")
    page = await as_role("customer", "gia")
    await page.goto("/portal/top-up")
    await page.get_by_label("When fewer credits").fill("fifty")
    await page.get_by_label("buy this pack").select_option("pack-500")
    await page.get_by_label("Spend at most").fill("18.99")
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_text("Give a whole number")).to_be_visible()
    await expect(page.get_by_text("Less than one top-up costs")).to_be_visible()
    assert await serious_issues(page) == []
    assert await site.heller.top_up_rule("gia") is None

    await page.get_by_label("When fewer credits").fill("50")
    await page.get_by_label("Spend at most").fill("100,00")
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_text("Automatic top-up is on.")).to_be_visible()
    rule = await site.heller.top_up_rule("gia")
    assert (rule.threshold, rule.price, rule.ceiling, rule.cooldown_seconds) == (
        50,
        "pack-500",
        10_000,
        3_600,
    )

    for _ in range(3):
        await site.heller.record_top_up("gia", "failed", detail="Your card was declined.")
    await page.goto("/portal")
    await page.get_by_role("link", name="See why, and resume it").click()
    await expect(page.get_by_text("3 attempts in a row failed.")).to_be_visible()
    assert await serious_issues(page) == []
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("Automatic top-up is on.")).to_be_visible()

    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Turn off").click()
    await expect(page.get_by_role("button", name="Turn on")).to_be_visible()
    assert await site.heller.top_up_rule("gia") is None
    done = await site.rows("select action from heller.audit_log where target = 'gia' order by entry")
    assert [row[0] for row in done] == ["top_up.set", "top_up.resume", "top_up.remove"]


async def test_members_are_added_capped_seen_and_removed(site, as_role) -> None:
    await site.heller.open_account("hq", user="hq")
    await site.heller.grant("hq", 1_000)
    page = await as_role("customer", "hq")
    await page.goto("/portal/team")
    await page.get_by_label("Member").fill("ines")
    await page.get_by_label("Cap").fill("-5")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Give a whole number")).to_be_visible()
    await page.get_by_label("Cap").fill("100")
    await page.get_by_role("button", name="Save").click()

    await site.heller.spend_as("hq", "ines", 30, reason="job analysis")
    await page.reload()
    (row,) = await table(page, "main table")
    assert row[1:4] == ["100 per month", "30", "70"]
    assert await table(page, "#spending table") == [["ines", "1", "30"]]
    assert await serious_issues(page) == []

    member = await as_role("customer", "ines")
    await expect(member.get_by_text("You have no credits of your own")).to_be_visible()
    ((team, *shares),) = await table(member, "#teams")
    assert (team.split()[0], shares) == ("hq", ["100 per month", "30", "70", "70"])
    assert (await member.goto("/portal?account=hq")).status == 404

    await page.get_by_role("link", name="Edit ines").click()
    await expect(page.get_by_label("Cap")).to_have_value("100")
    await page.get_by_label("Cap").fill("30")
    await page.get_by_role("button", name="Save").click()
    with pytest.raises(LimitExceeded):
        await site.heller.spend_as("hq", "ines", 1)
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Remove ines").click()
    await expect(page.get_by_text("Nobody else spends from this account")).to_be_visible()


async def test_a_form_without_its_token_changes_nothing(site, as_role) -> None:
    await site.heller.open_account("jan", user="jan")
    page = await as_role("customer", "jan")
    for path, form in (
        ("team", {"member": "eve"}),
        ("top-up", {"threshold": "1", "price": "pack-500"}),
        ("buy", {"price": "pack-500", "key": "12345678"}),
    ):
        answer = await page.request.post(f"/portal/{path}", form=form, headers={"accept": "text/html"})
        assert (path, answer.status) == (path, 403)
    assert await site.heller.members("jan") == []
    assert await site.rows("select from heller.orders where account_id = 'jan'") == []


async def test_credits_that_another_system_owns_can_be_looked_at_only(site, as_role) -> None:
    await site.heller.open_account("kai", user="kai")
    await site.heller.grant("kai", 40)
    async with site.database.connection() as connection:
        await connection.execute("update heller.accounts set epoch = 0 where account_id = 'kai'")
    page = await as_role("customer", "kai")
    await expect(page.get_by_text("Your credits are at home in the other system for now.")).to_be_visible()
    await page.goto("/portal/buy")
    assert await page.get_by_role("button", name="Buy").count() == 0
    token = await page.locator("input[name=csrf]").first.input_value()
    form = {"csrf": token, "price": "pack-500", "key": "12345678"}
    answer = await page.request.post("/portal/buy", form=form, headers={"accept": "text/html"})
    assert answer.status == 409
    assert await site.rows("select from heller.orders where account_id = 'kai'") == []
