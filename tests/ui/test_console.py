"""The console in a browser: what support sees, what an operator does, what only an admin may."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from psycopg import sql

import console_world as world
from handover_world import fenced
from heller.database import call
from heller.migration import check_proof
from heller.rollout import controller
from heller.stripe import inbox
from heller.stripe.api import opened
from heller.stripe.settings import load
from heller.web import audit
from ui_site import DESKTOP, PHONE, Site, free_port, serious_issues

pytestmark = pytest.mark.asyncio(loop_scope="session")
session_fixture = pytest_asyncio.fixture(scope="session", loop_scope="session")

PAGES = (
    "/console",
    "/console/accounts",
    "/console/account?id=ada.lovelace",
    "/console/deliveries?tab=all",
    "/console/discrepancies?tab=all",
    "/console/endpoints",
    "/console/usage",
    "/console/rollout",
    "/console/migration",
    "/console/migration/rows",
    "/console/checklist",
    "/console/audit",
)
ACTS = (
    "/console/account/adjust",
    "/console/account/grant",
    "/console/account/recurring",
    "/console/account/recurring/end",
    "/console/account/freeze",
    "/console/account/unfreeze",
    "/console/deliveries/1/retry",
    "/console/deliveries/1/ignore",
    "/console/deliveries/1/assign",
    "/console/deliveries/1/adjust",
    "/console/discrepancies/1/close",
    "/console/rollout/start",
    "/console/rollout/promote",
    "/console/rollout/halt",
    "/console/rollout/rollback",
    "/console/keys",
    "/console/keys/rotate",
    "/console/keys/abc/revoke",
    "/console/endpoints/test",
)


@session_fixture
async def busy(site: Site) -> Site:
    """A site where something has happened."""
    await world.accounts(site.heller)
    await world.deliveries(site.database_url, ages=0.01)
    return site


@session_fixture
async def legacy(site: Site, server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A legacy system that was carried over to the site."""
    name = f"legacy_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = site.database_url.replace(psycopg.conninfo.conninfo_to_dict(site.database_url)["dbname"], name, 1)
    await world.migrated(url, site.database_url, tmp_path_factory.mktemp("migration"), users=30)
    yield url
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


async def act(page: Page, label: str, **fields: str) -> None:
    """Open the form of an action, fill it and send it."""
    panel = page.locator("details.action", has=page.locator("summary", has_text=label))
    await panel.locator("summary").click()
    for name, value in fields.items():
        field = panel.locator(f"[name={name}]")
        await (field.check() if value == "yes" else field.fill(value))
    await panel.locator("button[type=submit]").click()
    await expect(page.locator("main .alert").first).to_be_visible()


async def sent_again(page: Page, text: str, *, at_once: bool = False) -> None:
    """Send the open form several times, as impatient clicks do; each answer says what the first did."""
    form = page.locator("details.action[open] form")
    target = await form.get_attribute("action")
    fields = await form.evaluate("form => Object.fromEntries(new FormData(form))")
    assert target is not None
    first = page.request.post(target, form=fields)
    if not at_once:
        await first
        answer = await page.request.post(target, form=fields)
        assert text in await answer.text()
    else:
        await asyncio.gather(first, page.request.post(target, form=fields))
    await form.evaluate("form => form.requestSubmit()")
    await expect(page.locator("main .alert").first).to_contain_text(text)


async def worked(site: Site) -> None:
    """What the worker does with the inbox."""
    async with opened(load(site.environment)) as api:
        while await inbox.drain(site.database, api):
            pass


