"""Checkout, catalogue, subscriptions, automatic top-up: the ways in which credits are bought."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from heller.database import call
from heller.errors import IdempotencyConflict, InvalidArgument, UnknownAccount
from heller.stripe import catalogue
from heller.stripe.checkout import Item, cancel_subscription, confirm, find_order, receipt_url
from heller.stripe.customers import customer_of
from heller.stripe.reconcile import sweep
from heller.stripe.top_up import StoredRules, TopUpRule, release_overdue, run_rules, top_up
from stripe_twin.resources import billing

RULE = TopUpRule(account="ann", threshold=50, price="pack-100", cooldown_seconds=0)


async def add_pack(shop: Any, name: str, given: int, amount: int, **more: Any) -> None:
    words = {"product": "Credits", "pack": name, "currency": "eur"}
    await catalogue.add_price(shop.database, name, credits=given, amount=amount, **words, **more)


async def test_several_items_and_quantities_are_one_grant(shop: Any) -> None:
    await add_pack(shop, "pack-500", 500, 4000)
    intent = await shop.settled(items=[Item("pack-100", 2), Item("pack-500", 3)])
    assert await shop.balance() == 1700
    assert (await shop.payment(intent))["paid"] == 14_000
    grants = await shop.rows(
        "select amount::int, cost::int, currency, source, payment_key, reason from heller.grants"
    )
    assert grants == [(1700, 14_000, "eur", "purchase", intent, "2 x 100 credits, 3 x pack-500")]


async def test_success_page_credits_at_once_and_only_its_owner_sees_it(shop: Any) -> None:
    order = await shop.buy()
    before = await confirm(shop.database, shop.api, order.checkout_session)
    assert not before.is_credited
    shop.twin.pay(order.checkout_session)
    after = await confirm(shop.database, shop.api, order.checkout_session, account="ann")
    assert (after.is_credited, after.balance["available"]) == (True, 100)
    with pytest.raises(InvalidArgument, match="no such purchase"):
        await confirm(shop.database, shop.api, order.checkout_session, account="bob")
    with pytest.raises(InvalidArgument, match="no such purchase"):
        await confirm(shop.database, shop.api, "cs_test_unknown")


async def test_both_metadata_places_and_the_reference_carry_the_order(shop: Any) -> None:
    order = await shop.buy()
    session = shop.twin.pay(order.checkout_session)
    intent = await shop.api.retrieve("payment_intents", session["payment_intent"])
    found = (session["client_reference_id"], session["metadata"], intent["metadata"])
    assert found == (order.order_id, {"order_id": order.order_id}, {"order_id": order.order_id})


async def test_customer_is_made_once_and_receipt_goes_to_the_email(shop: Any) -> None:
    async with shop.database.connection() as connection:
        await call(connection, "add_identity", user_id="ann", kind="email", name="Ann@example.com")
    first, second = await shop.buy(), await shop.buy()
    assert (
        first.stripe_customer == second.stripe_customer == await customer_of(shop.database, shop.api, "ann")
    )
    intent = shop.twin.pay(first.checkout_session)["payment_intent"]
    assert (await shop.api.retrieve("payment_intents", intent))["receipt_email"] == "ann@example.com"
    assert "receipt" in (await receipt_url(shop.api, intent) or "")


@pytest.mark.parametrize("is_forgotten", [True, False])
async def test_buyer_whose_customer_was_deleted_at_stripe_can_buy_again(
    shop: Any, is_forgotten: bool
) -> None:
    first = await shop.buy()
    if is_forgotten:
        shop.twin.delete(first.stripe_customer)
    else:
        await shop.api.act("customers", "delete", first.stripe_customer)
    await shop.settled()
    second = await shop.buy(key="click")
    assert (await shop.balance(), await shop.parked()) == (100, [])
    assert second.stripe_customer not in (None, first.stripe_customer)
    made = await shop.rows("select count(*)::int from heller.identities where kind = 'stripe_customer'")
    assert made == [(2,)], "the customer made in its place serves the next purchase too"


@pytest.mark.parametrize("fault", ["500", "lost"])
async def test_purchase_is_begun_again_with_other_words_after_stripe_failed(shop: Any, fault: str) -> None:
    await customer_of(shop.database, shop.api, "ann")
    shop.twin.set_faults(timeout_seconds=0.1)
    shop.twin.fail_next(fault, method="POST", path="/v1/checkout/sessions", times=9 if fault == "500" else 3)
    with pytest.raises(stripe.StripeError):
        await shop.buy(key="click")
    shop.twin.world.planned.clear()
    async with shop.database.connection() as connection:
        await call(connection, "add_identity", user_id="ann", kind="email", name="ann@example.com")
    order = await shop.buy(key="click")
    shop.twin.pay(order.checkout_session)
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), await shop.parked()) == (100, [])


async def test_same_key_is_the_same_order_and_another_request_is_refused(shop: Any) -> None:
    first = await shop.buy(key="click")
    second = await shop.buy(key="click")
    assert (second.order_id, second.session_url, second.replayed) == (first.order_id, first.session_url, True)
    with pytest.raises(IdempotencyConflict):
        await shop.buy(key="click", quantity=2)


async def test_twenty_clicks_with_one_key_are_one_order(shop: Any) -> None:
    orders = await asyncio.gather(*(shop.buy(key="click") for _ in range(20)))
    assert len({order.checkout_session for order in orders}) == 1
    assert await shop.rows("select count(*)::int from heller.orders") == [(1,)]


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ([Item("unknown")], "no active price unknown"),
        ([Item("pack-100", 0)], "quantity"),
        ([], "items must be"),
        ([Item("pack-100"), Item("monthly")], "must share"),
    ],
)
async def test_order_that_makes_no_sense_is_refused(shop: Any, items: list[Item], named: str) -> None:
    await add_pack(shop, "monthly", 300, 2000, period="month", carry="expire")
    with pytest.raises(InvalidArgument, match=named):
        await shop.buy(items=items)
    with pytest.raises(UnknownAccount):
        await shop.buy("nobody")
    assert await shop.rows("select count(*)::int from heller.orders") == [(0,)]


async def test_bought_credits_expire_when_the_pack_says_so(shop: Any) -> None:
    await add_pack(shop, "short", 10, 100, valid_days=30)
    await shop.settled(price="short")
    ((expires_at,),) = await shop.rows("select expires_at from heller.grants")
    assert timedelta(days=29) < expires_at - datetime.now(UTC) < timedelta(days=31)


async def test_price_never_changes_under_its_name(shop: Any) -> None:
    with pytest.raises(InvalidArgument, match="another amount"):
        await add_pack(shop, "pack-100", 100, 999)
    await catalogue.retire_price(shop.database, "pack-100")
    assert await catalogue.prices(shop.database) == []
    with pytest.raises(InvalidArgument, match="no active price"):
        await shop.buy()


async def test_catalogue_goes_to_stripe_and_comes_back(shop: Any) -> None:
    await add_pack(shop, "monthly", 300, 2000, period="month", carry="roll_over")
    pushed = await catalogue.push(shop.database, shop.api)
    assert set(pushed.pushed) == {"pack-100", "monthly"}
    assert (await catalogue.push(shop.database, shop.api)).pushed == ()
    assert (await catalogue.pull(shop.database, shop.api)).pulled == ()
    product = await shop.api.create("products", {"name": "Credits", "metadata": {"credits": "70"}}, key="p")
    params = {"product": product["id"], "currency": "eur", "unit_amount": 700, "lookup_key": "seventy"}
    price = await shop.api.create("prices", params, key="q")
    bare = await shop.api.create("products", {"name": "T-shirt"}, key="r")
    shirt = await shop.api.create(
        "prices", {"product": bare["id"], "currency": "eur", "unit_amount": 1}, key="s"
    )
    found = await catalogue.pull(shop.database, shop.api)
    assert (found.pulled, list(found.skipped)) == (("seventy",), [shirt["id"]])
    await shop.settled(price="seventy")
    assert await shop.balance() == 70
    await shop.api.act("prices", "update", price["id"], {"active": False})
    assert (await catalogue.pull(shop.database, shop.api)).retired == ("seventy",)


@pytest.mark.parametrize("carry", ["expire", "roll_over"])
async def test_subscription_grants_each_period(shop: Any, carry: str) -> None:
    await add_pack(shop, "monthly", 300, 2000, period="month", carry=carry)
    order = await shop.buy(price="monthly")
    subscription = shop.twin.pay(order.checkout_session)["subscription"]
    await shop.deliver()
    await shop.work()
    assert await shop.kinds() == [("grant", 300)]
    shop.twin.advance(32 * 86_400)
    invoice = shop.twin.renew(subscription)
    assert invoice is not None
    await shop.deliver()
    await shop.work()
    assert await shop.kinds() == [("grant", 300), ("grant", 300)]
    expiries = [r[0] for r in await shop.rows("select expires_at from heller.grants order by grant_id")]
    assert all((at is not None) is (carry == "expire") for at in expiries)
    sources = {r[0] for r in await shop.rows("select source from heller.grants")}
    assert sources == {"subscription"}
    found = await find_order(shop.database, subscription)
    assert (found.order_id, found.state) == (order.order_id, "paid")
    keys = [r[0] for r in await shop.rows("select payment_key from heller.payments order by created_at")]
    shop.twin.refund(keys[1], 1000)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 450
    await cancel_subscription(shop.database, shop.api, order.order_id, at_period_end=False)
    assert (await shop.api.retrieve("subscriptions", subscription))["status"] == "canceled"
    assert await shop.drift() == []


async def test_period_that_costs_more_than_was_sold_is_credited_as_sold_and_told(shop: Any) -> None:
    await add_pack(shop, "monthly", 300, 2000, period="month", carry="expire")
    order = await shop.buy(price="monthly")
    subscription = shop.twin.pay(order.checkout_session)["subscription"]
    await shop.deliver()
    await shop.work()
    assert await shop.rows("select kind from heller.discrepancies") == []
    shop.twin.advance(32 * 86_400)
    invoice = shop.twin.renew(subscription)
    shop.twin.tamper(invoice["id"], {"subtotal": 4000})  # two seats from now on
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 600
    told = await shop.rows(
        "select kind, state, account_id, expected ->> 'invoiced' from heller.discrepancies"
    )
    assert told == [("overpaid", "open", "ann", "4000")]


async def pay_later(shop: Any, invoice: str, intent: str, paid_by: str | None) -> None:
    """What Stripe makes of an invoice whose first payment failed and that is paid otherwise: by nothing it knows, or another."""
    world = shop.twin.world
    space = next(space for space in world.store.spaces.values() if invoice in space.kinds)
    space.find(intent)["status"] = "canceled"
    payment = {"type": "payment_intent", "payment_intent": intent}
    words = {"invoice": invoice, "amount_requested": 2000, "payment": payment, "status": "canceled"}
    world.make(space, "invoice_payment", words)
    billing.pay_invoice(world, space, space.find(invoice), paid_by and space.find(paid_by))


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("by", ["nothing", "another"])
async def test_invoice_whose_payment_failed_and_that_was_paid_otherwise_is_credited(
    shop: Any, by: str, is_told: bool
) -> None:
    await add_pack(shop, "monthly", 300, 2000, period="month", carry="expire")
    order = await shop.buy(price="monthly")
    subscription = shop.twin.pay(order.checkout_session)["subscription"]
    await shop.deliver()
    await shop.work()
    shop.twin.advance(32 * 86_400)
    invoice = shop.twin.renew(subscription, outcome="card_declined")["id"]
    ((event,),) = [shop.twin.events("payment_intent.payment_failed")]
    intent = event["data"]["object"]["id"]
    customer = event["data"]["object"]["customer"]
    other = None
    if by == "another":
        words = {
            "amount": 2000,
            "currency": "eur",
            "customer": customer,
            "confirm": True,
            "off_session": True,
        }
        card = shop.twin.save_card(customer)["id"]
        made = await shop.api.create("payment_intents", words | {"payment_method": card}, key="other")
        other = made["id"]
    await pay_later(shop, invoice, intent, other)
    if is_told:
        await shop.deliver()
        await shop.work()
    else:
        shop.twin.forget_pending()
        since = datetime.now(UTC) - timedelta(days=3)
        until = datetime.now(UTC) + timedelta(days=40)
        await sweep(shop.database, shop.api, since=since, until=until)
    assert (await shop.balance(), await shop.parked(), await shop.drift()) == (600, [], [])
    for key in filter(None, (intent, other, invoice)):
        again = await shop.converge(key)
        assert (again.outcome, again.delta, again.net_credits) == ("applied", 0, 300)
    if other is not None:
        shop.twin.refund(other, 1000)
        await shop.deliver()
        await shop.work()
        assert await shop.balance() == 450


async def test_changed_subscription_is_left_to_a_person(shop: Any) -> None:
    await add_pack(shop, "monthly", 300, 2000, period="month", carry="expire")
    order = await shop.buy(price="monthly")
    session = shop.twin.pay(order.checkout_session)
    shop.twin.tamper(session["invoice"], {"billing_reason": "subscription_update"})
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), set(await shop.parked())) == (0, {"subscription_changed"})


async def saved_card(shop: Any, outcome: str = "card") -> str:
    customer = await customer_of(shop.database, shop.api, "ann")
    return str(shop.twin.save_card(customer, outcome=outcome)["id"])


async def test_top_up_charges_the_saved_card_and_credits_at_once(shop: Any) -> None:
    assert (await top_up(shop.database, shop.api, RULE)).reason == "no_payment_method"
    await saved_card(shop)
    result = await top_up(shop.database, shop.api, RULE)
    assert (result.outcome, await shop.balance()) == ("paid", 100)
    assert (await top_up(shop.database, shop.api, RULE)).reason == "enough"
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 100


async def test_card_saved_at_checkout_serves_the_top_up(shop: Any) -> None:
    await shop.settled(save_card=True)
    rule = TopUpRule(account="ann", threshold=150, price="pack-100")
    assert (await top_up(shop.database, shop.api, rule)).outcome == "paid"
    assert await shop.balance() == 200


async def test_many_top_ups_at_once_are_one(shop: Any) -> None:
    await saved_card(shop)
    results = await asyncio.gather(*(top_up(shop.database, shop.api, RULE) for _ in range(10)))
    assert [r.outcome for r in results].count("paid") == 1
    assert await shop.balance() == 100


async def test_authentication_is_asked_for_and_finishes_the_top_up(shop: Any) -> None:
    method = await saved_card(shop, "card_3ds")
    result = await top_up(shop.database, shop.api, RULE)
    assert (result.outcome, bool(result.client_secret)) == ("requires_action", True)
    assert (await top_up(shop.database, shop.api, RULE)).reason == "under_way"
    order = await find_order(shop.database, result.order.order_id)
    await shop.api.act("payment_intents", "confirm", order.payment_intent, {"payment_method": method})
    shop.twin.authenticate(order.payment_intent)
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), (await find_order(shop.database, order.order_id)).state) == (100, "paid")


async def test_lock_is_let_go_only_when_the_payment_is_cancelled(shop: Any) -> None:
    await saved_card(shop, "card_3ds")
    result = await top_up(shop.database, shop.api, RULE)
    assert await release_overdue(shop.database, shop.api) == 0
    later = datetime.now(UTC) + timedelta(hours=2)
    shop.twin.fail_next("500", method="POST", path="/v1/payment_intents", times=9)
    with pytest.raises(stripe.StripeError):
        await release_overdue(shop.database, shop.api, now=later)
    assert (await find_order(shop.database, result.order.order_id)).state == "requires_action"
    shop.twin.world.planned.clear()
    assert await release_overdue(shop.database, shop.api, now=later) == 1
    order = await find_order(shop.database, result.order.order_id)
    assert (order.state, (await shop.api.retrieve("payment_intents", order.payment_intent))["status"]) == (
        "canceled",
        "canceled",
    )


async def copy_orders(shop: Any, count: int) -> None:
    """So many open checkouts, placed after all orders there are."""
    await shop.rows(
        "insert into heller.orders select (jsonb_populate_record(null::heller.orders, to_jsonb(o) || jsonb_build_object('order_id', 'order_' || n,"
        " 'kind', 'checkout', 'state', 'open', 'placed_at', now() + n * interval '1 ms', 'payment_intent', null,"
        " 'checkout_session', null, 'expires_at', now() - interval '1 hour'))).*"
        " from (select * from heller.orders limit 1) o, generate_series(1, %s) n returning 1",
        count,
    )


async def test_overdue_top_up_is_let_go_however_many_buyers_are_at_the_checkout(shop: Any) -> None:
    await saved_card(shop, "card_3ds")
    result = await top_up(shop.database, shop.api, RULE)
    await copy_orders(shop, 501)
    assert await release_overdue(shop.database, shop.api, now=datetime.now(UTC) + timedelta(hours=2)) == 1
    assert (await find_order(shop.database, result.order.order_id)).state == "canceled"


async def test_every_abandoned_order_is_closed_by_reconcile(shop: Any) -> None:
    await shop.buy()
    await copy_orders(shop, 1001)
    await shop.reconcile()
    states = await shop.rows("select state, count(*)::int from heller.orders group by 1 order by 1")
    assert states == [("expired", 1001), ("open", 1)]


async def test_top_up_in_trouble_does_not_keep_others_from_being_let_go(shop: Any) -> None:
    await shop.open("bob")
    for account in ("ann", "bob"):
        shop.twin.save_card(await customer_of(shop.database, shop.api, account), outcome="card_3ds")
        rule = TopUpRule(account=account, threshold=50, price="pack-100", cooldown_seconds=0)
        await top_up(shop.database, shop.api, rule)
    ((first, intent),) = await shop.rows(
        "select account_id, payment_intent from heller.orders order by order_id limit 1"
    )
    shop.twin.delete(intent)
    with pytest.raises(stripe.InvalidRequestError):
        await release_overdue(shop.database, shop.api, now=datetime.now(UTC) + timedelta(hours=2))
    states = dict(await shop.rows("select account_id, state from heller.orders"))
    assert states == {first: "requires_action", ({"ann", "bob"} - {first}).pop(): "canceled"}


async def test_lost_answer_of_a_charge_is_found_and_credited_once(shop: Any) -> None:
    await saved_card(shop)
    shop.twin.set_faults(timeout_seconds=0.1)
    shop.twin.fail_next("lost", method="POST", path="/v1/payment_intents", times=3)
    result = await top_up(shop.database, shop.api, RULE)
    assert result.outcome == "unknown"
    assert (await top_up(shop.database, shop.api, RULE)).reason == "under_way"
    await release_overdue(shop.database, shop.api, now=datetime.now(UTC) + timedelta(hours=2))
    assert await shop.balance() == 100
    await shop.deliver()
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


async def test_pause_after_failures_until_resumed(shop: Any) -> None:
    await saved_card(shop, "card_declined")
    await put_rule(shop, "ann", failures_max=2)
    rule = TopUpRule(account="ann", threshold=50, price="pack-100", cooldown_seconds=0)
    outcomes = [(await top_up(shop.database, shop.api, rule)) for _ in range(3)]
    assert [r.outcome for r in outcomes] == ["failed", "failed", "declined"]
    assert outcomes[2].reason == "paused"
    async with shop.database.connection() as connection:
        await call(connection, "resume_top_up", account_id="ann")
    assert (await top_up(shop.database, shop.api, rule)).outcome == "failed"
    assert await shop.balance() == 0


async def test_a_top_up_that_ends_later_counts_with_the_rule(shop: Any) -> None:
    await saved_card(shop, "card_3ds")
    await put_rule(shop, "ann", failures_max=1)
    rules = StoredRules(shop.database)
    assert [r.outcome for r in await run_rules(shop.database, shop.api, rules)] == ["requires_action"]
    await release_overdue(shop.database, shop.api, now=datetime.now(UTC) + timedelta(hours=2))
    ((failures, reason),) = await shop.rows("select failures, paused_reason from heller.top_up_rules")
    assert (failures, reason is not None) == (1, True)
    assert await run_rules(shop.database, shop.api, rules) == []


@pytest.mark.parametrize("words", ["epoch = 2", "epoch = 1, draining_since = now()"])
async def test_account_that_is_at_home_elsewhere_is_not_charged(shop: Any, sql: Any, words: str) -> None:
    await saved_card(shop)
    await put_rule(shop, "ann")
    sql.execute(f"update heller.accounts set {words}")
    assert await run_rules(shop.database, shop.api, StoredRules(shop.database)) == []
    assert (await top_up(shop.database, shop.api, RULE)).reason == "away"
    sql.execute("update heller.accounts set epoch = 1, draining_since = null")
    assert [r.outcome for r in await run_rules(shop.database, shop.api, StoredRules(shop.database))] == [
        "paid"
    ]


@pytest.mark.parametrize(
    ("changes", "reason"), [({"ceiling": 1500}, "ceiling"), ({"cooldown_seconds": 3600}, "cooldown")]
)
async def test_top_up_heeds_ceiling_and_cooldown(shop: Any, changes: dict[str, int], reason: str) -> None:
    await saved_card(shop)
    rule = TopUpRule(
        **({"account": "ann", "threshold": 1000, "price": "pack-100", "cooldown_seconds": 0} | changes)
    )
    assert (await top_up(shop.database, shop.api, rule)).outcome == "paid"
    assert (await top_up(shop.database, shop.api, rule)).reason == reason
    assert await shop.balance() == 100


async def put_rule(shop: Any, account: str, **more: Any) -> None:
    async with shop.database.connection() as connection:
        words = {"threshold": 50, "price": "pack-100", "cooldown_seconds": 0} | more
        await call(connection, "put_top_up_rule", account_id=account, **words)


async def test_stored_rules_are_run_and_one_in_trouble_does_not_stop_the_others(shop: Any) -> None:
    await shop.open("bob")
    await saved_card(shop)
    shop.twin.delete(await customer_of(shop.database, shop.api, "bob"))
    await put_rule(shop, "ann")
    await put_rule(shop, "bob")
    results = await run_rules(shop.database, shop.api, StoredRules(shop.database))
    assert sorted(r.outcome for r in results) == ["paid", "unknown"]
    assert await shop.balance() == 100
    attempts = await shop.rows(
        "select account_id, outcome, amount::int from heller.top_up_attempts order by 1"
    )
    assert attempts == [("ann", "succeeded", 1000), ("bob", "declined", 0)]


async def test_stored_rule_pauses_after_its_failures(shop: Any) -> None:
    await saved_card(shop, "card_declined")
    await put_rule(shop, "ann", failures_max=2)
    rules = StoredRules(shop.database)
    found = [[r.outcome for r in await run_rules(shop.database, shop.api, rules)] for _ in range(3)]
    assert found == [["failed"], ["failed"], []]
    async with shop.database.connection() as connection:
        await call(connection, "resume_top_up", account_id="ann")
    assert [r.outcome for r in await run_rules(shop.database, shop.api, rules)] == ["failed"]
