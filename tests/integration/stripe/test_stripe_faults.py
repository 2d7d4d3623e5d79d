"""The adversarial catalogue, 35 to 52: crashes, a database or a Stripe in trouble, and what was lost on the way."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from heller import embedded, schema
from heller.stripe import api as stripe_api
from heller.stripe import deliveries
from heller.stripe.converge import converge
from heller.stripe.doctor import doctor
from heller.stripe.ingest import opened
from heller.stripe.reconcile import reconcile


async def post(shop: Any, port: int, event: str) -> httpx.Response:
    delivery = shop.twin.delivery(event, shop.endpoint)
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.post(
            f"http://127.0.0.1:{port}/webhooks/stripe", content=delivery.body, headers=delivery.headers
        )


@pytest.mark.catalogue(35)
async def test_crash_before_the_commit_is_no_success_and_comes_again(
    shop: Any, processes: Any, web_port: int, sql: Any
) -> None:
    await shop.paid()
    event = shop.ids("payment_intent.succeeded")[0]
    web = await processes.web(web_port)
    with sql.transaction():
        sql.execute("lock table heller.inbox in exclusive mode")
        posting = asyncio.create_task(post(shop, web_port, event))
        await asyncio.sleep(0.3)
        await processes.kill(web)
        with pytest.raises(httpx.HTTPError):
            await posting
        sql.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'heller ingest' and wait_event_type = 'Lock'"
        )
    assert await shop.rows("select count(*)::int from heller.inbox") == [(0,)]
    assert (await shop.post(event)).status == 200
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(36)
async def test_crash_after_the_commit_is_a_duplicate_and_one_grant(
    shop: Any, processes: Any, web_port: int
) -> None:
    await shop.paid()
    event = shop.ids("payment_intent.succeeded")[0]
    web = await processes.web(web_port, hang="commit")
    posting = asyncio.create_task(post(shop, web_port, event))
    await web.stdout.readline()
    await processes.kill(web)
    with pytest.raises(httpx.HTTPError):
        await posting
    assert (await shop.post(event)).deliveries == 2
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("claim", marks=pytest.mark.catalogue(37)),
        pytest.param("look", marks=pytest.mark.catalogue(38)),
    ],
)
async def test_killed_worker_is_followed_by_another_after_its_lease(
    shop: Any, processes: Any, where: str
) -> None:
    await shop.paid()
    await shop.deliver()
    worker = await processes.worker(lease_seconds=4.0, hang=where)
    await worker.stdout.readline()
    await processes.kill(worker)
    assert await shop.work() == 0, "the lease still stands"
    assert (await shop.statuses())["processing"] == 3
    for _ in range(200):
        if await shop.work():
            break
        await asyncio.sleep(0.05)
    assert await shop.kinds() == [("purchase", 100)]
    assert "processing" not in await shop.statuses()


@pytest.mark.catalogue(39)
async def test_database_that_is_down_is_503_at_once_and_200_when_it_is_back(
    shop: Any, tmp_path: Path
) -> None:
    server = embedded.start(tmp_path / "server")
    await schema.apply(server.url)
    body = shop.event()
    headers = {"stripe-signature": shop.twin.sign(body, shop.settings.webhook_secrets[0])}
    async with opened(server.url, shop.settings) as receiver:
        assert (await receiver.ingest(body, headers)).status == 200
        server.stop()
        started = time.monotonic()
        assert (await receiver.ingest(body, headers)).status == 503
        assert time.monotonic() - started < 2.5
        server = embedded.start(tmp_path / "server")
        for _ in range(100):
            answer = await receiver.ingest(body, headers)
            if answer.status == 200:
                break
            await asyncio.sleep(0.1)
        assert (answer.status, answer.deliveries) == (200, 2)
    server.stop()


@pytest.mark.catalogue(40)
async def test_locked_inbox_is_503_within_two_seconds(shop: Any, sql: Any) -> None:
    with sql.transaction():
        sql.execute("lock table heller.inbox in exclusive mode")
        started = time.monotonic()
        assert (await shop.post_raw(shop.event())).status == 503
        assert time.monotonic() - started < 2.5
    assert (await shop.post_raw(shop.event())).status == 200


def fail_in_payments(sql: Any, code: str, times: int) -> None:
    sql.execute("create sequence if not exists public.tries")
    sql.execute(
        "create or replace function public.fail() returns trigger language plpgsql as $$ begin"
        f" if nextval('public.tries') <= {times} then raise exception 'trouble' using errcode = '{code}'; end if;"
        " return new; end $$"
    )
    sql.execute(
        "create or replace trigger trouble before insert on heller.payments execute function public.fail()"
    )


@pytest.mark.catalogue(41)
@pytest.mark.parametrize("code", ["40P01", "40001"])
async def test_deadlock_is_tried_again_and_is_no_poison(shop: Any, sql: Any, code: str) -> None:
    await shop.paid()
    await shop.deliver()
    fail_in_payments(sql, code, 5)
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]
    assert await shop.rows("select max(attempts) from heller.inbox where status = 'done'") == [(1,)]


@pytest.mark.catalogue(42)
async def test_defect_on_one_event_spares_its_neighbours_and_is_cured_by_retry(shop: Any) -> None:
    await shop.open("bob")
    bad, good = await shop.paid("ann"), await shop.paid("bob")
    await shop.deliver()

    async def broken(database: Any, api: Any, key: str, **options: Any) -> Any:
        if key == bad:
            raise ZeroDivisionError("a defect")
        return await converge(database, api, key, **options)

    for _ in range(40):
        await shop.work(converging=broken, attempts_max=3, delay_seconds=0.01)
        if "pending" not in await shop.statuses():
            break
        await asyncio.sleep(0.02)
    assert (await shop.balance("bob"), await shop.balance("ann")) == (100, 0)
    dead = await deliveries.deliveries(shop.database, status="dead")
    assert {(row.payment_key, row.detail) for row in dead} == {(bad, "ZeroDivisionError: a defect")}
    assert good not in {row.payment_key for row in dead}
    assert await deliveries.retry(shop.database, payment_key=bad) >= 3
    await shop.work()
    assert await shop.balance("ann") == 100


@pytest.mark.catalogue(43)
async def test_sql_error_in_the_effect_never_touches_the_receipt(shop: Any, sql: Any) -> None:
    await shop.paid()
    await shop.deliver()
    fail_in_payments(sql, "22012", 1)
    await shop.work()
    assert (
        await shop.rows("select status, detail from heller.inbox where status = 'pending' limit 1")
        == [("pending", "DivisionByZero: trouble\nCONTEXT:  PL/pgSQL function fail() line 1 at RAISE")]
        or (await shop.statuses())["pending"] == 3
    )
    assert await shop.kinds() == []
    sql.execute("update heller.inbox set due_at = now() where status = 'pending'")
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(44)
@pytest.mark.parametrize("fault", ["500", "429", "timeout"])
async def test_trouble_at_stripe_is_waited_out_without_an_open_transaction(
    shop: Any, sql: Any, fault: str
) -> None:
    await shop.paid()
    await shop.deliver()
    shop.twin.set_faults(timeout_seconds=0.5)
    shop.twin.fail_next(fault, method="GET", path="/v1/payment_intents", times=100)
    working = asyncio.create_task(shop.work(rounds=1))
    open_transactions = 0
    while not working.done():
        (count,) = sql.execute(
            "select count(*) from pg_stat_activity where state like 'idle in transaction%'"
            " and datname = current_database() and pid <> pg_backend_pid()"
        ).fetchone()
        open_transactions += count
        await asyncio.sleep(0.01)
    assert open_transactions == 0
    rows = await shop.rows(
        "select distinct status, attempts, postponed from heller.inbox where status <> 'ignored'"
    )
    assert rows == [("pending", 0, 1)]
    shop.twin.world.planned.clear()
    sql.execute("update heller.inbox set due_at = now() where status = 'pending'")
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]


@pytest.mark.catalogue(45)
async def test_object_deleted_meanwhile_is_parked(shop: Any) -> None:
    intent = await shop.paid()
    await shop.deliver()
    shop.twin.delete(intent)
    await shop.work()
    assert set(await shop.parked()) == {"gone"}


@pytest.mark.catalogue(46)
async def test_full_disk_is_503(shop: Any, sql: Any) -> None:
    sql.execute(
        "create function public.full() returns trigger language plpgsql as"
        " $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$"
    )
    sql.execute("create trigger full_disk before insert on heller.inbox execute function public.full()")
    assert (await shop.post_raw(shop.event())).status == 503
    sql.execute("drop trigger full_disk on heller.inbox")
    assert (await shop.post_raw(shop.event())).status == 200


@pytest.mark.catalogue(47)
@pytest.mark.parametrize("skew", [600, -600])
async def test_clock_ten_minutes_off_is_refused_and_alarmed(
    shop: Any, skew: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.paid()
    shop.twin.set_faults(signature_skew_seconds=skew)
    result = await shop.post(shop.ids("payment_intent.succeeded")[0])
    assert result.outcome == ("future_timestamp" if skew > 0 else "old_timestamp")
    await shop.receiver.save_counts()
    real = time.time
    monkeypatch.setattr(stripe_api.time, "time", lambda: real() - skew)
    failed = {check.name for check in await doctor(shop.database, shop.api) if check.status == "failed"}
    assert failed == {"clock", "signatures"}


@pytest.mark.catalogue(48)
async def test_backlog_of_three_days_drains_in_order_of_age(shop: Any, sql: Any) -> None:
    names = [f"user-{n}" for n in range(5)]
    intents = []
    for name in names:
        await shop.open(name)
        intents.append(await shop.paid(name))
    for intent in reversed(intents):
        await shop.post(shop.ids("payment_intent.succeeded", about=intent)[0])
    sql.execute(
        "update heller.inbox set received_at = received_at - interval '3 days', due_at = now() - interval '3 days'"
        " - make_interval(secs => inbox_id)"
    )
    for name in names:  # the last delivered is the oldest now
        await shop.work(rounds=1, limit=1)
        assert await shop.balance(name) == 100
    assert [await shop.balance(name) for name in names] == [100] * 5


@pytest.mark.catalogue(49)
async def test_disabled_endpoint_is_healed_by_reconcile_and_alarmed(shop: Any) -> None:
    shop.twin.set_endpoint_status(shop.endpoint, "disabled")
    intent = await shop.paid()
    refunded = await shop.paid()
    shop.twin.refund(refunded, 500)
    assert await shop.deliver() == []
    failed = {check.name for check in await doctor(shop.database, shop.api) if check.status == "failed"}
    assert any(name.startswith("endpoint") for name in failed)
    found = await shop.reconcile()
    assert found.events_missed > 0
    await shop.work()
    assert await shop.balance() == 150
    assert (await shop.payment(intent))["state"] == "settled"
    assert (await shop.reconcile()).is_clean


@pytest.mark.catalogue(50)
async def test_event_that_was_never_made_is_found_by_the_object_sweep(shop: Any) -> None:
    shop.twin.set_faults(unborn=1.0)
    shop.with_settings(allow_promotion_codes=True, allow_zero_amount=True)
    intent = await shop.paid()
    assert shop.ids() == []
    found = await shop.reconcile()
    assert (found.events_missed, found.healed) == (0, (intent,))
    assert await shop.balance() == 100
    noted = await shop.rows("select kind, state from heller.discrepancies")
    assert noted == [("missed", "healed")]
    warnings = {check.name for check in await doctor(shop.database, shop.api) if check.status == "warning"}
    assert "reconcile" in warnings
    assert (await shop.reconcile()).is_clean


@pytest.mark.catalogue(51)
async def test_kept_500_of_an_idempotency_key_is_gone_around(shop: Any) -> None:
    await shop.settled()  # the customer is known
    shop.twin.fail_next("500", method="POST", path="/v1/checkout/sessions")
    order = await shop.buy(key="click")
    assert order.checkout_session is not None
    assert (await shop.rows("select session_attempt from heller.orders order by placed_at desc limit 1")) == [
        (2,)
    ]
    shop.twin.pay(order.checkout_session)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 200


@pytest.mark.catalogue(51)
async def test_session_made_behind_a_500_is_found_by_its_order(shop: Any) -> None:
    await shop.settled()
    before = len(await shop.api.all("checkout.sessions", {}))
    shop.twin.fail_next("500_after", method="POST", path="/v1/checkout/sessions")
    order = await shop.buy()
    assert order.checkout_session is not None
    assert len(await shop.api.all("checkout.sessions", {})) == before + 1


@pytest.mark.catalogue(52)
async def test_lost_answer_gives_the_same_session_and_order(shop: Any) -> None:
    await shop.settled()
    before = len(await shop.api.all("checkout.sessions", {}))
    shop.twin.fail_next("lost", method="POST", path="/v1/checkout/sessions")
    first = await shop.buy(key="click")
    second = await shop.buy(key="click")
    assert (first.order_id, first.checkout_session) == (second.order_id, second.checkout_session)
    assert second.replayed
    assert len(await shop.api.all("checkout.sessions", {})) == before + 1
    assert await shop.rows("select count(*)::int from heller.orders") == [(2,)]


async def test_reconcile_leaves_the_young_to_the_webhooks(shop: Any) -> None:
    await shop.paid()
    found = await reconcile(shop.database, shop.api)
    assert (found.is_clean, await shop.balance()) == (True, 0)
    assert (
        datetime.now(UTC)
        > (await shop.rows("select at from heller.stripe_marks where name = 'events'"))[0][0]
    )


async def test_worker_goes_on_when_an_event_cannot_even_be_closed(shop: Any, sql: Any) -> None:
    body = shop.event(type="refund.updated", data={"object": {"id": "re_none", "object": "refund"}})
    await shop.post_raw(body)  # about nothing that Stripe knows: to be parked
    sql.execute("alter function heller.stripe_close rename to stripe_close_away")
    await shop.work()
    sql.execute("alter function heller.stripe_close_away rename to stripe_close")
    assert await shop.statuses() == {"processing": 1}
    sql.execute("update heller.inbox set due_at = now()")  # its lease has ended
    await shop.work()
    assert await shop.parked() == ["gone"]
