"""Purchases under way while their buyer moves: both endpoints hear of each, one of them credits it, once."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

import pytest

from handover_world import fenced
from heller import Credits
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.purchases import deliver, set_aside
from heller.migration.handover.status import handover_status
from heller.rollout.gateway import RelayingIngest
from legacy_world import HOOK, PAID, build_site, running


@asynccontextmanager
async def both(legacy_url, shop, connect):
    """The legacy application with a signed-in customer, and a coordinator between the two systems."""
    await build_site(legacy_url, users=2)
    async with (
        fenced(legacy_url, shop.url) as sides,
        running(legacy_url, shop.twin, connect) as site,
    ):
        yield site, sides, str(await site.sign_in())


async def test_purchase_begun_in_legacy_and_paid_after_the_move_is_credited_by_heller_once(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        await sides.coordinator().hand_over([user])
        intent = shop.twin.pay(session)["payment_intent"]
        await shop.deliver()
        await shop.work()
        assert await site.deliver(*site.events(intent, PAID)) == [
            (409, "moved: the credits of this user are in the new system")
        ]
        await shop.deliver()
        await shop.work()
        assert await shop.balance(user) == 200
        assert (await shop.payment(intent))["net_credits"] == 100
        (back,) = await sides.coordinator().send_back([user])
        assert back.outcome == "returned", back.reason
        assert await site.balance() == 200
        late = await site.deliver(*site.events(intent, PAID, "payment_intent.succeeded"))
        assert {status for status, _ in late} == {200}
        assert await site.balance() == 200
        assert (await check_invariants(sides)).ok


async def test_purchase_that_only_the_legacy_handler_understands_is_booked_by_it_in_heller_once(
    empty_database, shop, connect
):
    """An application that writes nothing down before it is paid: heller's own endpoint cannot know what was bought."""
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        await sides.legacy.connection.execute("delete from payments")
        await sides.coordinator().hand_over([user])
        intent = shop.twin.pay(session)["payment_intent"]
        await shop.deliver()
        await shop.work()
        assert set(await shop.parked()) == {"no_order"}
        async with Credits.connect(shop.url, empty_database) as credits:
            bought = {"intent": intent, "session": session, "cost": 500, "currency": "eur"}
            assert [await credits.purchase(user, 100, **bought) for _ in range(2)] == ["credited", "known"]
        await shop.deliver()
        await shop.work()
        assert await shop.balance(user) == 200
        shop.twin.refund(intent, 200)
        await shop.deliver()
        await shop.work()
        assert await shop.balance(user) == 160
        assert await shop.parked() == []
        assert (await check_invariants(sides)).ok


async def test_return_goes_on_after_a_deadlock_with_a_legacy_webhook(empty_database, shop, connect):
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        await sides.coordinator().hand_over([user])
        intent = shop.twin.pay(session)["payment_intent"]
        await shop.deliver()
        await shop.work()
        webhook = await connect(empty_database)
        async with webhook.transaction(force_rollback=True):  # its event first, its user second
            await webhook.execute("set local deadlock_timeout = '1min'")  # so that it is not the victim
            await webhook.execute(
                "insert into processed_events (provider, provider_event_id) values ('stripe', %s)",
                site.events(intent, PAID),
            )
            returning = asyncio.create_task(sides.coordinator().send_back([user]))
            waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'take_back' and datname = current_database()"
            while not await (await site.connection.execute(waits)).fetchone():
                assert not returning.done()
                await asyncio.sleep(0.01)
            await webhook.execute("select from users where id = %s for update", [int(user)])
        (back,) = await returning
        assert back.outcome == "returned", back.reason
        assert await site.balance() == 200
        assert (await check_invariants(sides)).ok


