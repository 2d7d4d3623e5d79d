"""A schema nobody has seen before, moved while it is alive: decimals, an enumeration, uuids, quoted names, another schema."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from handover_world import each
from heller.errors import InsufficientCredits, SourceError
from heller.ledger import Heller
from heller.migration import run
from heller.migration.handover import fence
from heller.migration.handover.facade import Credits
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.outbox import drain
from heller.migration.handover.runs import move_many, open_sides

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
ANN, BOB, CY = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))

SCHEMA = f"""
create schema app; create schema billing;
create type billing."EntryKind" as enum ('PACK', 'RENDER', 'GIFT', 'SUPPORT', 'UNDO');
create type billing.purchase_state as enum ('open', 'complete', 'refunded', 'lapsed');
create table app."Members" ("MemberId" uuid primary key default gen_random_uuid(), "EMail" text not null, "Credits" numeric(10,2));
create table billing.purchases (
  id bigint generated always as identity primary key, member uuid not null references app."Members", payment_intent text,
  pack text not null, price numeric(10,2) not null, currency char(3) not null, credits int not null,
  state billing.purchase_state not null default 'open', at timestamp not null default now()
);
create table billing.credit_history (
  entry_id uuid primary key default gen_random_uuid(), member uuid not null, change numeric(10,2) not null,
  kind billing."EntryKind" not null, purchase_id bigint references billing.purchases, note text, at timestamp not null default now()
);
insert into app."Members" values ('{ANN}', 'ann@example.com', 107.50), ('{BOB}', 'bob@example.com', 10), ('{CY}', 'cy@example.com', null);
insert into billing.purchases (member, payment_intent, pack, price, currency, credits, state)
  values ('{ANN}', 'pi_1', 'medium', 19.90, 'EUR', 100, 'complete');
insert into billing.credit_history (member, change, kind, purchase_id, note, at) values
  ('{ANN}', 100, 'PACK', 1, null, '2025-03-01'), ('{ANN}', 7.5, 'GIFT', null, 'welcome', '2025-03-02'),
  ('{BOB}', 10, 'GIFT', null, 'welcome', '2025-03-03'), ('{CY}', 4, 'GIFT', null, 'welcome', '2025-03-04');
"""
MAPPING = """
system = "paperplane"
[users]
table = "app.Members"
id = "MemberId"
email = "EMail"
balance = { column = "Credits", scale = 100 }
[payments]
table = "billing.purchases"
id = "id"
user_ref = "member"
intent = "payment_intent"
amount = { column = "price", scale = 100 }
currency = "currency"
credits = { column = "credits", scale = 100 }
status = "state"
created_at = "at"
[transactions]
table = "billing.credit_history"
id = "entry_id"
user_ref = "member"
delta = { column = "change", scale = 100 }
reason = "kind"
description = "note"
payment_ref = "purchase_id"
created_at = "at"
[kinds]
PACK = "purchase"
RENDER = "spend"
GIFT = "grant"
SUPPORT = "adjust"
UNDO = "clawback"
[statuses]
lapsed = "canceled"
"""


Clone = Callable[[str], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def fenced(
    heller_template: str, clone: Clone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The application's database, copied and fenced, and heller's: each test takes copies of both."""

    async def prepare(legacy_url: str, url: str, folder: Path) -> None:
        async with await psycopg.AsyncConnection.connect(legacy_url, autocommit=True) as legacy:
            await legacy.execute(SCHEMA)
        path = folder / "mapping.toml"
        path.write_text(MAPPING, "utf-8")
        copied = await run(legacy_url, url, folder / "out", mapping=path, decide="recommended")
        assert copied.ok
        async with open_sides(legacy_url, url, mapping=path, needs_fence=False) as sides:
            status = await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout)
            assert status.ok, status.problems

    with (
        clone("template1") as legacy_url,
        clone(heller_template) as url,
    ):
        asyncio.run(prepare(legacy_url, url, tmp_path_factory.mktemp("mapped")))
        yield legacy_url, url


@pytest.fixture
async def world(
    fenced: tuple[str, str], clone: Clone, connect: Connect
) -> AsyncIterator[tuple[str, str, psycopg.AsyncConnection]]:
    """Copies of both, and a connection to the application's."""
    with clone(urlsplit(fenced[0]).path[1:]) as legacy_url, clone(urlsplit(fenced[1]).path[1:]) as url:
        yield legacy_url, url, await connect(legacy_url)


async def rows(connection: psycopg.AsyncConnection, query: str) -> list[tuple[object, ...]]:
    return await (await connection.execute(query)).fetchall()


