"""A shop that writes purchases into its orders and its balances only, and its history as what was used: captured, credited, never cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from heller import worker
from heller.ledger import Heller
from heller.migration import run
from heller.migration.handover import fence
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.outbox import answer, drain
from heller.migration.handover.purchases import deliver
from heller.migration.handover.runs import Sides, open_sides
from heller.migration.handover.status import handover_status
from heller.migration.source import url_of

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
Clone = Callable[[str], AbstractContextManager[str]]

SCHEMA = """
create table members (member_no integer primary key, mail text, coins numeric(12,3) not null);
create table orders (
  order_no integer generated always as identity primary key, member_no integer, stripe_pi text, coins numeric(12,3), price numeric(12,3), state text,
  placed timestamptz not null default now());
create table coin_log (log_no integer generated always as identity primary key, member_no integer, coins_used numeric(12,3), what text,
  at timestamptz not null default now());
create table gifts (gift_no integer generated always as identity primary key, member_no integer, coins numeric(12,3), why text, at timestamptz not null default now());
insert into members values (1, 'ann@example.com', 90), (2, 'bob@example.com', 45);
insert into orders (member_no, stripe_pi, coins, price, state) values (1, 'pi_7', 100, 5, 'done'), (2, 'pi_8', 50, 2.5, 'done');
insert into coin_log (member_no, coins_used, what) values (1, 10, 'scan'), (2, 5, 'scan');
"""
MAPPING = """
system = "shop"
[users]
table = "members"
id = "member_no"
email = "mail"
balance = { column = "coins", scale = 100 }
[payments]
table = "orders"
id = "order_no"
user_ref = "member_no"
intent = "stripe_pi"
amount = { column = "price", scale = 100 }
currency = { value = "EUR" }
credits = { column = "coins", scale = 100 }
status = "state"
created_at = "placed"
[[transactions]]
table = "coin_log"
id = "log_no"
user_ref = "member_no"
delta = { column = "coins_used", scale = 100 }
negated = true
reason = "what"
created_at = "at"
[[transactions]]
table = "gifts"
id = "gift_no"
user_ref = "member_no"
delta = { column = "coins", scale = 100 }
reason = "why"
created_at = "at"
[kinds]
scan = "spend"
gift = "grant"
[statuses]
done = "paid"
"""


@pytest.fixture(scope="module")
def prepared(
    heller_template: str, clone: Clone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The shop's database, copied and fenced in mode capture, and heller's."""

    async def prepare(legacy_url: str, url: str, folder: Path) -> None:
        async with await psycopg.AsyncConnection.connect(legacy_url, autocommit=True) as legacy:
            await legacy.execute(SCHEMA)
        path = folder / "mapping.toml"
        path.write_text(MAPPING, "utf-8")
        assert (await run(legacy_url, url, folder / "out", mapping=path, decide="recommended")).ok
        async with open_sides(legacy_url, url, mapping=path, needs_fence=False) as sides:
            status = await fence.install(
                sides.legacy.connection, sides.ours.connection, sides.layout, fence_mode="capture"
            )
            assert status.ok, status.problems
            await sides.coordinator().hand_over(["1", "2"])

    with clone("template1") as legacy_url, clone(heller_template) as url:
        asyncio.run(prepare(legacy_url, url, tmp_path_factory.mktemp("shop")))
        yield legacy_url, url


@pytest.fixture
async def sides(prepared: tuple[str, str], clone: Clone) -> AsyncIterator[Sides]:
    """Copies of both, whose two members have moved."""
    with clone(urlsplit(prepared[0]).path[1:]) as legacy_url, clone(urlsplit(prepared[1]).path[1:]) as url:
        async with open_sides(legacy_url, url) as opened:
            yield opened


@pytest.fixture
async def shop(sides: Sides, connect: Connect) -> psycopg.AsyncConnection:
    """The shop's own connection."""
    return await connect(url_of(sides.legacy.connection))


async def bought(
    shop: psycopg.AsyncConnection, *, coins: str, price: str, intent: str, member: int = 1
) -> None:
    """A purchase as this shop writes it down."""
    async with shop.transaction():
        await shop.execute(
            "insert into orders (member_no, stripe_pi, coins, price, state) values (%s, %s, %s::numeric, %s::numeric, 'done')",
            [member, intent, coins, price],
        )
        await shop.execute(
            "update members set coins = coins + %s::numeric where member_no = %s", [coins, member]
        )


async def posted(sides: Sides, member: str) -> int:
    async with Heller.connect(url_of(sides.ours.connection)) as heller:
        return (await heller.balance(member)).posted


async def test_purchase_that_only_the_balance_shows_is_credited(
    sides: Sides, shop: psycopg.AsyncConnection
) -> None:
    await bought(shop, coins="12.5", price="1.25", intent="pi_a")
    assert await drain(sides) == {"credited": 1}
    assert await posted(sides, "1") == 10_250
    assert await drain(sides) == {}


async def test_each_history_is_read_by_its_own_columns_and_with_its_own_sign(
    sides: Sides, shop: psycopg.AsyncConnection
) -> None:
    await shop.execute("insert into gifts (member_no, coins, why) values (1, 7.5, 'gift')")
    await shop.execute("insert into coin_log (member_no, coins_used, what) values (2, -5.25, 'scan undone')")
    assert await drain(sides) == {"credited": 2}
    assert (await posted(sides, "1"), await posted(sides, "2")) == (9_750, 5_025)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into gifts (member_no, coins, why) values (1, 12.505, 'gift')",
        "update members set coins = coins + 12.505 where member_no = 1",
    ],
)
async def test_change_that_is_finer_than_the_scale_is_refused_with_the_reason(
    sides: Sides, shop: psycopg.AsyncConnection, statement: str
) -> None:
    with pytest.raises(psycopg.Error, match="finer than the mapping's scale") as refused:
        await shop.execute(statement)
    assert refused.value.sqlstate == "MG001"
    assert await drain(sides) == {}
    assert await posted(sides, "1") == 9_000


