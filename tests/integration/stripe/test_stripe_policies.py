"""Policies and states around the payments: fraud warnings, frozen accounts, accounts at home elsewhere."""

import ast
from pathlib import Path
from typing import Any

import pytest

from heller.database import call
from heller.stripe import deliveries


def test_every_case_of_the_catalogue_has_a_test() -> None:
    numbers: set[int] = set()
    for file in Path(__file__).parent.glob("test_stripe_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("catalogue", "Case", "Mismatch") and isinstance(node.args[0].value, int):
                numbers.add(node.args[0].value)
    assert numbers == set(range(1, 73))


@pytest.mark.parametrize(
    ("policy", "status", "is_frozen"),
    [("park", "parked", False), ("ignore", "ignored", False), ("freeze", "parked", True)],
)
async def test_early_fraud_warning_follows_the_policy(
    shop: Any, policy: str, status: str, is_frozen: bool
) -> None:
    shop.with_settings(fraud_warning=policy)
    intent = await shop.settled()
    shop.twin.warn_of_fraud(intent)
    await shop.deliver()
    await shop.work()
    rows = await shop.rows("select status, reason from heller.inbox where type like 'radar%%'")
    assert rows == [(status, "early_fraud_warning")]
    async with shop.database.connection() as connection:
        account = await call(connection, "balance", account_id="ann")
    assert (account["frozen"], account["posted"]) == (is_frozen, 100)


async def test_frozen_account_is_credited_once_it_thaws(shop: Any, sql: Any) -> None:
    await shop.paid()
    async with shop.database.connection() as connection:
        await call(connection, "freeze", account_id="ann", reason="a look")
    await shop.deliver()
    for _ in range(20):
        await shop.work(rounds=1)
        sql.execute("update heller.inbox set due_at = now() where status = 'pending'")
    assert await shop.balance() == 0
    assert await shop.rows(
        "select distinct status, attempts from heller.inbox where status <> 'ignored'"
    ) == [("pending", 0)]
    async with shop.database.connection() as connection:
        await call(connection, "unfreeze", account_id="ann")
    await shop.work()
    assert await shop.balance() == 100


@pytest.mark.parametrize(("epoch", "status", "reason"), [(0, "parked", "home_legacy"), (1, "done", None)])
async def test_only_the_home_of_an_account_credits_it(
    shop: Any, sql: Any, epoch: int, status: str, reason: str | None
) -> None:
    await shop.paid()
    sql.execute("update heller.accounts set epoch = %s where account_id = 'ann'", [epoch])
    await shop.deliver()
    await shop.work()
    rows = await shop.rows(
        "select distinct status, reason from heller.inbox where type = 'payment_intent.succeeded'"
    )
    assert rows == [(status, reason)]
    assert await shop.balance() == (100 if epoch else 0)


async def test_refund_of_what_went_back_with_its_user_waits_for_nobody(shop: Any, sql: Any) -> None:
    """The legacy system has the payment and takes back; should the user come home first, it is looked at again."""
    intent = await shop.settled()
    sql.execute("update heller.accounts set epoch = 0 where account_id = 'ann'")
    shop.twin.refund(intent)
    await shop.deliver()
    await shop.work()
    refunds = "select distinct status, reason from heller.inbox where type = 'charge.refunded'"
    assert await shop.rows(refunds) == [("ignored", "home_legacy")]
    assert await shop.rows("select count(*) from heller.inbox where status = 'parked'") == [(0,)]
    sql.execute("update heller.accounts set epoch = 1 where account_id = 'ann'")
    sql.execute("select heller._on_homes_arrived(array['ann'])")
    await shop.work()
    assert await shop.rows(refunds) == [("done", None)]
    assert await shop.balance() == 0


async def test_only_one_of_retry_and_ignore_needs_a_waiting_delivery(shop: Any) -> None:
    await shop.settled()
    done = (await deliveries.deliveries(shop.database, status="done"))[0]
    with pytest.raises(Exception, match="does not wait for anybody"):
        await deliveries.ignore(shop.database, done.inbox_id, actor="joe", reason="no")
    assert await deliveries.retry(shop.database, inbox_id=done.inbox_id) == 1
    await shop.work()
    assert await shop.kinds() == [("purchase", 100)]
