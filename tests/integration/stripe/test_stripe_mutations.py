"""Each guard is needed: without it, the scenario it guards against goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from heller.database import call, call_many
from heller.stripe.converge import converge

Scenario = Callable[[Any], Awaitable[Any]]


def rewrite(sql: Any, function: str, *changes: tuple[str, str]) -> None:
    """Put other text into one of heller's functions, in this test's own database."""
    row = sql.execute(
        "select pg_get_functiondef(oid) from pg_proc where proname = %s and pronamespace = 'heller'::regnamespace",
        [function],
    ).fetchone()
    text = row[0]
    for old, new in changes:
        assert old in text, f"{function} does not say {old!r} any more"
        text = text.replace(old, new)
    sql.execute(text)


async def stale_look_is_applied_late(shop: Any) -> Any:
    """A look from before a refund meets the ledger after it."""
    intent = await shop.paid()
    old = (await converge(shop.database, shop.api, intent, dry_run=True)).facts
    shop.twin.refund(intent)
    await shop.converge(intent)
    async with shop.database.connection() as connection:
        await call(connection, "stripe_converge", payment_key=intent, seen=0, snapshot=old, livemode=False)
    return await shop.balance()


async def three_events_one_after_the_other(shop: Any) -> Any:
    await shop.paid()
    for event_type in ("checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"):
        await shop.post(shop.ids(event_type)[0])
        await shop.work()
    return await shop.balance()


async def worker_dies_with_what_it_claimed(shop: Any) -> Any:
    await shop.paid()
    await shop.deliver()
    async with shop.database.connection() as connection:
        claimed = await call_many(connection, "stripe_claim", worker="dead", lease_seconds=0.05)
    assert len(claimed) == 1
    await asyncio.sleep(0.1)
    await shop.work()
    return await shop.balance()


@dataclass(frozen=True)
class Mutation:
    name: str
    scenario: Scenario
    right: Any
    wrong: Any
    remove: Callable[[Any], None]


def _no_compare_and_swap(sql: Any) -> None:
    rewrite(
        sql,
        "stripe_converge",
        ("where payment_key = p_payment_key and version = p_seen", "where payment_key = p_payment_key"),
    )


def _no_payment_key(sql: Any) -> None:
    sql.execute("drop index heller.payments_intent")
    rewrite(sql, "stripe_payment", ("and payment_intent =", "and false and payment_intent ="))
    rewrite(
        sql,
        "stripe_converge",
        (
            "begin\n  if p_dry_run",
            "begin\n  p_payment_key := p_payment_key || '@' || p_cause;\n  if p_dry_run",
        ),
    )
    rewrite(sql, "_stripe_doubt", ("o.payment_key <> p.payment_key", "false"))


def _no_lease(sql: Any) -> None:
    rewrite(
        sql,
        "stripe_claim",
        ("status in ('pending', 'processing') and due_at", "status = 'pending' and due_at"),
    )


MUTATIONS = [
    Mutation("compare-and-swap", stale_look_is_applied_late, 0, 100, _no_compare_and_swap),
    Mutation("payment key", three_events_one_after_the_other, 100, 300, _no_payment_key),
    Mutation("lease", worker_dies_with_what_it_claimed, 100, 0, _no_lease),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
async def test_scenario_goes_right_with_its_guard(shop: Any, mutation: Mutation) -> None:
    assert await mutation.scenario(shop) == mutation.right
    assert await shop.drift() == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
async def test_scenario_goes_wrong_without_its_guard(shop: Any, sql: Any, mutation: Mutation) -> None:
    mutation.remove(sql)
    assert await mutation.scenario(shop) == mutation.wrong