async def test_an_operator_retries_a_parked_delivery_and_says_whose_it_is(site: Site, as_role: Any) -> None:
    payment = site.twin.dashboard_charge(amount=1_900, currency="eur")["id"]
    site.twin.drain()
    await worked(site)
    await site.heller.open_account("by-hand")
    page = await as_role("operator")
    await page.goto(f"/console/deliveries?tab=parked&payment={payment}")
    await page.locator("tbody tr").first.locator("a").first.click()
    await expect(page.locator("dl.facts").first).to_contain_text("no_order")
    await act(page, "Retry", reason="Stripe was slow")
    await expect(page.locator("main .alert").first).to_contain_text("back in the queue")
    await expect(page.locator("dl.facts").first).to_contain_text("Waiting")
    await worked(site)
    await page.reload()
    await expect(page.locator("dl.facts").first).to_contain_text("Parked")
    await act(page, "Assign", account="by-hand", credits="five hundred", reason="A friend paid by link")
    await expect(page.locator("main .alert").first).to_contain_text("credits is a whole number")
    await expect(page.locator("#assign-reason")).to_have_value("A friend paid by link")
    await page.locator("#assign-credits").fill("500")
    await page.locator("details.action[open] button[type=submit]").click()
    await expect(page.locator("main .alert").first).to_contain_text("The payment is assigned")
    await worked(site)
    assert (await site.heller.balance("by-hand")).posted == 500
    number = page.url.rsplit("/", 1)[1]
    async with site.database.connection() as connection:
        done = await audit.entries(connection, target=number)
    assert [(entry.action, entry.actor) for entry in done] == [
        ("delivery.assign", "user:development-operator"), ("delivery.retry", "user:development-operator"),
    ]  # fmt: skip


async def test_a_payment_is_answered_by_hand_once_and_never_credited_after_it(
    site: Site, as_role: Any
) -> None:
    payment = site.twin.dashboard_charge(amount=1_900, currency="eur")["id"]
    site.twin.drain()
    await worked(site)
    await site.heller.open_account("answered")
    page = await as_role("operator")
    await page.goto(f"/console/deliveries?tab=parked&payment={payment}")
    await page.locator("tbody tr").first.locator("a").first.click()
    await act(page, "Answer by hand", account="nobody-here", amount="500", reason="Paid by link")
    await expect(page.locator("main .alert").first).to_contain_text("there is no account nobody-here")
    await page.locator("#adjust-account").fill("answered")
    await page.locator("details.action[open] button[type=submit]").click()
    await expect(page.locator("main .alert").first).to_contain_text("Adjusted by +500")
    await expect(page.locator("dl.facts").first).to_contain_text("answered by hand")
    await act(page, "Retry", reason="Look once more")
    await worked(site)
    assert (await site.heller.balance("answered")).posted == 500
    async with site.database.connection() as connection:
        done = await audit.entries(connection, target=page.url.rsplit("/", 1)[1])
    assert [entry.action for entry in done] == ["delivery.retry", "delivery.adjust"]


async def test_an_endpoint_that_fails_shows_its_attempts(site: Site, as_role: Any) -> None:
    await site.heller.open_account("told")
    secret = f"whsec_{base64.b64encode(b'a secret of this test only').decode()}"
    await site.heller.put_webhook_endpoint(
        "crm", f"http://127.0.0.1:{free_port()}/hook", secret=secret, account="told"
    )
    try:
        await site.heller.grant("told", 5)
        for _ in range(600):  # until nothing older can still be written
            delivery = await site.heller.deliver_once()
            if delivery is not None and delivery.error:
                break
            await asyncio.sleep(0.1)
        page = await as_role("support")
        await page.goto("/console/endpoints?id=crm")
        await expect(page.locator("main tbody tr").first).to_contain_text("1 failure")
        await expect(page.locator("#attempts tbody tr")).to_have_count(1)
        await expect(page.locator("#attempts tbody tr")).to_contain_text("no answer")
        assert secret not in await page.content()
        assert await serious_issues(page) == []
        await expect(page.get_by_role("button", name="Send a test event")).to_have_count(0)
        page = await as_role("operator")
        await page.goto("/console/endpoints?id=crm")
        await page.get_by_role("button", name="Send a test event").click()
        await expect(page.locator("main .alert").first).to_contain_text("was not taken: ConnectError")
        await expect(page.locator("main tbody tr").first).to_contain_text("1 failure")
        await expect(page.locator("#attempts tbody tr")).to_have_count(1)
        assert await serious_issues(page) == []
    finally:
        await site.heller.remove_webhook_endpoint("crm")


