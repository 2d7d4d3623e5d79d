"""The eight ways in which the legacy system lost or made credits, each replayed; and the payments that came from it."""

from typing import Any

import pytest

from heller.database import call, call_many
from heller.errors import UnknownAccount


async def test_1_an_error_in_the_effect_cannot_take_the_receipt_with_it(shop: Any, sql: Any) -> None:
    await shop.paid()
    await shop.deliver()
    sql.execute(
        "create function public.fail() returns trigger language plpgsql as"
        " $$ begin raise exception 'the next statement fails' using errcode = '22012'; end $$"
    )
    sql.execute("create trigger fail before insert on heller.grants execute function public.fail()")
    await shop.work()
    assert (await shop.statuses())["pending"] == 3, "the receipts stay, with their error"
    assert (await shop.kinds(), await shop.rows("select 1 from heller.payments")) == ([], [])
    sql.execute("drop trigger fail on heller.grants")
    sql.execute("update heller.inbox set due_at = now() where status = 'pending'")
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.parametrize(
    "account", ["1", "007", "user_2aB", "auth0|5f", "ann@example.com", "ü-1", "0f8fad5b-d9cb-469f-a165"]
)
async def test_2_any_kind_of_id_is_credited(shop: Any, account: str) -> None:
    await shop.open(account)
    await shop.settled(account)
    assert await shop.balance(account) == 100


async def test_3_a_payment_without_an_intent_is_no_other_payment_without_one(shop: Any) -> None:
    shop.with_settings(allow_promotion_codes=True, allow_zero_amount=True)
    await shop.open("bob")
    imported(shop, "legacy:payments:1", None, account="bob", state="open", net=0)
    made = await shop.api.create("coupons", {"percent_off": 100, "duration": "once"}, key="c")
    params = {"promotion": {"type": "coupon", "coupon": made["id"]}, "code": "FREE"}
    await shop.api.create("promotion_codes", params, key="p")
    for account in ("ann", "ann"):
        order = await shop.buy(account)
        shop.twin.pay(order.checkout_session, promotion_code="FREE")
    await shop.deliver()
    await shop.work()
    assert (await shop.balance("ann"), await shop.balance("bob")) == (200, 0)


async def test_4_a_partial_refund_told_by_three_types_is_taken_once_and_in_part(shop: Any) -> None:
    intent = await shop.settled()
    refund = shop.twin.refund(intent, 250)["id"]
    charge = shop.twin.events("charge.refunded")[0]["data"]["object"]["id"]
    for event_type, about in (
        ("refund.updated", refund),
        ("charge.refund.updated", refund),
        ("charge.refunded", charge),
    ):
        await shop.post(shop.twin.emit(event_type, about)["id"])
        await shop.work()
    assert await shop.kinds() == [("purchase", 100), ("clawback", -25)]


async def test_5_a_late_succeeded_after_the_refund_credits_nothing(shop: Any) -> None:
    intent = await shop.settled()
    shop.twin.refund(intent)
    await shop.deliver()
    await shop.work()
    for event in shop.ids("payment_intent.succeeded"):
        await shop.post(shop.twin.emit("payment_intent.succeeded", intent)["id"])
        await shop.post(event)
    await shop.work()
    await shop.reconcile()
    assert await shop.kinds() == [("purchase", 100), ("clawback", -100)]


@pytest.mark.parametrize("currency", ["usd", "gbp", "jpy"])
async def test_6_purchases_in_any_currency_are_credited(shop: Any, currency: str) -> None:
    async with shop.database.connection() as connection:
        words = {"product": "Credits", "pack": "ten", "credits": 10, "currency": currency, "amount": 500}
        await call(connection, "stripe_put_price", price="ten", **words)
    await shop.settled(price="ten")
    assert await shop.balance() == 10


async def test_6_an_error_is_never_answered_with_200(shop: Any, sql: Any) -> None:
    sql.execute("alter table heller.inbox rename to elsewhere")
    assert (await shop.post_raw(shop.event())).status == 503


