"""Reverse undoes any transaction as a whole, once; options of a wrong type fail alone."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from heller import Heller, verify
from heller.database import call
from heller.errors import (
    ExceedsOriginal,
    InsufficientCredits,
    InvalidArgument,
    StaleVersion,
    UnknownTransaction,
)

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
Change = Callable[[Heller, psycopg.AsyncConnection, str], Awaitable[Any]]


async def spend(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    return (await heller.spend(a, 30)).seq or 0


async def refund(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    spent = await heller.spend(a, 30)
    return (await heller.refund(a, spent.seq or 0, 12)).seq or 0


async def grant(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    return (await heller.grant(a, 50, priority=1)).seq or 0  # type: ignore[return-value]


async def partly_voided(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    given = await heller.grant(a, 50, priority=1)
    await heller.spend(a, 20)
    await heller.void(a, given.grant or 0)  # 30 of it went: reverse takes the other 20
    return given.seq or 0


async def void(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    given = await heller.grant(a, 50, priority=1)
    return (await heller.void(a, given.grant or 0)).seq or 0


async def clawback(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    return (await heller.clawback(a, 25)).seq or 0


async def reinstate(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    taken = await heller.clawback(a, 25)
    return (await heller.reinstate(a, taken.seq or 0)).seq or 0


async def up(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    return (await heller.adjust(a, 5, reason="found")).seq or 0


async def down(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    return (await heller.adjust(a, -5, reason="lost")).seq or 0


async def transfer(heller: Heller, _: psycopg.AsyncConnection, a: str) -> int:
    return (await heller.transfer(a, "b", 40)).seq or 0


async def expire(heller: Heller, connection: psycopg.AsyncConnection, a: str) -> int:
    await heller.grant(a, 9, priority=1, expires_at=datetime.now(UTC) + timedelta(seconds=30))
    await connection.execute(
        "create or replace function heller._clock() returns timestamptz language sql volatile"
        " as $$ select clock_timestamp() + interval '1 minute' $$"
    )
    await heller.spend(a, 1)
    return next(t.seq or 0 for t in await heller.history(a) if t.kind == "expire")


CHANGES: list[tuple[Change, int]] = [
    (spend, 30), (refund, -12), (grant, -50), (partly_voided, -20), (void, 50), (clawback, 25), (reinstate, -25),
    (up, -5), (down, 5), (transfer, 40), (expire, 9),
]  # fmt: skip


async def test_reverse_undoes_each_kind_once_and_the_books_stay_right(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("b")
        for change, delta in CHANGES:
            name = change.__name__
            await heller.open_account(name)
            await heller.grant(name, 100, cost=1000, currency="eur")
            seq = await change(heller, connection, name)
            before = await heller.balance(name)
            would = await heller.reverse(name, seq, key="undo", dry_run=True)
            done = await heller.reverse(name, seq, key="undo", reason="wrong")
            again = await heller.reverse(name, seq, key="undo", reason="wrong")
            assert (name, would.delta, would.dry_run) == (name, delta, True)
            assert (name, done.delta, done.related_seq) == (name, delta, seq)
            assert (again.replayed, again.seq) == (True, done.seq)
            assert (await heller.balance(name)).posted == before.posted + delta
            with pytest.raises(ExceedsOriginal):
                await heller.reverse(name, seq)
            if done.kind == "transfer":
                with pytest.raises(InvalidArgument, match="transfer the credits again"):
                    await heller.reverse(name, done.seq or 0)
            else:  # a reversal can itself be reversed
                assert (await heller.reverse(name, done.seq or 0)).delta == -delta
            left = sum(grant.remaining or 0 for grant in await heller.grants(name))
            assert (name, left) == (name, (await heller.balance(name)).posted)
    assert (await verify(heller_database)).is_ok


async def test_reverse_of_a_transfer_takes_the_same_credits_from_the_taker(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.open_account("b")
        await heller.grant("a", 100)
        await heller.grant("b", 7)
        sent = await heller.transfer("a", "b", 40)
        with pytest.raises(InvalidArgument, match="reverse the transfer there"):
            await heller.reverse("b", sent.to_seq or 0)
        await heller.reverse("a", sent.seq or 0)
        assert [(await heller.balance(name)).posted for name in "ab"] == [100, 7]
        assert [g.remaining for g in await heller.grants("b")] == [7]
    assert (await verify(heller_database)).is_ok


async def test_reverse_of_used_credits_is_refused_or_becomes_debt(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        given = await heller.grant("a", 10)
        await heller.spend("a", 8)
        with pytest.raises(InsufficientCredits):
            await heller.reverse("a", given.seq or 0)
        with pytest.raises(UnknownTransaction):
            await heller.reverse("a", 99)
        with pytest.raises(StaleVersion):
            await heller.reverse("a", given.seq or 0, if_version=0)
        assert (await heller.balance("a")).posted == 2
        assert (await heller.reverse("a", given.seq or 0, policy="debt")).balance_after == -8
    assert (await verify(heller_database)).is_ok


@pytest.mark.parametrize(
    "others", [[], [{"verb": "grant", "account": "b", "amount": 1}]], ids=["spends", "mixed"]
)
async def test_an_option_of_a_wrong_type_is_that_operations_own_refusal(
    heller_database: str, connect: Connect, others: list[dict[str, Any]]
) -> None:
    connection = await connect(heller_database)
    for name in ("a", "b"):
        await call(connection, "open_account", account_id=name)
    await call(connection, "grant", account_id="a", amount=100)
    good = {"verb": "spend", "account": "a", "amount": 3}
    bad = {"if_version": "soon", "allow_partial": "perhaps", "effective_at": "never", "amount": "many"}
    operations = [good, *({**good, name: value} for name, value in bad.items()), good, *others]
    results = await call(connection, "apply", operations=operations)
    assert [r["detail"]["argument"] for r in results if "error" in r] == list(bad)
    assert {r["error"] for r in results if "error" in r} == {"HL001"}
    assert (await call(connection, "balance", account_id="a"))["posted"] == 94
    slow = {"verb": "hold", "account": "a", "amount": 1, "seconds": "long"}
    (refused,) = await call(connection, "apply", operations=[slow])
    assert (refused["error"], refused["detail"]) == ("HL001", {"argument": "seconds"})


async def test_every_verb_heeds_if_version(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 100)
        for verb in ("clawback", "capture", "release", "renew"):
            held = await heller.place_hold("a", 10)
            now = (await heller.balance("a")).version
            target = 10 if verb == "clawback" else held.hold
            with pytest.raises(StaleVersion):
                await getattr(heller, verb)("a", target, if_version=now + 1)
            assert (await heller.balance("a")).version == now
            assert (await getattr(heller, verb)("a", target, if_version=now, dry_run=True)).dry_run
            assert (await heller.balance("a")).version == now
            await getattr(heller, verb)("a", target, if_version=now)
            assert (await heller.balance("a")).version > now


async def test_a_grant_whose_credits_paid_for_undoing_another_can_still_be_undone(
    heller_database: str,
) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        first = await heller.grant("a", 50)
        await heller.spend("a", 50)
        second = await heller.grant("a", 50)
        assert (await heller.reverse("a", first.seq or 0)).delta == -50  # the second one's credits pay
        with pytest.raises(InsufficientCredits):
            await heller.reverse("a", second.seq or 0)
        assert (await heller.reverse("a", second.seq or 0, policy="debt")).balance_after == -50
    assert (await verify(heller_database)).is_ok


async def test_undoing_and_undoing_again_counts_for_the_members_cap(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("team")
        await heller.grant("team", 50)
        await heller.put_member("team", "ann", cap=20)
        step = await heller.spend_as("team", "ann", 10)
        for left in (20, 10, 20, 10):
            step = await heller.reverse("team", step.seq or 0)
            assert (await heller.members("team"))[0].left == left
    assert (await verify(heller_database)).is_ok
