"""The adversarial catalogue, 66 to 72: whose payment it is, and of which mode and account."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heller.database import call
from heller.errors import InvalidArgument
from heller.stripe import deliveries
from heller.stripe.catalogue import add_price
from heller.stripe.reconcile import sweep


@pytest.mark.catalogue(66)
async def test_payment_without_an_order_is_parked_and_can_be_assigned(shop: Any) -> None:
    charge = shop.twin.dashboard_charge(500, "eur")["id"]
    await shop.deliver()
    await shop.work()
    assert set(await shop.parked()) == {"no_order"}
    await deliveries.assign(
        shop.database, charge, account="ann", credits=50, actor="joe", reason="paid by phone"
    )
    await shop.work()
    assert (await shop.balance(), await shop.parked()) == (50, [])
    shop.twin.refund(charge, 250)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 25
    with pytest.raises(InvalidArgument, match="credited to account ann already"):
        await deliveries.assign(shop.database, charge, account="ann", credits=9, actor="joe", reason="again")


@pytest.mark.catalogue(66)
async def test_orphan_that_no_event_told_of_is_an_open_discrepancy(shop: Any) -> None:
    shop.twin.set_faults(unborn=1.0)
    charge = shop.twin.dashboard_charge(500, "eur")["id"]
    assert (await shop.reconcile()).parked == (charge,)
    await shop.reconcile()
    assert await shop.rows("select kind, payment_key, state from heller.discrepancies") == [
        ("no_order", charge, "open")
    ]


async def linked(shop: Any, reference: str | None, metadata: dict[str, str] | None = None) -> None:
    product = await shop.api.create("products", {"name": "x"}, key="x")
    price = await shop.api.create(
        "prices", {"product": product["id"], "currency": "eur", "unit_amount": 1000}, key="y"
    )
    shop.twin.buy_by_link(price["id"], client_reference_id=reference, metadata=metadata)
    await shop.deliver()
    await shop.work()


async def test_assigned_payment_that_no_event_told_of_is_credited_or_its_slip_of_the_pen_told(
    shop: Any,
) -> None:
    charge = shop.twin.dashboard_charge(500, "eur")["id"]
    shop.twin.forget_pending()
    for key in (charge, "pi_mistyped"):
        await deliveries.assign(shop.database, key, account="ann", credits=50, actor="joe", reason="by phone")
    long_ago = datetime.now(UTC) - timedelta(days=90)
    found = await sweep(shop.database, shop.api, since=long_ago - timedelta(days=1), until=long_ago)
    assert (await shop.balance(), found.parked) == (50, ("pi_mistyped",))
    told = await shop.rows("select kind, payment_key from heller.discrepancies where state = 'open'")
    assert told == [("gone", "pi_mistyped")]


@pytest.mark.catalogue(67)
async def test_forged_reference_in_a_payment_link_is_parked(shop: Any) -> None:
    await shop.open("victim")
    order = await shop.buy("victim")
    await linked(shop, order.order_id)
    assert (await shop.balance("victim"), set(await shop.parked())) == (0, {"order_conflict"})


@pytest.mark.catalogue(67)
async def test_metadata_of_another_users_order_credits_the_orders_user_or_nobody(shop: Any) -> None:
    await shop.open("bob")
    order = await shop.buy("bob")
    intent = await shop.paid("ann")
    shop.twin.tamper(intent, {"metadata": {"order_id": order.order_id, "account": "ann"}})
    await shop.deliver()
    await shop.work()
    assert (await shop.balance("ann"), await shop.balance("bob")) == (0, 0)
    assert set(await shop.parked()) == {"order_conflict"}


@pytest.mark.catalogue(68)
async def test_event_of_the_other_mode_is_ignored(shop: Any) -> None:
    await shop.paid()
    event = shop.twin.events("payment_intent.succeeded")[0]
    body = shop.event(livemode=True, data=event["data"])
    assert (await shop.post_raw(body)).message == "ignored"
    await shop.work()
    assert await shop.rows("select status, reason from heller.inbox") == [("ignored", "mode")]
    assert await shop.balance() == 0


@pytest.mark.catalogue(68)
async def test_object_of_the_other_mode_is_ignored_even_if_the_event_lies(shop: Any) -> None:
    intent = await shop.paid()
    shop.twin.tamper(intent, {"livemode": True})
    await shop.deliver("payment_intent.succeeded")
    await shop.work()
    assert (await shop.balance(), (await shop.statuses())["ignored"]) == (0, 1)


@pytest.mark.catalogue(69)
async def test_unknown_connected_account_is_parked(shop: Any) -> None:
    assert (await shop.post_raw(shop.event(account="acct_stranger"))).message == "parked"
    assert await shop.parked() == ["unknown_account"]


@pytest.mark.catalogue(69)
async def test_same_ids_under_two_accounts_are_two_payments(shop: Any) -> None:
    shop.with_settings(accounts=frozenset({"acct_partner"}))
    intent = await shop.settled()
    shop.twin.connect_account("acct_partner")
    shop.twin.copy(intent, account="acct_partner")
    event = shop.twin.events("payment_intent.succeeded")[0]
    for identifier in shop.ids("charge.succeeded"):
        shop.twin.copy(
            shop.twin.events("charge.succeeded")[0]["data"]["object"]["id"], account="acct_partner"
        )
        assert identifier
    body = shop.event(id=event["id"], account="acct_partner", data=event["data"])
    assert (await shop.post_raw(body)).message == "pending"
    await shop.work()
    keys = {
        r[0]
        for r in await shop.rows("select payment_key from heller.inbox where status in ('done', 'parked')")
    }
    assert keys == {intent, f"acct_partner/{intent}"}
    assert set(await shop.parked()) == {"order_conflict"}
    assert await shop.kinds() == [("purchase", 100)]
    await deliveries.assign(
        shop.database, f"acct_partner/{intent}", account="ann", credits=7, actor="joe", reason="partner sale"
    )
    await shop.work()
    assert await shop.balance() == 107


async def test_connected_account_that_left_does_not_keep_the_others_from_being_reconciled(shop: Any) -> None:
    shop.with_settings(accounts=frozenset({"acct_gone", "acct_partner"}))
    shop.twin.connect_account("acct_partner")
    intent = await shop.paid()
    shop.twin.copy(intent, account="acct_partner")
    for event in shop.twin.events("charge.succeeded"):
        shop.twin.copy(event["data"]["object"]["id"], account="acct_partner")
    shop.twin.forget_pending()
    found = await shop.reconcile()
    assert await shop.balance() == 100
    assert found.parked == (f"acct_partner/{intent}",)
    assert [words.partition(":")[0] for words in found.failed] == ["acct_gone"]


@pytest.mark.catalogue(70)
async def test_payment_for_a_deleted_account_is_parked(shop: Any, sql: Any) -> None:
    await shop.open("gone")
    await shop.paid("gone")
    sql.execute("delete from heller.accounts where account_id = 'gone'")
    await shop.deliver()
    await shop.work()
    assert set(await shop.parked()) == {"unknown_account"}
    shop.twin.refund(shop.twin.events("payment_intent.succeeded")[0]["data"]["object"]["id"])
    await shop.deliver()
    await shop.work()
    assert "pending" not in await shop.statuses()


async def test_erasing_takes_abandoned_and_parked_events_too(shop: Any) -> None:
    abandoned = await shop.buy()
    shop.twin.expire(abandoned.checkout_session)
    intent = await shop.paid()
    shop.twin.tamper(intent, {"amount_received": 500})
    await shop.deliver()
    await shop.work()
    assert set(await shop.parked()) == {"amount_too_low"}
    async with shop.database.connection() as connection:
        await call(connection, "erase_user", user_id="ann", actor="dpo")
    left = await shop.rows("select type from heller.inbox where payment_key is not null and body is not null")
    assert left == [], left


@pytest.mark.catalogue(71)
async def test_erased_payloads_leave_ledger_and_digests(shop: Any) -> None:
    await shop.settled()
    before = await shop.rows(
        "select encode(body_sha256, 'hex') from heller.inbox where payment_key is not null order by 1"
    )
    assert await deliveries.erase(shop.database, "ann", actor="dpo") == len(before)
    after = await shop.rows(
        "select encode(body_sha256, 'hex') from heller.inbox where body is null and erased_at is not null order by 1"
    )
    assert (after, await shop.kinds()) == (before, [("purchase", 100)])
    assert (
        await deliveries.retry(
            shop.database, payment_key=(await shop.rows("select payment_key from heller.payments"))[0][0]
        )
        == 4
    )
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(72)
async def test_subscription_that_is_not_ours_is_ignored_or_parked_but_never_credited(shop: Any) -> None:
    await add_price(
        shop.database,
        "monthly",
        product="Plan",
        pack="month",
        credits=300,
        currency="eur",
        amount=2000,
        period="month",
        carry="expire",
    )
    order = await shop.buy(price="monthly")
    session = shop.twin.pay(order.checkout_session)
    shop.twin.tamper(session["subscription"], {"metadata": {}}, remove=["metadata.order_id"])
    shop.twin.tamper(session["invoice"], {}, remove=["parent.subscription_details.metadata.order_id"])
    async with shop.database.connection() as connection:
        await call(connection, "stripe_update_order", order_id=order.order_id, checkout_session="cs_other")
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 0
    assert set(await shop.parked()) == {"no_order"}
