"""The demo's purchase: a real process stands in for Stripe, and its webhooks come over a real wire."""

import time

from heller import verify
from heller.cli.demo.purchase import purchase

SECONDS_MAX = 8.0


async def test_purchase_is_credited_once_and_refunded_in_proportion(empty_database: str) -> None:
    started = time.monotonic()
    done = await purchase(empty_database)
    assert (done.after_purchase, done.after_repeats, done.after_refund) == (500, 500, 375)
    assert done.deliveries > done.events
    assert (await verify(empty_database)).is_ok
    assert time.monotonic() - started < SECONDS_MAX
