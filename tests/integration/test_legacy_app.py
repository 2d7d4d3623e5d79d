"""The legacy application as it runs: right with all switches off, and each known fault when its switch is on."""

import subprocess
import sys

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

import legacy_sample
import stripe_twin
from handover_world import fenced
from heller import HomeMiddleware
from heller.migration.handover.invariants import check_invariants
from legacy_sample.app import Fault, faults_of
from legacy_world import HOOK, PAID, build_site, running


@pytest.fixture(scope="module")
def twin():
    with stripe_twin.running() as running:
        running.hold()
        yield running


@pytest.fixture
async def legacy(empty_database):
    await build_site(empty_database)
    return empty_database


async def test_customer_signs_in_spends_undoes_and_buys(legacy, twin, connect):
    async with running(legacy, twin, connect) as shop:
        assert (await shop.client.get("/api/balance")).status_code == 401
        assert (await shop.client.post("/api/login", json={"email": "nobody@example.com"})).status_code == 401
        await shop.sign_in()
        spent = (await shop.client.post("/api/spend", json={"feature": "analysis", "ref": "r1"})).json()
        assert (spent["delta"], spent["balance"]) == (-10, 90)
        for _ in range(2):  # once, however often it is asked for
            back = await shop.client.post("/api/undo", json={"transaction": spent["transaction"]})
            assert back.json()["balance"] == 100
        assert (await shop.client.post("/api/spend", json={"feature": "flight"})).status_code == 404
        _, intent = await shop.buy()
        paid = shop.events(intent, "checkout.session.completed", "payment_intent.succeeded")
        assert len(paid) == 2
        assert [outcome for _, outcome in await shop.deliver(*paid, *paid)] == [
            "credited", "credited before", "seen before", "seen before",
        ]  # fmt: skip
        twin.refund(intent, 200)
        twin.refund(intent, 100)
        back = shop.events(intent, "charge.refunded", "refund.created", "charge.refund.updated")
        assert {status for status, _ in await shop.deliver(*back)} == {200}
        assert await shop.balance() == 100 + 100 - 60
        page = (await shop.client.get("/balance")).text
        assert "Your credits" in page
        assert "140" in page
        for _ in range(9):
            await shop.client.post("/api/spend", json={"feature": "improvement"})
        poor = await shop.client.post("/api/spend", json={"feature": "analysis"})
        assert (poor.status_code, poor.json()) == (
            402,
            {"error": "too few", "required": 10, "available": 5},
        )
        forged = await shop.client.post(HOOK, content=b"{}", headers={"stripe-signature": "t=1,v1=00"})
        assert forged.status_code == 400


async def test_user_who_moved_is_told_so_and_router_sends_them_on(legacy, heller_database, twin, connect):
    async with fenced(legacy, heller_database) as sides:

        async def home(user):
            row = await (
                await sides.legacy.connection.execute("select heller_fence.home(%s)", [user])
            ).fetchone()
            return row[0]

        def routed(app):
            return HomeMiddleware(
                app,
                user_of=lambda scope: dict(scope["headers"]).get(b"x-user", b"").decode() or None,
                home=home,
                elsewhere="https://new.example.com",
            )

        async with running(legacy, twin, connect, wrap=routed) as shop:
            user = str(await shop.sign_in())
            session, _ = await shop.buy(pay=False)
            await sides.coordinator().hand_over([user])
            before = await shop.balance()
            for path, body in (("spend", {"feature": "match"}), ("buy", {"pack": "small"})):
                answer = await shop.client.post(f"/api/{path}", json=body)
                assert (answer.status_code, answer.json()["error"]) == (409, "moved")
            page = await shop.client.post(
                "/api/spend", json={"feature": "match"}, headers={"accept": "text/html"}
            )
            assert "have moved to the new system" in page.text
            intent = twin.pay(session)["payment_intent"]
            (late,) = await shop.deliver(*shop.events(intent, "checkout.session.completed"))
            assert late[0] == 409  # the sender keeps it; nothing of it stays
            assert await shop.kept(intent) == []
            assert await shop.balance() == before
            sent_on = await shop.client.post(
                "/api/spend?x=1", json={"feature": "match"}, headers={"x-user": user}
            )
            assert (sent_on.status_code, sent_on.headers["location"]) == (
                307,
                "https://new.example.com/api/spend?x=1",
            )
            assert (await check_invariants(sides)).ok


async def test_fault_rollback_cascade_loses_the_dedupe_row_and_fails(legacy, twin, connect):
    async with running(legacy, twin, connect, "rollback_cascade") as shop:
        await shop.sign_in()
        _, intent = await shop.buy()
        assert await shop.deliver(*shop.events(intent, PAID)) == [(500, "failed")]
        assert await shop.kept(intent) == []
        assert await shop.balance() == 100


