"""While Stripe's API is down, a signed success credits what its order says, if that was switched on; nothing else does."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from heller.stripe import api

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture(autouse=True)
def quick_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own retries only make a test of an outage slow."""
    monkeypatch.setattr(api, "RETRIES_MAX", 0)


async def go_down(shop: Any) -> None:
    shop.twin.set_faults(api_500=1.0)


async def come_back(shop: Any) -> None:
    shop.twin.set_faults(api_500=0.0)
    await shop.rows("update heller.inbox set due_at = clock_timestamp() where status = 'pending' returning 1")
    await shop.work()


async def test_an_outage_credits_nobody_unless_the_degraded_mode_is_on(shop: Any) -> None:
    await shop.paid()
    await go_down(shop)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 0
    await come_back(shop)
    assert await shop.balance() == 100


async def test_a_signed_success_credits_at_once_and_stripe_is_asked_later(shop: Any) -> None:
    shop.with_settings(degraded_mode=True)
    intent = await shop.paid()
    await go_down(shop)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 100
    assert "done" not in await shop.statuses()  # the look at Stripe still comes
    await shop.post(shop.ids(SUCCEEDED)[0])
    await shop.work()
    await come_back(shop)
    assert await shop.kinds() == [("purchase", 100)]
    assert "pending" not in await shop.statuses()
    assert (await shop.payment(intent))["state"] == "settled"
    assert await shop.drift() == []


async def test_what_was_refunded_meanwhile_is_taken_back_when_stripe_answers(shop: Any) -> None:
    shop.with_settings(degraded_mode=True)
    intent = await shop.paid()
    shop.twin.refund(intent)
    await go_down(shop)
    await shop.deliver(SUCCEEDED)
    await shop.work()
    assert await shop.balance() == 100
    await come_back(shop)
    assert await shop.kinds() == [("purchase", 100), ("clawback", -100)]
    assert await shop.drift() == []


async def test_a_success_that_comes_again_after_a_refund_credits_nothing(shop: Any) -> None:
    shop.with_settings(degraded_mode=True)
    intent = await shop.settled()
    shop.twin.refund(intent)
    await shop.converge(intent)
    await go_down(shop)
    await shop.rows(
        "update heller.inbox set status = 'pending', due_at = clock_timestamp(), closed_at = null where type = %s returning 1",
        SUCCEEDED,
    )
    await shop.work()
    assert await shop.balance() == 0


Change = Callable[[dict[str, Any]], Any]
DOUBTS: dict[str, Change] = {
    "less money": lambda event: event["data"]["object"].update(amount_received=999),
    "another currency": lambda event: event["data"]["object"].update(currency="usd"),
    "no order of ours": lambda event: event["data"]["object"]["metadata"].update(order_id="order_of_nobody"),
    "no order": lambda event: event["data"]["object"]["metadata"].clear(),
    "not succeeded": lambda event: event["data"]["object"].update(status="processing"),
    "another customer": lambda event: event["data"]["object"].update(customer="cus_of_somebody"),
    "real money": lambda event: event["data"]["object"].update(livemode=True),
    "another version": lambda event: event.update(api_version="2017-08-15"),
}


async def test_any_doubt_waits_for_stripe(shop: Any) -> None:
    shop.with_settings(degraded_mode=True)
    for number, (doubt, change) in enumerate(DOUBTS.items()):
        intent = await shop.paid()
        (event_id,) = shop.ids(SUCCEEDED, about=intent)
        event = json.loads(shop.twin.delivery(event_id, shop.endpoint).body)
        event["id"] = f"evt_doubtful_{number}"
        change(event)
        await shop.post_raw(json.dumps(event).encode())
        await go_down(shop)
        await shop.work()
        assert (doubt, await shop.balance()) == (doubt, 0)
        assert set(await shop.statuses()) == {"pending"}, doubt
        assert (doubt, await shop.rows("select payment_key from heller.payments")) == (doubt, [])
        shop.twin.set_faults(api_500=0.0)


async def test_a_refund_that_waits_beside_the_success_waits_with_it(shop: Any) -> None:
    shop.with_settings(degraded_mode=True)
    intent = await shop.paid()
    shop.twin.refund(intent, amount=500)
    await go_down(shop)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 0
    await come_back(shop)
    assert await shop.balance() == 50
