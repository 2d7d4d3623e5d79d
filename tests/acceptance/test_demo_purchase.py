"""The demo's purchase: a real process stands in for Stripe, and its webhooks come over a real wire."""

from heller import verify
from heller.cli.demo.purchase import purchase


async def test_purchase_is_credited_once_and_refunded_in_proportion(empty_database: str) -> None:
    done = await purchase(empty_database)
    assert (done.after_purchase, done.after_repeats, done.after_refund) == (500, 500, 375)
    assert done.deliveries > done.events
    assert (await verify(empty_database)).is_ok
