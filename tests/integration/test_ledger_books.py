"""Statements, anchors, revenue, what expires soon."""

import csv
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from heller import Heller
from heller.errors import InvalidArgument, UnknownAccount
from heller.ledger.anchors import Anchor, verify_since
from heller.ledger.statements import StatementHead, StatementLine

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2030, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))


async def _set_clock(connection: psycopg.AsyncConnection, at: datetime) -> None:
    await connection.execute(
        "create or replace function heller._clock() returns timestamptz language sql volatile"
        f" as $$ select '{at.isoformat()}'::timestamptz $$"
    )


async def test_a_statement_opens_lists_and_closes(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    async with Heller.connect(heller_database) as heller:
        await _set_clock(connection, JANUARY)
        await heller.open_account("a")
        await heller.grant("a", 100, reason="welcome")
        await _set_clock(connection, FEBRUARY)
        await heller.spend("a", 10, reason="=1+1", key="k")
        await heller.spend("a", 5, effective_at=JANUARY + timedelta(days=5))
        await heller.adjust("a", 3, reason="late", effective_at=FEBRUARY + timedelta(days=3))
        await _set_clock(connection, MARCH)
        await heller.spend("a", 1)
        parts = [part async for part in heller.statement("a", FEBRUARY, MARCH)]
        head, *lines = parts
        assert isinstance(head, StatementHead)
        assert (head.opening, head.closing) == (95, 88)
        assert [(x.transaction.delta, x.balance) for x in lines if isinstance(x, StatementLine)] == [
            (-10, 85),
            (3, 88),
        ]
        text = "".join([row async for row in heller.statement_csv("a", FEBRUARY, MARCH)])
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(r["kind"], r["delta"], r["balance"]) for r in rows] == [
            ("opening", "", "95"), ("spend", "-10", "85"), ("adjust", "3", "88"), ("closing", "", "88"),
        ]  # fmt: skip
        assert rows[1]["reason"] == "'=1+1", "no spreadsheet runs it"
        with pytest.raises(UnknownAccount):
            _ = [part async for part in heller.statement("nobody", JANUARY, MARCH)]
        with pytest.raises(InvalidArgument):
            _ = [part async for part in heller.statement("a", MARCH, MARCH)]


async def test_a_long_statement_comes_in_pages_without_a_gap(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 5000)
        await heller.apply([{"verb": "spend", "account": "a", "amount": 1}] * 2500)
        now = datetime.now(UTC)
        parts = [
            part async for part in heller.statement("a", now - timedelta(days=1), now + timedelta(days=1))
        ]
        lines = [part for part in parts if isinstance(part, StatementLine)]
        assert [line.transaction.seq for line in lines] == list(range(1, 2502))
        assert lines[-1].balance == 2500