async def test_captured_purchase_with_a_part_that_is_too_fine_waits_for_a_person(
    sides: Sides, shop: psycopg.AsyncConnection
) -> None:
    await bought(shop, coins="10", price="1.255", intent="pi_b")
    await bought(shop, coins="20", price="2", intent="pi_c")
    assert await drain(sides) == {"parked": 1, "credited": 1}  # nothing is cut, and the next one goes on
    assert await posted(sides, "1") == 11_000
    waiting = await (
        await shop.execute("select distinct outcome from heller_fence.outbox where drained_at is null")
    ).fetchall()
    assert waiting == [("orders.price is 1.255, finer than the mapping's scale of 100",)]
    await shop.execute("update heller_fence.outbox set captured_at = now() - interval '1 hour'")
    (breach, *_) = (await check_invariants(sides)).breaches
    assert (breach.invariant, "finer than" in breach.sentence) == ("I6", True)
    ((where, number, account, why),) = (await handover_status(sides)).purchases
    assert (where, account, "finer than" in why) == ("outbox", "1", True)
    assert await answer(sides, number, actor="ann@example.com", reason="granted by hand") == 2
    assert (await check_invariants(sides)).ok


async def test_worker_credits_what_was_captured_without_any_rollout(
    sides: Sides, shop: psycopg.AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEGACY_DATABASE_URL", url_of(sides.legacy.connection))
    await bought(shop, coins="10", price="1", intent="pi_d")
    async with worker.opened_worker(url_of(sides.ours.connection)) as opened:
        assert (await opened.rollout(None))["outbox"] == {"credited": 1}
    assert await posted(sides, "1") == 10_000


async def test_history_and_balance_that_disagree_are_parked_and_a_handler_without_transactions_is_credited_once(
    sides: Sides, shop: psycopg.AsyncConnection
) -> None:
    async with shop.transaction():
        await shop.execute("insert into gifts (member_no, coins, why) values (1, 10, 'gift')")
        await shop.execute("update members set coins = coins + 110 where member_no = 1")
    await shop.execute("insert into gifts (member_no, coins, why) values (2, 20, 'gift')")
    await shop.execute("update members set coins = coins + 20 where member_no = 2")  # the same gift
    assert await drain(sides) == {"parked": 1, "credited": 1, "known": 1}
    assert (await posted(sides, "1"), await posted(sides, "2")) == (9_000, 6_500)


async def test_order_paid_at_home_in_the_shops_own_word_is_settled_when_its_buyer_moves(
    sides: Sides, shop: psycopg.AsyncConnection
) -> None:
    coordinator = sides.coordinator()
    await shop.execute("insert into members values (3, 'cy@example.com', 0)")
    await shop.execute(
        "insert into orders (member_no, stripe_pi, coins, price, state) values (3, 'pi_e', 30, 3, 'begun')"
    )
    await coordinator.hand_over(["3"])
    await coordinator.send_back(["3"])
    await shop.execute("update orders set state = 'done' where stripe_pi = 'pi_e'")
    await shop.execute("update members set coins = coins + 30 where member_no = 3")
    (moved,) = await coordinator.hand_over(["3"])
    assert moved.outcome == "moved", moved.reason
    found = await sides.ours.connection.execute(
        "select state, net_credits from heller.payments where payment_key = 'pi_e'"
    )
    assert await found.fetchall() == [("settled", 3_000)]  # or Stripe's own event would credit it again


async def test_what_was_bought_in_heller_and_paid_at_home_is_written_as_this_shop_writes(
    sides: Sides, shop: psycopg.AsyncConnection
) -> None:
    coordinator = sides.coordinator()
    await coordinator.send_back(["1"])
    await sides.ours.connection.execute(
        "insert into heller.owed_purchases (payment_key, account_id, order_id, credits, payment) values ('pi_f', '1', 'none', 1250, jsonb_build_object("
        " 'payment_key', 'pi_f', 'provider', 'stripe', 'intent', 'pi_f', 'amount', 125, 'currency', 'EUR', 'credits', 1250, 'sold', 1250,"
        " 'state', 'settled', 'events', '[\"evt_f\"]'::jsonb))"
    )
    assert [await deliver(sides), await deliver(sides)] == [1, 0]
    rows = "select coins_used::text from coin_log where log_no = (select max(log_no) from coin_log) union all select coins::text from members where member_no = 1"
    assert await (await shop.execute(rows)).fetchall() == [("-12.500",), ("102.500",)]
    bought_there = "select coins::text, price::text, state from orders where stripe_pi = 'pi_f'"
    assert await (await shop.execute(bought_there)).fetchall() == [("12.500", "1.250", "done")]
    with pytest.raises(psycopg.Error, match="credited by heller already"):
        await bought(shop, coins="12.5", price="1.25", intent="pi_f")
    (moved,) = await coordinator.hand_over(["1"])
    assert moved.outcome == "moved", moved.reason
    assert await posted(sides, "1") == 10_250
    known = await sides.ours.connection.execute(
        "select net_credits from heller.payments where payment_key = 'pi_f'"
    )
    assert await known.fetchall() == [(1_250,)]
    assert (await check_invariants(sides)).ok
