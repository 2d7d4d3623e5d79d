"""The adversarial catalogue, 19 to 34: the same thing twice, and things in the wrong order."""

import asyncio
import sys
from itertools import permutations
from typing import Any

import pytest

from heller.database import call
from heller.stripe import snapshot
from heller.stripe.api import API_VERSION
from heller.stripe.checkout import confirm
from heller.stripe.converge import converge
from heller.stripe.events import LOST_EVENTS


@pytest.mark.catalogue(19)
async def test_same_event_twice_is_one_grant_and_two_deliveries(shop: Any) -> None:
    await shop.paid()
    event = shop.ids("payment_intent.succeeded")[0]
    first, second = await shop.post(event), await shop.post(event)
    await shop.work()
    assert (first.deliveries, second.deliveries, second.status) == (1, 2, 200)
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(20)
async def test_twenty_deliveries_at_once_are_one_grant(shop: Any) -> None:
    await shop.paid()
    event = shop.ids("payment_intent.succeeded")[0]
    results = await asyncio.gather(*(shop.post(event) for _ in range(20)))
    assert {result.status for result in results} == {200}
    await shop.work()
    assert await shop.rows("select deliveries from heller.inbox") == [(20,)]
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(21)
@pytest.mark.parametrize(
    "order",
    list(permutations(["checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"])),
)
async def test_three_types_of_one_payment_are_one_grant(shop: Any, order: tuple[str, ...]) -> None:
    await shop.paid()
    for event_type in order:
        await shop.post(shop.ids(event_type)[0])
        await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


async def test_events_of_one_payment_are_answered_by_one_look(shop: Any) -> None:
    await shop.paid()
    await shop.deliver()
    before = len(shop.twin.requests)
    assert await shop.work() == 3
    looks = [r for r in shop.twin.requests[before:] if "/v1/payment_intents/" in r.path]
    assert len(looks) == 1


@pytest.mark.catalogue(22)
async def test_webhook_redirect_and_reconcile_at_once_are_one_grant(shop: Any) -> None:
    order = await shop.buy()
    shop.twin.pay(order.checkout_session)
    await shop.deliver()
    await asyncio.gather(
        shop.work(),
        *(confirm(shop.database, shop.api, order.checkout_session) for _ in range(5)),
        *(shop.reconcile() for _ in range(2)),
    )
    assert await shop.kinds() == [("purchase", 100)]
    assert await shop.drift() == []


@pytest.mark.catalogue(23)
async def test_two_endpoints_with_two_versions_are_one_grant(shop: Any) -> None:
    old = shop.twin.add_endpoint("http://127.0.0.1:1/old", api_version="2020-08-27")
    shop.with_settings(webhook_secrets=(shop.settings.webhook_secrets[0], old["secret"]))
    await shop.paid()
    event = shop.ids("payment_intent.succeeded")[0]
    assert (await shop.post(event)).outcome == "secret_0"
    shop.endpoint = old["id"]
    assert (await shop.post(event)).outcome == "secret_1"
    await shop.work()
    assert await shop.rows("select deliveries, api_version from heller.inbox") == [(2, API_VERSION)]
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(24)
async def test_snapshot_and_its_thin_twin_are_one_grant(shop: Any) -> None:
    intent = await shop.paid()
    await shop.post(shop.ids("payment_intent.succeeded")[0])
    await shop.work()
    for about in (intent, shop.twin.events("charge.succeeded")[0]["data"]["object"]["id"]):
        kind = "payment_intent" if about == intent else "charge"
        await shop.post(shop.twin.emit_thin(f"v1.{kind}.succeeded", about)["id"])
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]
    assert await shop.statuses() == {"done": 3}


@pytest.mark.catalogue(25)
async def test_resend_after_twenty_days_changes_nothing(shop: Any) -> None:
    await shop.settled()
    shop.twin.advance(20 * 86_400)
    await shop.post(shop.ids("checkout.session.completed")[0])
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(26)
async def test_second_payment_of_an_order_is_parked(shop: Any) -> None:
    first = await shop.settled()
    second = shop.twin.pay_again(first)["id"]
    await shop.deliver()
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]
    assert set(await shop.parked()) == {"order_already_paid"}
    assert (await shop.payment(second))["parked_reason"] == "order_already_paid"


@pytest.mark.catalogue(27)
async def test_refund_of_the_duplicate_leaves_the_good_payment(shop: Any) -> None:
    first = await shop.settled()
    second = shop.twin.pay_again(first)["id"]
    await shop.deliver()
    await shop.work()
    shop.twin.refund(second)
    await shop.deliver()
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]
    assert await shop.parked() == []
    assert ((await shop.payment(first))["state"], (await shop.payment(second))["state"]) == (
        "settled",
        "refunded",
    )