async def test_usage_is_counted_over_all_accounts_and_cut_as_asked(site: Site, as_role: Any) -> None:
    for account, spends in (("images-1", (30, 12)), ("images-2", (5,))):
        await site.heller.open_account(account, unit="image")
        await site.heller.grant(account, 100, unit="image")
        for amount in spends:
            await site.heller.spend(
                account, amount, unit="image", reason=f"picture of {amount}", metadata={"feature": "pictures"}
            )
    for number in range(6):
        await site.heller.spend("images-2", 1, unit="image", reason=f"little {number}")
    await site.heller.refund("images-1", 2, amount=10, unit="image")
    page = await as_role("support")
    await page.goto("/console/usage?unit=image")
    await expect(page.locator(".tile-value")).to_have_text(["43", "9", "10"])
    rows = page.locator("#names tbody tr")
    await expect(rows).to_have_count(7)
    await expect(rows.first).to_contain_text("pictures")
    await expect(rows.first.locator("td.num")).to_have_text(["3", "10", "37"])
    drawn = "chart => chart.data.datasets.map(d => [d.label, d.data.at(-1), d.data.length])"
    chart = await page.evaluate(f"({drawn})(Chart.getChart(document.querySelector('canvas')))")
    assert [chart[0], chart[-1]] == [["pictures", 37, 30], ["Everything else", 2, 30]]
    await page.get_by_role("link", name="By account").click()
    await page.get_by_role("link", name="Per month").click()
    await page.get_by_role("link", name="365 days").click()
    await expect(rows.locator("td.num:last-child")).to_have_text(["32", "11"])
    assert await serious_issues(page) == []
    answer = await page.request.get(await page.get_by_role("link", name="CSV").get_attribute("href") or "")
    lines = (await answer.text()).splitlines()
    assert lines[0] == "begin,name,spent,refunded,count,accounts"
    assert [line.split(",", 1)[1] for line in lines[1:]] == ["images-1,42,10,2,1", "images-2,11,0,7,1"]
    await page.get_by_role("link", name="images-1").click()
    await expect(page.locator("main h1, main h2").first).to_contain_text("images-1")
    assert (await page.goto("/console/usage?by=colour")).status == 422


async def test_a_double_click_adjusts_once_and_a_refusal_keeps_what_was_typed(
    site: Site, as_role: Any
) -> None:
    await site.heller.open_account("twice")
    page = await as_role("operator")
    await page.goto("/console/account?id=twice")
    await act(page, "Adjust", amount="-5", reason="wrong")
    await expect(page.locator("main .alert").first).to_have_attribute("role", "alert")
    await expect(page.locator("#adjust-amount")).to_have_value("-5")
    await page.locator("#adjust-amount").fill("25")
    await page.locator("#adjust-reason").fill("Sorry for the trouble")
    await sent_again(page, "Adjusted by +25: the balance is 25", at_once=True)
    (row,) = await site.heller.history("twice")
    assert (row.delta, row.reason, row.actor) == (25, "Sorry for the trouble", "user:development-operator")
    async with site.database.connection() as connection:
        (entry,) = await audit.entries(connection, target="twice")
    assert (entry.action, entry.detail["amount"], entry.detail["seq"]) == ("account.adjust", 25, 1)
    await act(page, "Grant", amount="10", reason="Welcome back", expires_at="2099-01-01")
    await act(page, "Freeze", reason="to be looked at")
    await expect(page.locator("main")).to_contain_text("Frozen: to be looked at")
    await act(page, "Unfreeze", reason="it was nothing")
    assert (await site.heller.balance("twice")).posted == 35