async def test_fault_text_id_fails_each_webhook_and_200_hides_it(legacy, twin, connect):
    async with running(legacy, twin, connect, "text_id") as shop:
        await shop.sign_in()
        _, intent = await shop.buy()
        assert await shop.deliver(*shop.events(intent, PAID)) == [(500, "failed")]
    async with running(legacy, twin, connect, "text_id,errors_are_200") as shop:
        await shop.sign_in()
        assert await shop.deliver(*shop.events(intent, PAID)) == [(200, "failed")]
        assert await shop.balance() == 100


async def test_fault_null_match_credits_somebody_else(legacy, twin, connect):
    async with running(legacy, twin, connect, "null_match") as shop:
        await shop.connection.execute("delete from payments")
        await shop.sign_in("user2@example.com")
        await shop.buy("large", pay=False)
        await shop.sign_in()
        _, intent = await shop.buy()
        assert await shop.deliver(*shop.events(intent, PAID)) == [(200, "credited")]
        assert await shop.balance() == 100
        await shop.sign_in("user2@example.com")
        assert await shop.balance() == 1_300


async def test_fault_full_refund_takes_everything_three_times(legacy, twin, connect):
    async with running(legacy, twin, connect, "full_refund") as shop:
        await shop.sign_in()
        _, intent = await shop.buy()
        await shop.deliver(*shop.events(intent, PAID))
        twin.refund(intent, 100)
        taken = shop.events(intent, "charge.refunded", "refund.created", "charge.refund.updated")
        await shop.deliver(*taken)
        assert await shop.balance() == 200 - 100 * len(taken)
        assert len(taken) > 1


async def test_fault_late_succeeded_credits_again(legacy, twin, connect):
    async with running(legacy, twin, connect, "late_succeeded") as shop:
        await shop.sign_in()
        _, intent = await shop.buy()
        await shop.deliver(*shop.events(intent, PAID))
        twin.refund(intent)
        await shop.deliver(*shop.events(intent, "charge.refunded"))
        assert await shop.balance() == 100
        await shop.deliver(*shop.events(intent, "payment_intent.succeeded"))
        assert await shop.balance() == 200


async def test_fault_euro_only_drops_dollars(legacy, twin, connect):
    async with running(legacy, twin, connect, "euro_only") as shop:
        await shop.sign_in()
        _, intent = await shop.buy("dollars")
        assert await shop.deliver(*shop.events(intent, PAID)) == [(200, "ignored")]
        assert await shop.balance() == 100
    async with running(legacy, twin, connect) as shop:
        await shop.sign_in()
        _, intent = await shop.buy("dollars")
        assert await shop.deliver(*shop.events(intent, PAID)) == [(200, "credited")]


async def test_fault_name_match_credits_the_first_namesake(legacy, twin, connect):
    async with running(legacy, twin, connect, "name_match") as shop:
        await shop.connection.execute("update users set name = 'Ann Other' where email = 'user2@example.com'")
        await shop.sign_in()
        session, _ = await shop.buy()
        await shop.connection.execute(
            "update payments set user_id = 'user_ghost' where provider_checkout_session_id = %s", [session]
        )
        twin.tamper(session, {"customer_details": {"name": "Ann Buyer"}})
        event = twin.emit(PAID, session)
        assert await shop.deliver(event["id"]) == [(200, "credited")]
        await shop.sign_in("user2@example.com")
        assert await shop.balance() == 200


async def test_fault_zero_on_error_shows_an_empty_account(legacy, twin, connect, monkeypatch):
    async def broken(*_args, **_options):
        from sqlalchemy.exc import OperationalError  # noqa: PLC0415

        raise OperationalError("select", {}, Exception("gone"))

    async with running(legacy, twin, connect, "zero_on_error") as shop:
        await shop.sign_in()
        monkeypatch.setattr(AsyncSession, "execute", broken)
        assert await shop.balance() == 0
    monkeypatch.undo()
    async with running(legacy, twin, connect) as shop:
        await shop.sign_in()
        monkeypatch.setattr(AsyncSession, "execute", broken)
        assert (await shop.client.get("/api/balance")).status_code == 500


def test_unknown_fault_is_refused_with_the_known_ones():
    assert faults_of("all") == frozenset(Fault)
    with pytest.raises(legacy_sample.LegacySampleError, match="Known faults"):
        faults_of("gremlins")


async def test_tables_of_another_shape_are_refused(empty_database, twin, connect):
    with pytest.raises(legacy_sample.LegacySampleError, match="production"):
        async with running(empty_database, twin, connect):
            pass


@pytest.mark.parametrize(
    ("extra", "word"),
    [(["--faults", "gremlins"], "Known faults are"), ([], "tables")],
)
def test_sample_app_that_cannot_run_says_why(empty_database, extra, word):
    command = [
        sys.executable,
        "-m",
        "heller.cli.main",
        "sample",
        "app",
        empty_database,
        "--webhook-secret",
        "whsec_x",
        *extra,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert word in done.stderr
    assert "Traceback" not in done.stderr