@pytest.mark.catalogue(28)
async def test_refund_before_the_purchase_event_ends_right_with_both_entries(shop: Any) -> None:
    intent = await shop.paid()
    shop.twin.refund(intent, 400)
    await shop.post(shop.ids("charge.refunded")[0])
    await shop.work()
    assert await shop.kinds() == [("purchase", 100), ("clawback", -40)]
    await shop.deliver()
    await shop.work()
    assert await shop.kinds() == [("purchase", 100), ("clawback", -40)]


@pytest.mark.catalogue(29)
async def test_dispute_closed_before_created_ends_right(shop: Any) -> None:
    intent = await shop.settled()
    dispute = shop.twin.dispute(intent)["id"]
    shop.twin.move_dispute(dispute, "won")
    await shop.post(shop.ids("charge.dispute.closed")[0])
    await shop.work()
    await shop.post(shop.ids("charge.dispute.created")[0])
    await shop.work()
    assert await shop.balance() == 100


@pytest.mark.catalogue(30)
async def test_created_and_processing_after_succeeded_change_nothing(shop: Any) -> None:
    intent = await shop.settled()
    for event_type in ("payment_intent.created", "payment_intent.processing"):
        await shop.post(shop.twin.emit(event_type, intent, changes={"status": "processing"})["id"])
    await shop.work()
    assert (await shop.payment(intent))["state"] == "settled"
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(31)
async def test_async_succeeded_before_completed_is_one_grant(shop: Any) -> None:
    intent = await shop.paid(outcome="sepa")
    shop.twin.settle_sepa(intent)
    await shop.post(shop.ids("checkout.session.async_payment_succeeded")[0])
    await shop.work()
    await shop.post(shop.ids("checkout.session.completed")[0])
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(32)
@pytest.mark.parametrize("backwards", [False, True])
async def test_events_of_the_same_second_end_right(shop: Any, backwards: bool) -> None:
    shop.twin.freeze()
    intent = await shop.paid()
    refund = shop.twin.refund(intent, 500, status="pending")["id"]
    shop.twin.settle_refund(refund, "failed")
    assert len({event["created"] for event in shop.twin.events()}) == 1
    for event in sorted(shop.ids(), reverse=backwards):
        await shop.post(event)
        await shop.work()
    assert await shop.balance() == 100


@pytest.mark.catalogue(33)
async def test_the_order_is_committed_before_stripe_is_asked(shop: Any) -> None:
    shop.twin.fail_next("timeout", method="POST", path="/v1/checkout/sessions", times=3)
    shop.twin.set_faults(timeout_seconds=0.2)
    buying = asyncio.create_task(shop.buy(key="click-1"))
    for _ in range(200):
        orders = await shop.rows("select state, checkout_session from heller.orders")
        if orders:
            break
        await asyncio.sleep(0.01)
    assert orders == [("open", None)]
    buying.cancel()
    await asyncio.gather(buying, return_exceptions=True)
    shop.twin.world.planned.clear()
    order = await shop.buy(key="click-1")
    assert order.checkout_session is not None
    assert len(await shop.rows("select 1 from heller.orders")) == 1


async def stale_snapshot(shop: Any) -> str:
    """A look at Stripe that began before a refund is applied after the refund was."""
    intent = await shop.paid()
    seen = await shop.rows("select heller.stripe_payment(%s)", intent)
    assert seen == [(None,)]
    old = (await converge(shop.database, shop.api, intent, dry_run=True)).facts
    shop.twin.refund(intent)
    await shop.converge(intent)
    async with shop.database.connection() as connection:
        result = await call(
            connection, "stripe_converge", payment_key=intent, seen=0, snapshot=old, livemode=False
        )
    return str(result["outcome"])


@pytest.mark.catalogue(34)
async def test_stale_snapshot_is_refused_and_looked_at_again(shop: Any) -> None:
    assert await stale_snapshot(shop) == "stale"
    assert await shop.balance() == 0
    assert await shop.kinds() == [("purchase", 100), ("clawback", -100)]


@pytest.mark.catalogue(34)
async def test_worker_that_slept_between_look_and_effect_looks_again(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = await shop.paid()
    looked, go_on = asyncio.Event(), asyncio.Event()
    real = snapshot.look
    calls = 0

    async def slow(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        mine = calls
        found = await real(*args, **options)
        if mine == 1:
            looked.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(sys.modules["heller.stripe.converge"], "look", slow)
    sleeper = asyncio.create_task(shop.converge(intent))
    await looked.wait()
    shop.twin.refund(intent)
    other = type(shop.api)(shop.settings)  # another process: no lock in common
    await converge(shop.database, other, intent)
    await other.close()
    go_on.set()
    outcome = await sleeper
    assert (calls, outcome.net_credits, await shop.balance()) == (3, 0, 0)


async def test_lost_events_notice_starts_a_reconcile(shop: Any) -> None:
    event = shop.twin.emit_thin(LOST_EVENTS)
    await shop.post(event["id"])
    called = asyncio.Event()

    async def on_lost_events() -> None:
        called.set()
        await asyncio.sleep(0)

    await shop.work(on_lost_events=on_lost_events)
    assert called.is_set()
    assert await shop.statuses() == {"done": 1}