async def test_an_operator_gives_every_period_and_ends_it(site: Site, as_role: Any) -> None:
    await site.heller.open_account("monthly")
    await site.heller.put_recurring_grant(
        "monthly", "plan", 10, time_zone="Europe/Berlin", cost=500, currency="EUR"
    )
    page = await as_role("operator")
    await page.goto("/console/account?id=monthly")
    await act(page, "Every period", name="plan", amount="80", rollover="20", reason="a larger plan")
    card = page.locator("section.card").filter(has=page.get_by_role("heading", name="Every period"))
    await expect(card.locator("tbody tr")).to_have_count(1)
    await expect(card).to_contain_text("up to 20 roll over")
    (plan,) = await site.heller.recurring_grants("monthly")
    assert (plan.amount, plan.rollover, plan.time_zone, plan.cost) == (80, 20, "Europe/Berlin", 500)
    assert (await site.heller.balance("monthly")).posted == 10, "from the next period on"
    page.on("dialog", lambda dialog: dialog.accept())
    await card.get_by_role("button", name="End plan").click()
    await expect(page.locator("main .alert").first).to_contain_text("No further period of plan begins")
    assert await site.heller.recurring_grants("monthly") == []


async def test_an_account_is_found_by_an_e_mail_from_the_overview(busy: Site, as_role: Any) -> None:
    page = await as_role("support")
    await page.locator("#quick").fill("ADA@exam")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="ada.lovelace").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("ada.lovelace")
    await page.locator("#filter-text").fill("tailoring")
    await page.get_by_role("button", name="Filter").click()
    reasons = page.locator("#transactions tbody td:nth-child(4)")
    await expect(reasons.first).to_contain_text("resume tailoring")
    assert set(await reasons.all_inner_texts()) == {"resume tailoring"}


async def test_many_grants_and_holds_of_an_account_come_in_pages(site: Site, as_role: Any) -> None:
    await site.heller.open_account("many")
    async with site.database.connection() as connection:
        await connection.execute(
            "select heller.grant('many', 2), heller.hold('many', 1) from generate_series(1, 101)"
        )
    page = await as_role("support")
    await page.goto("/console/account?id=many")
    for title in ("Grants", "Open holds"):
        card = page.locator(".card", has=page.get_by_role("heading", name=title, exact=True))
        assert await card.locator("tbody tr").count() == 100
        await card.get_by_role("link", name="Next").click()
        await expect(card.locator("tbody tr")).to_have_count(1)
        await expect(card.locator("tbody td").first).to_have_text("101")
        await card.get_by_role("link", name="To the first page").click()
        await expect(card.locator("tbody tr")).to_have_count(100)


async def test_the_overview_follows_what_happens_without_a_reload(busy: Site, as_role: Any) -> None:
    page = await as_role("support")
    tile = page.locator(".tile", has_text="Open discrepancies").locator(".tile-value")
    before = int(await tile.inner_text())
    async with busy.database.connection() as connection:
        await call(connection, "stripe_discrepancy", kind="unbooked", payment_key=f"pi_{uuid4().hex}")
    await expect(tile).to_have_text(str(before + 1))
    await page.goto("/console/deliveries?tab=ignored&type=charge.updated")
    await expect(page.locator("[data-part=rows]")).to_contain_text("No deliveries here")
    async with busy.database.connection() as connection:
        row = await (
            await connection.execute(
                "select inbox_id from heller.inbox where type = 'charge.updated' and event_id = 'evt_1Demo6'"
            )
        ).fetchone()
        assert row is not None
        await call(connection, "stripe_ignore", inbox_id=row[0], actor="test", reason="a test")
    await expect(page.locator(f"#no-{row[0]}")).to_be_visible()


async def test_a_rollout_is_started_promoted_and_rolled_back(site: Site, legacy: str, as_role: Any) -> None:
    page = await as_role("operator")
    await page.goto("/console/rollout")
    async with fenced(legacy, site.database_url) as sides:
        await act(page, "Start", stages="50, 100", soak_hours="0", reason="the dry run was clean")
        await controller.tick(sides)
        await page.reload()
        await expect(page.locator("[aria-current=step]")).to_contain_text("50 %")
        moved = len([user async for user, _ in sides.legacy.users(away=True)])
        await expect(page.locator(".split-legend")).to_contain_text(f"at home in heller {moved}")
        await expect(page.locator(".guardrail-passed")).to_contain_text("Invariants")
        await act(page, "Promote", reason="it looks fine")
        await expect(page.locator("main .alert").first).to_contain_text(
            "The gate of this stage is not passed"
        )
        await page.locator("[name=even_unproven]").check()
        await page.locator("#promote-reason").fill("it looks fine, and the gate can wait")
        await sent_again(page, "Promoted: the stage is 100 %")
        await controller.tick(sides)
        assert [user async for user, _ in sides.legacy.users(away=False)] == []
        await expect(page.locator("summary", has_text="Roll back")).to_have_count(0)
        await _rolled_back(await as_role("admin"), sides)
        assert [user async for user, _ in sides.legacy.users(away=True)] == []