async def test_revenue_is_recognised_when_credits_are_used(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    async with Heller.connect(heller_database) as heller:
        await _set_clock(connection, JANUARY)
        await heller.open_account("a")
        await heller.open_account("b")
        # 1000 for 300: no unit cost in whole cents
        await heller.grant(
            "a", 300, source="purchase", cost=1000, currency="EUR", expires_at=MARCH + timedelta(days=1)
        )
        await heller.grant("a", 50, source="promotion")
        await heller.spend("a", 100)
        await _set_clock(connection, FEBRUARY)
        spent = await heller.spend("a", 100)
        await heller.grant("b", 10, source="purchase", cost=500, currency="USD", payment="p")
        await heller.clawback("b", 4, payment="p")
        await _set_clock(connection, FEBRUARY + timedelta(days=1))
        await heller.refund("a", spent.seq or 0, 50)
        await heller.transfer("a", "b", 30)
        await _set_clock(connection, MARCH + timedelta(days=2))
        await heller.spend("a", 1)  # the rest of the grant has expired
        january = {r.currency: r for r in await heller.revenue(JANUARY, FEBRUARY)}
        february = {r.currency: r for r in await heller.revenue(FEBRUARY, MARCH)}
        march = {r.currency: r for r in await heller.revenue(MARCH, APRIL)}
        assert (january["EUR"].sold, january["EUR"].recognised, january["EUR"].deferred_after) == (
            1000,
            333,
            667,
        )
        assert (february["EUR"].deferred_before, february["EUR"].recognised) == (667, 167)
        assert february["EUR"].deferred_after == 500
        assert (february["USD"].sold, february["USD"].taken_back, february["USD"].deferred_after) == (
            500,
            200,
            300,
        )
        assert march["EUR"].breakage + march["EUR"].deferred_after == 500
        assert march["EUR"].deferred_before == 500


async def test_credits_that_arrive_by_a_transfer_and_pay_a_debt_are_recognised(heller_database: str) -> None:
    now = datetime.now(UTC)
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("giver")
        await heller.open_account("debtor", overdraft_limit=40)
        await heller.grant("giver", 100, source="purchase", cost=1000, currency="EUR")
        await heller.spend("debtor", 40)
        await heller.transfer("giver", "debtor", 60)
        euros = (await heller.revenue(now - timedelta(days=1), now + timedelta(days=1)))[0]
    assert (euros.sold, euros.recognised, euros.deferred_after, euros.moved) == (1000, 400, 600, 0)


async def test_what_expires_soon_is_listed_with_what_is_left_of_it(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)
    await _set_clock(connection, JANUARY)
    async with Heller.connect(heller_database) as heller:
        for name in ("a", "b", "c"):
            await heller.open_account(name)
        await heller.grant("a", 10, expires_at=FEBRUARY)
        await heller.grant("a", 10, expires_at=MARCH)
        await heller.grant("b", 10, expires_at=FEBRUARY)
        await heller.grant("c", 10)
        await heller.spend("a", 4)
        await heller.spend("b", 10)
        soon = await heller.expiring(FEBRUARY + timedelta(days=1))
        assert [(g.account, g.grant, g.remaining) for g in soon] == [("a", 1, 6)]
        later = await heller.expiring(APRIL, account="a")
        assert [(g.account, g.grant, g.remaining) for g in later] == [("a", 1, 6), ("a", 2, 10)]


async def _anchor(heller: Heller) -> Anchor:
    """An anchor over everything so far."""
    import asyncio  # noqa: PLC0415

    last = (await heller.history("a", limit=1))[0].recorded_at
    for _ in range(300):
        anchor = await heller.take_anchor()
        if anchor is not None and last is not None and datetime.fromisoformat(anchor.at) > last:
            return anchor
        await asyncio.sleep(0.02)
    raise AssertionError


@pytest.fixture
async def anchored(heller_database: str) -> tuple[str, Anchor]:
    async with Heller.connect(heller_database) as heller:
        for name in ("b", "c", "a"):
            await heller.open_account(name)
            await heller.grant(name, 100)
            await heller.spend(name, 1)
        anchor = await _anchor(heller)
        for name in ("a", "b"):
            await heller.spend(name, 1)
        await heller.open_account("d")
        await heller.grant("d", 1)
    return heller_database, anchor


async def test_an_anchor_still_holds_after_more_was_written(anchored: tuple[str, Anchor]) -> None:
    url, anchor = anchored
    assert (anchor.accounts, anchor.transactions) == (3, 6)
    async with Heller.connect(url) as heller:
        assert (await heller.check_anchor(anchor)).ok
        assert anchor in await heller.anchors()
        assert not (await heller.check_anchor(replace(anchor, digest="00"))).ok
    result = await verify_since(url, anchor)
    assert result.is_ok
    assert result.accounts == 3, "a, b and d have changed; c was not looked at"
    assert result.transactions == 3 + 3 + 1


@pytest.mark.parametrize("tampering", [
    "update heller.transactions set delta = -2 where account_id = 'c' and seq = 2; update heller.transactions set hash = '\\x00' where account_id = 'c' and seq = 2",
    "delete from heller.transactions where account_id = 'c' and seq = 2",
    "delete from heller.transactions where account_id = 'c'; delete from heller.accounts where account_id = 'c'",
])  # fmt: skip
async def test_an_anchor_shows_that_older_rows_were_changed_or_removed(
    anchored: tuple[str, Anchor], connect: Connect, tampering: str
) -> None:
    url, anchor = anchored
    connection = await connect(url)
    await connection.execute("alter table heller.transactions disable trigger all")
    for statement in tampering.split("; "):
        await connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
    assert not (await verify_since(url, anchor)).anchor.ok


async def test_verify_since_names_what_is_wrong_in_what_changed(
    anchored: tuple[str, Anchor], connect: Connect
) -> None:
    url, anchor = anchored
    connection = await connect(url)
    await connection.execute("alter table heller.transactions disable trigger all")
    await connection.execute("update heller.transactions set reason = 'x' where account_id = 'b' and seq = 1")
    result = await verify_since(url, anchor)
    assert not result.is_ok
    assert [(row["account"], row["seq"], row["what"]) for row in result.broken] == [("b", 1, "hash")]