async def test_refund_that_legacy_took_before_it_credited_the_payment_is_taken_once(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        intent = shop.twin.pay(session)["payment_intent"]
        shop.twin.refund(intent, 200)
        assert await site.deliver(*site.events(intent, "charge.refunded")) == [(500, "failed")]
        await sides.legacy.connection.execute("update users set credits_balance = credits_balance - 40")
        await sides.legacy.connection.execute(
            "insert into credit_transactions (user_id, payment_id, delta_credits, reason)"
            " select user_id, id, -40, 'REFUND' from payments order by id desc limit 1"
        )  # as an application does that asks nothing
        assert await site.balance() == 60
        await sides.coordinator().hand_over([user])
        await shop.deliver()
        await shop.work()
        assert await shop.balance(user) == 160
        assert (await shop.payment(intent))["net_credits"] == 60


@pytest.mark.parametrize("is_credited_there", [False, True])
async def test_event_that_heller_could_not_place_is_looked_at_again_when_its_buyer_arrives(
    empty_database, shop, connect, is_credited_there
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        intent = shop.twin.pay(session)["payment_intent"]
        await shop.deliver()
        await shop.work()
        assert set(await shop.parked()) == {"no_order"}
        if is_credited_there:
            assert await site.deliver(*site.events(intent, PAID)) == [(200, "credited")]
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert await shop.balance(user) == 200
        assert await shop.parked() == []
        assert [kind for kind, delta in await shop.kinds(user) if delta == 100].count("purchase") == 1
        assert (await check_invariants(sides)).ok


async def test_copied_purchase_of_a_user_still_in_legacy_is_left_to_legacy_until_they_move(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        await sides.coordinator().hand_over([user])  # heller has the open payment now
        await sides.coordinator().send_back([user])
        intent = shop.twin.pay(session)["payment_intent"]
        await shop.deliver()
        await shop.work()
        assert await shop.rows(
            "select distinct status, reason from heller.inbox where payment_key is not null and type ~ 'succeeded|completed'"
        ) == [("ignored", "home_legacy")]
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert await shop.balance(user) == 200
        assert (await site.deliver(*site.events(intent, PAID)))[0][0] == 409


@pytest.mark.parametrize("is_noted", [True, False])
async def test_order_paid_after_its_buyer_went_back_is_written_into_legacy_once(
    empty_database, shop, connect, is_noted
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        await sides.coordinator().hand_over([user])
        intent = await shop.paid(user)
        await sides.coordinator().send_back([user])
        await shop.deliver()
        await shop.work()
        assert set(await shop.parked()) == {"home_legacy"}
        ((where, _, account, why),) = (await handover_status(sides)).purchases
        assert (where, account, why.startswith("100 credits")) == ("inbox", user, True)
        assert await site.balance() == 100
        if is_noted:
            assert [await deliver(sides), await deliver(sides)] == [1, 0]
            assert await shop.parked() == []
            assert (await handover_status(sides)).purchases == ()
        else:  # killed between the two databases
            (payment,) = await shop.rows("select payment from heller.owed_purchases")
            query = "select heller_fence.deliver(%s, %s, 100)"
            for answer in ("credited", "known"):
                row = await sides.legacy.connection.execute(query, [user, json.dumps(payment[0])])
                assert await row.fetchone() == (answer,)
        assert await site.balance() == 200
        assert (await check_invariants(sides, strict=True)).ok
        late = await site.deliver(*site.events(intent, PAID, "payment_intent.succeeded"))
        assert await site.balance() == 200, late
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert await shop.balance(user) == 200
        assert (await shop.payment(intent))["net_credits"] == 100
        shop.twin.refund(intent, 400)
        await shop.deliver()
        await shop.work()
        assert await shop.balance(user) == 160
        assert await deliver(sides) == 0
        await sides.coordinator().send_back([user])
        assert await site.balance() == 160
        assert (await check_invariants(sides, strict=True)).ok


async def test_order_refunded_while_it_is_being_written_into_legacy_is_not_credited_there(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        await sides.coordinator().hand_over([user])
        await shop.paid(user)
        await sides.coordinator().send_back([user])
        await shop.deliver()
        await shop.work()
        refund, watcher = await connect(shop.url, autocommit=False), await connect(shop.url)
        await refund.execute("delete from heller.owed_purchases")  # as stripe_owe does
        writing = asyncio.create_task(deliver(sides))
        pid = sides.ours.connection.info.backend_pid
        while not writing.done():
            row = await (await watcher.execute("select pg_blocking_pids(%s)", [pid])).fetchone()
            if row and row[0]:
                break
            await asyncio.sleep(0.01)
        await refund.commit()
        assert await writing == 0
        assert await site.balance() == 100


async def test_order_paid_at_home_is_credited_in_heller_by_who_moves_before_it_is_written(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        await sides.coordinator().hand_over([user])
        intent = await shop.paid(user)
        await sides.coordinator().send_back([user])
        await shop.deliver()
        await shop.work()
        await sides.coordinator().hand_over([user])
        assert await deliver(sides) == 0
        await shop.work()
        assert await shop.balance(user) == 200
        assert (await shop.payment(intent))["net_credits"] == 100
        await sides.coordinator().send_back([user])
        assert await deliver(sides) == 0
        assert await site.balance() == 200
        assert (await check_invariants(sides)).ok


async def test_order_paid_at_home_is_written_less_what_was_taken_back_and_the_rest_taken_once(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        await sides.coordinator().hand_over([user])
        intent = await shop.paid(user)
        await sides.coordinator().send_back([user])
        await shop.deliver()
        await shop.work()
        shop.twin.refund(intent, 400)
        await shop.deliver()
        await shop.work()
        assert await deliver(sides) == 1
        assert await site.balance() == 160
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert await shop.balance(user) == 160
        shop.twin.refund(intent, 600)
        await shop.deliver()
        await shop.work()
        assert await shop.balance(user) == 100
        assert await shop.parked() == []
        assert (await check_invariants(sides, strict=True)).ok


async def test_gateway_stores_each_delivery_and_hands_on_those_of_users_at_home_in_legacy(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        legacy = shop.twin.secrets(site.endpoint["id"])[0]
        gateway = RelayingIngest(
            shop.receiver, database=shop.database, client=site.client, legacy_url=HOOK, legacy_secret=legacy
        )

        async def pay(session):
            intent = shop.twin.pay(session)["payment_intent"]
            (event,) = site.events(intent, PAID)
            signed = shop.twin.delivery(event, shop.endpoint)
            return await gateway.ingest(signed.body, {k.lower(): v for k, v in signed.headers.items()})

        first, _ = await site.buy(pay=False)
        answer = await pay(first)
        assert answer.is_accepted
        assert await site.balance() == 200  # the legacy handler believed the new signature
        assert await shop.statuses() == {"pending": 1}
        begun_there, _ = await site.buy(pay=False)
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert (await pay(begun_there)).is_accepted  # known to be heller's by now: not handed on
        order = await shop.buy(user)
        assert (await pay(order.checkout_session)).is_accepted
        await shop.work()
        assert await shop.balance(user) == 400
        assert await site.balance() == 200
        await sides.coordinator().send_back([user])
        await site.connection.execute("alter table processed_events rename to elsewhere")
        broken, _ = await site.buy(pay=False)
        refused = await pay(broken)
        assert (refused.status, refused.outcome) == (502, "legacy_refused")
        await site.connection.execute("alter table elsewhere rename to processed_events")
        assert (await check_invariants(sides)).ok


async def test_money_back_after_the_buyer_went_back_takes_credits_once_wherever_they_go_next(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        await sides.coordinator().hand_over([user])
        intent = await shop.settled(user)
        assert await shop.balance(user) == 200
        await sides.coordinator().send_back([user])
        assert await site.balance() == 200
        shop.twin.refund(intent, 400)
        await shop.deliver()
        await shop.work()
        assert (200, "taken back") in await site.deliver(*site.events(intent, "charge.refunded"))
        assert await site.balance() == 160
        (moved,) = await sides.coordinator().hand_over([user])
        assert moved.outcome == "moved", moved.reason
        await shop.work()
        assert await shop.balance(user) == 160
        shop.twin.refund(intent, 600)  # the rest, which both hear of again
        await shop.deliver()
        await shop.work()
        assert (await site.deliver(site.events(intent, "charge.refunded")[-1]))[0][0] == 409
        assert await shop.balance(user) == 100
        assert (await check_invariants(sides)).ok


async def test_money_back_for_a_purchase_of_the_legacy_time_is_taken_once_by_heller(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        _, intent = await site.buy()
        await shop.deliver()
        await shop.work()
        assert (200, "credited") in await site.deliver(*site.events(intent, PAID))
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert await shop.balance(user) == 200
        shop.twin.refund(intent, 200)
        await shop.deliver()
        await shop.work()
        assert (await site.deliver(*site.events(intent, "charge.refunded")))[0][0] == 409
        assert await shop.balance(user) == 160
        await sides.coordinator().send_back([user])
        assert await site.balance() == 160
        await site.deliver(*site.events(intent, "charge.refunded"))
        assert await site.balance() == 160
        assert (await check_invariants(sides)).ok


async def test_money_back_that_heller_could_not_place_is_taken_when_its_buyer_arrives(
    empty_database, shop, connect
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        _, intent = await site.buy()
        assert (200, "credited") in await site.deliver(*site.events(intent, PAID))
        shop.twin.refund(intent)  # the legacy handler hears of it only after the move
        await shop.deliver()
        await shop.work()
        assert (await shop.statuses()).keys() == {"ignored"}
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert (await site.deliver(*site.events(intent, "charge.refunded")))[0][0] == 409
        assert await shop.balance(user) == 100
        assert (await check_invariants(sides)).ok


async def test_event_looked_at_while_its_buyer_arrives_is_not_left_behind(empty_database, shop, connect):
    """The look has found no payment; the activation that brings it commits before the look is applied."""
    async with both(empty_database, shop, connect) as (site, sides, user):
        _, intent = await site.buy()
        assert (200, "credited") in await site.deliver(*site.events(intent, PAID))
        shop.twin.refund(intent)
        await shop.deliver()
        arriving = asyncio.Event()
        moving = None

        async def look(*arguments, **options):
            nonlocal moving
            found = await original(*arguments, **options)
            if moving is None:
                moving = asyncio.create_task(sides.coordinator().hand_over([user]))
                await moving
                arriving.set()
            return found

        module = sys.modules["heller.stripe.converge"]
        original, module.look = module.look, look
        try:
            await shop.work()
        finally:
            module.look = original
        assert arriving.is_set()
        assert await shop.balance(user) == 100


@pytest.mark.parametrize("is_credited_there", [False, True])
async def test_what_legacy_sold_to_a_user_at_home_there_is_set_aside_and_an_unknown_charge_stays_parked(
    empty_database, shop, connect, is_credited_there
):
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        intent = shop.twin.pay(session)["payment_intent"]
        charge = shop.twin.dashboard_charge(500, "eur")["id"]
        await shop.deliver()
        await shop.work()
        await shop.reconcile(balance=True)
        if is_credited_there:
            assert (200, "credited") in await site.deliver(*site.events(intent, PAID))
        assert await set_aside(sides) == 1
        assert await set_aside(sides) == 0
        shop.twin.refund(intent, 100)  # a later event of it is legacy's business as well
        await shop.deliver()
        await shop.work()
        parked = "select distinct payment_key, reason from heller.inbox where status = 'parked'"
        assert await shop.rows(parked) == [(charge, "no_order")]
        await shop.reconcile(balance=True)
        open_ones = "select distinct payment_key from heller.discrepancies where state = 'open'"
        assert await shop.rows(open_ones) == [(charge,)]
        await sides.coordinator().hand_over([user])
        await shop.work()
        assert await shop.balance(user) == 180  # credited once, whoever did, and a fifth of it taken back
        assert await shop.rows(parked) == [(charge, "no_order")]
        assert (await check_invariants(sides)).ok


async def test_what_legacy_sold_is_not_set_aside_once_its_buyer_has_moved(empty_database, shop, connect):
    async with both(empty_database, shop, connect) as (site, sides, user):
        session, _ = await site.buy(pay=False)
        intent = shop.twin.pay(session)["payment_intent"]
        await shop.deliver()
        await shop.work()
        await sides.coordinator().hand_over([user])
        assert await set_aside(sides) == 0
        await shop.work()
        assert await shop.balance(user) == 200
        assert (await shop.payment(intent))["net_credits"] == 100