async def _rolled_back(page: Page, sides: Any) -> None:
    """An admin types the confirmation; the worker brings everyone back; the timeline says so."""
    await page.goto("/console/rollout")
    await page.locator("summary", has_text="Roll back").click()
    await page.locator("#rollback-reason").fill("complaints")
    await page.locator("#rollback-confirmation").fill("roll bac")
    button = page.locator("details.action[open] button[type=submit]")
    await expect(button).to_be_disabled()
    await page.locator("#rollback-confirmation").press_sequentially("k")
    await button.click()
    await expect(page.locator("main .alert").first).to_contain_text("being returned")
    await controller.tick(sides)
    await page.reload()
    timeline = page.locator("ol.timeline li strong")
    await expect(timeline).to_have_text(["Everyone has returned", "Rolled back", "Promoted", "Started"])


async def test_the_migration_page_tells_steps_findings_decisions_and_proof(
    site: Site, legacy: str, as_role: Any, tmp_path: Path
) -> None:
    page = await as_role("support")
    await page.goto("/console/migration")
    await expect(page.locator(".steps-row .step-finished")).to_have_count(6)
    await expect(page.locator("main")).to_contain_text("Every credit is accounted for.")
    finding = page.locator("details.more", has_text="match nobody")
    await finding.locator("summary").click()
    await expect(finding).to_contain_text("unknown_user")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="proof.json").click()
    await (await download.value).save_as(tmp_path / "proof.json")
    assert check_proof(tmp_path / "proof.json")


async def test_a_copy_that_runs_shows_its_rate_and_the_time_left(site: Site, as_role: Any) -> None:
    page = await as_role("support")
    async with site.database.connection() as connection:
        await connection.execute(
            "insert into heller.migration_steps (step, source_name, phase, done, total, phase_since, seen_at) values"
            " ('copy', 'elsewhere', 'copy', 1000, 4000, clock_timestamp() - interval '10 seconds', clock_timestamp())"
        )
        try:
            await page.goto("/console/migration")
            running = page.locator(".step-running")
            await expect(running).to_contain_text("1,000 of 4,000")
            await expect(running).to_contain_text("100 a second, 30 s left")
            await expect(page.locator(".steps-row")).to_contain_text("not done yet")
        finally:
            await connection.execute("delete from heller.migration_steps where source_name = 'elsewhere'")


async def test_support_sees_all_and_may_do_nothing(busy: Site, as_role: Any) -> None:
    page = await as_role("support")
    for path in PAGES:
        response = await page.goto(path)
        assert response.status == 200, path
        forms = await page.locator("main form[method=post]").count()
        assert forms == 0, path
    token = await page.locator("input[name=csrf]").first.input_value()
    for path in ACTS:
        answer = await page.request.post(path, form={"csrf": token, "reason": "x"})
        assert answer.status == 403, path
    assert (await page.goto("/console/keys")).status == 403
    customer = await as_role("customer", user="ada.lovelace")
    for path in PAGES:
        assert (await customer.request.get(path)).status == 403, path
    nobody = await as_role(None)
    await nobody.goto("/console/accounts?q=ada")
    assert nobody.url.endswith("/sign-in?next=%2Fconsole%2Faccounts%3Fq%3Dada")


async def test_an_operator_may_neither_make_keys_nor_roll_back(busy: Site, as_role: Any) -> None:
    page = await as_role("operator")
    token = await page.locator("input[name=csrf]").first.input_value()
    for path in ("/console/keys", "/console/rollout/rollback"):
        answer = await page.request.post(
            path, form={"csrf": token, "reason": "x", "confirmation": "roll back"}
        )
        assert answer.status == 403, path
    foreign = await page.request.post(
        "/console/account/freeze", form={"account": "ada.lovelace", "reason": "x"}
    )
    assert foreign.status == 403
    assert not (await busy.heller.balance("ada.lovelace")).frozen