async def test_decimals_are_copied_exactly_and_come_back_in_the_applications_own_words(
    world: tuple[str, str, psycopg.AsyncConnection],
) -> None:
    legacy_url, url, legacy = world
    async with (
        open_sides(legacy_url, url) as sides,
        Heller.connect(url) as heller,
    ):  # the fence keeps the mapping
        assert [(await heller.balance(user)).posted for user in (ANN, BOB, CY)] == [10_750, 1_000, 400]
        assert (await move_many(sides.coordinator().hand_over, each([ANN, BOB, CY]))).counts["moved"] == 3
        await sides.ours.connection.execute(
            "select heller.credit_purchase(%s, 'pi_2', 5000, p_intent => 'pi_2', p_amount => 995, p_currency => 'USD')",
            [ANN],
        )
        spend = await heller.spend(ANN, 125, reason="a small render")
        await heller.refund(ANN, spend.seq, 25, reason="half failed")
        await heller.clawback(ANN, 5000, payment="pi_2", reason="refunded")
        await heller.adjust(CY, 1, reason="a cent")
        back = await move_many(sides.coordinator().send_back, each([ANN, BOB, CY]))
        assert back.counts["returned"] == 3, back.reasons
        assert (await check_invariants(sides)).ok
        assert await rows(legacy, 'select "Credits"::text from app."Members" order by "EMail"') == [("106.50",), ("10.00",), ("4.01",)]  # fmt: skip
        assert await rows(
            legacy,
            "select change::text, kind::text, purchase_id is not null, note from billing.credit_history where at > now() - interval '1 day' order by at, change",
        ) == [
            ("50.00", "PACK", True, "purchase"), ("-1.25", "RENDER", False, "a small render"), ("0.25", "SUPPORT", False, "half failed"),
            ("-50.00", "UNDO", True, "refunded"), ("0.01", "SUPPORT", False, "a cent"),
        ]  # fmt: skip
        assert await rows(
            legacy,
            "select price::text, currency::text, credits, state::text from billing.purchases where payment_intent = 'pi_2'",
        ) == [("9.95", "USD", 50, "complete")]
        counted = (await heller.balance(ANN)).transactions
        assert (await move_many(sides.coordinator().hand_over, each([ANN]))).counts["moved"] == 1
        assert (await heller.balance(ANN)).transactions == counted  # nothing came twice
        assert (await check_invariants(sides)).ok


async def test_what_a_column_cannot_hold_is_never_rounded(
    world: tuple[str, str, psycopg.AsyncConnection],
) -> None:
    legacy_url, url, legacy = world
    async with open_sides(legacy_url, url) as sides:
        await sides.coordinator().hand_over([BOB])
        await sides.ours.connection.execute(
            "select heller.credit_purchase(%s, 'pi_3', 150, p_intent => 'pi_3', p_amount => 10, p_currency => 'EUR')",
            [BOB],
        )  # one credit and a half, and purchases.credits is an integer
        (outcome,) = await sides.coordinator().send_back([BOB])
        assert (outcome.outcome, "billing.purchases.credits cannot hold 150" in (outcome.reason or "")) == (
            "quarantined",
            True,
        )
        assert await rows(legacy, "select count(*) from billing.purchases") == [(1,)]


async def test_a_generated_balance_is_refused_before_anything_is_built(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        "create table users (id int primary key, wallet jsonb, coins int generated always as ((wallet ->> 'coins')::int) stored);"
        "create table log (id int primary key, user_id int, delta int)"
    )
    path = tmp_path / "mapping.toml"
    path.write_text(
        '[users]\ntable = "users"\nid = "id"\nbalance = "coins"\n'
        '[transactions]\ntable = "log"\nid = "id"\nuser_ref = "user_id"\ndelta = "delta"\n'
    )
    with pytest.raises(SourceError, match=r"users\.coins is a generated column"):
        async with open_sides(empty_database, heller_database, mapping=path, needs_fence=False):
            pass


async def test_the_facade_spends_decimals_at_home_in_the_legacy_system(
    world: tuple[str, str, psycopg.AsyncConnection],
) -> None:
    legacy_url, url, legacy = world
    async with Credits.connect(url, legacy_url) as credits:
        spent = await credits.spend(ANN, 125, key="render-1", reason="a small render")
        assert (spent.home, spent.balance_after) == ("legacy", 10_625)
        assert (await credits.spend(ANN, 125, key="render-1", reason="a small render")).replayed
        with pytest.raises(InsufficientCredits):
            await credits.spend(BOB, 1_001, key="render-2")
        # a balance that says nothing is what the history says: it is written down when it first changes
        assert (await credits.spend(CY, 150, key="render-3", reason="a small render")).balance_after == 250
        assert await credits.balance(CY) == 250
    assert await rows(legacy, 'select "Credits" from app."Members" order by "EMail"') == [
        (Decimal("106.25"),), (Decimal("10.00"),), (Decimal("2.50"),)
    ]  # fmt: skip


async def test_captured_purchases_are_counted_in_hellers_units(
    world: tuple[str, str, psycopg.AsyncConnection],
) -> None:
    legacy_url, url, legacy = world
    async with open_sides(legacy_url, url) as sides, Heller.connect(url) as heller:
        await fence.install(
            sides.legacy.connection, sides.ours.connection, sides.layout, fence_mode="capture"
        )
        await sides.coordinator().hand_over([BOB])
        async with legacy.transaction():
            await legacy.execute(
                "insert into billing.purchases (member, payment_intent, pack, price, currency, credits, state)"
                " values (%s, 'pi_4', 'small', 9.90, 'EUR', 50, 'complete')", [BOB]
            )  # fmt: skip
            await legacy.execute(
                "insert into billing.credit_history (member, change, kind) values (%s, 50, 'PACK')", [BOB]
            )
        assert await drain(sides) == {"credited": 1}
        assert (await heller.balance(BOB)).posted == 6_000
        assert await rows(sides.ours.connection, "select amount, currency from heller.payments where payment_key = 'pi_4'") == [(990, "EUR")]  # fmt: skip