async def test_7_only_the_exact_account_is_credited(shop: Any) -> None:
    names = ["anna", "an", "a_n", "ann%", "Ann"]
    for name in names:
        await shop.open(name)
    await shop.settled("a_n")
    balances = {name: await shop.balance(name) for name in [*names, "ann"]}
    assert balances == dict.fromkeys([*names, "ann"], 0) | {"a_n": 100}


async def test_8_a_balance_that_cannot_be_read_is_an_error_and_no_zero(shop: Any, sql: Any) -> None:
    with pytest.raises(UnknownAccount):
        await shop.balance("nobody")
    sql.execute("alter table heller.accounts rename to elsewhere")
    with pytest.raises(Exception, match="accounts"):
        await shop.balance("ann")


# Payments that came over by a migration


def imported(
    shop: Any,
    key: str,
    intent: str | None,
    *,
    account: str = "ann",
    state: str = "settled",
    net: int = 100,
    paid: int | None = 1000,
) -> None:
    import psycopg  # noqa: PLC0415 - only here rows are written as a migration writes them

    with psycopg.connect(shop.url, autocommit=True) as connection:
        if net:
            connection.execute(
                "select heller.grant(%s, %s, p_source => 'migration', p_payment_key => %s)",
                [account, net, key],
            )
        connection.execute(
            "insert into heller.payments (payment_key, account_id, payment_intent, amount, currency, credits, net_credits, state,"
            " source_system, source_table, source_id) values (%s, %s, %s, %s, 'eur', 100, %s, %s, 'legacy', 'payments', %s)",
            [key, account, intent, paid, net, state, key],
        )


async def legacy_payment(shop: Any) -> str:
    """A payment the legacy system took: Stripe knows it, none of our orders does."""
    return str(shop.twin.dashboard_charge(1000, "eur")["id"])


@pytest.mark.parametrize("has_own_key", [False, True])
async def test_imported_payment_is_never_credited_again(shop: Any, has_own_key: bool) -> None:
    intent = await legacy_payment(shop)
    imported(shop, "legacy:payments:7" if has_own_key else intent, intent)
    await shop.deliver()
    await shop.work()
    await shop.reconcile()
    await shop.converge(intent)
    assert await shop.balance() == 100
    assert await shop.parked() == []
    assert len(await shop.rows("select 1 from heller.payments")) == 1


async def test_refund_of_an_imported_payment_is_taken_and_its_failure_gives_it_back(shop: Any) -> None:
    intent = await legacy_payment(shop)
    imported(shop, intent, intent, paid=None)
    refund = shop.twin.refund(intent, 400, status="pending")["id"]
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 60
    shop.twin.settle_refund(refund, "failed")
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 100


async def test_refund_the_legacy_system_took_already_is_not_taken_twice(shop: Any) -> None:
    intent = await legacy_payment(shop)
    shop.twin.refund(intent, 500)
    imported(shop, intent, intent, state="partly_refunded", net=50)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 50


async def test_imported_payment_stripe_says_more_of_is_left_to_a_person(shop: Any) -> None:
    intent = await legacy_payment(shop)
    imported(shop, intent, intent, state="refunded", net=50)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 50
    assert set(await shop.parked()) == {"ledger_refused"}


async def test_checkout_begun_before_the_move_is_credited_once_after_it(shop: Any) -> None:
    intent = await legacy_payment(shop)
    imported(shop, intent, intent, state="open", net=0)
    await shop.deliver()
    await shop.work()
    await shop.reconcile()
    assert await shop.kinds() == [("purchase", 100)]


async def test_orphan_is_settled_once_its_payment_came_over(shop: Any) -> None:
    intent = await legacy_payment(shop)
    await shop.deliver()
    await shop.work()
    assert set(await shop.parked()) == {"no_order"}
    imported(shop, intent, intent)
    await shop.reconcile()
    assert (await shop.balance(), await shop.parked()) == (100, [])
    async with shop.database.connection() as connection:
        assert await call_many(connection, "stripe_deliveries", status="parked") == []