async def test_a_keys_secret_is_shown_once_and_nowhere_else(site: Site, as_role: Any) -> None:
    page = await as_role("admin")
    await page.goto("/console/keys")
    await act(page, "New key", name="nightly report")
    secret = await page.locator(".secret code").inner_text()
    assert secret.startswith("heller_")
    answer = await page.request.get("/v1/users", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status != 401
    for path in ("/console/keys", "/console/audit"):
        await page.goto(path)
        assert secret.rsplit("_", 1)[1] not in await page.content()
    await page.goto("/console/keys")
    key = secret.split("_")[1]
    for hours in ("2161", "-1"):
        await act(page, "Rotate", hours=hours)  # the newest key is the one that is chosen
        await expect(page.locator("main .alert").first).to_contain_text("overlap is 0 to 90 days")
        await page.goto("/console/keys")
    await act(page, "Rotate", hours="0")
    assert secret != await page.locator(".secret code").inner_text()
    await expect(page.locator("tr", has_text=key)).to_have_count(0)
    await page.goto("/console/keys")
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.locator("tr", has_text="nightly report").get_by_role("button", name="Revoke").click()
    await expect(page.locator("main .alert").first).to_contain_text("revoked")


async def test_no_page_shows_the_secret_of_a_buyer(busy: Site, as_role: Any) -> None:
    page = await as_role("admin")
    await page.goto("/console/deliveries?tab=parked&event=evt_1Demo3")
    await page.locator("tbody a").first.click()
    await expect(page.locator("pre.payload")).to_contain_text("pi_3Demo3")
    assert "pi_secret_of_the_buyer" not in await page.content()


async def test_axe_finds_nothing_serious_on_any_page_and_each_fits_a_phone(
    busy: Site, legacy: str, as_role: Any
) -> None:
    page = await as_role("admin")
    issues: list[str] = []
    too_wide: list[str] = []
    async with busy.database.connection() as connection:
        row = await (
            await connection.execute("select max(inbox_id) from heller.inbox where status = 'parked'")
        ).fetchone()
    for path in (
        *PAGES,
        f"/console/deliveries/{row[0] if row else 0}",
        "/console/migration/steps/1",
        "/console/keys",
    ):
        await page.goto(path)
        for summary in await page.locator("details.action > summary").all():
            await summary.click()
        issues += await serious_issues(page)
        await page.set_viewport_size(PHONE)
        if await page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            too_wide.append(path)
        await page.set_viewport_size(DESKTOP)
    await page.emulate_media(color_scheme="dark")
    await page.goto("/console/rollout")
    issues += await serious_issues(page)
    assert (issues, too_wide) == ([], [])


async def test_pages_can_be_read_and_forms_sent_without_javascript(busy: Site, as_role: Any) -> None:
    page = await as_role("operator", java_script_enabled=False, locale="de-DE")
    await page.goto("/console/account?id=ada.lovelace")
    await expect(page.locator("#transactions")).to_contain_text("Buchungen")
    await page.locator("summary", has_text="Anpassen").click()
    await page.locator("#adjust-amount").fill("-9999999")
    await page.locator("#adjust-reason").fill("zu viel")
    await page.locator("details.action[open] button[type=submit]").click()
    await expect(page.locator("main .alert").first).to_contain_text("Nötig sind 9.999.999 Credits")
    await page.locator("#adjust-amount").fill("1")
    await page.locator("#adjust-reason").fill("ohne Skript")
    await page.locator("details.action[open] button[type=submit]").click()
    await expect(page.locator("main .alert").first).to_contain_text("Angepasst um +1")
    await page.goto("/console/checklist")
    await expect(page.locator("#smoke")).to_contain_text("jeder Vorgang wurde probiert")
    await expect(page.locator("main span[lang=en]")).to_have_count(0)
