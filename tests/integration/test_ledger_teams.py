from datetime import UTC, datetime, timedelta

import pytest

from heller import Heller, verify
from heller.errors import InsufficientCredits, InvalidArgument, LimitExceeded, UnknownMember


async def test_a_member_spends_up_to_the_cap_and_a_refund_gives_it_back(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("team")
        await heller.grant("team", 100)
        await heller.put_member("team", "ann", cap=10)
        await heller.put_member("team", "bob")
        first = await heller.spend_as("team", "ann", 7, key="a1", reason="analysis")
        assert (first.actor, first.delta) == ("ann", -7)
        assert (await heller.spend_as("team", "ann", 7, key="a1", reason="analysis")).replayed
        with pytest.raises(LimitExceeded, match="7 of 10") as refused:
            await heller.spend_as("team", "ann", 4)
        assert refused.value.limit == "member_cap"
        await heller.spend_as("team", "ann", 3)
        await heller.refund("team", first.seq or 0, 5)
        members = await heller.members("team")
        assert [(m.member, m.cap, m.spent, m.left) for m in members] == [
            ("ann", 10, 5, 5),
            ("bob", None, 0, None),
        ]
        await heller.spend_as("team", "bob", 50)
        with pytest.raises(InsufficientCredits):
            await heller.spend_as("team", "bob", 50)
        spending = await heller.spending_by_member("team")
        assert [(s.member, s.spent, s.refunded, s.count) for s in spending] == [
            ("bob", 50, 0, 1),
            ("ann", 10, 5, 2),
        ]
        assert (await heller.balance("team")).posted == 45
    assert (await verify(heller_database)).is_ok


async def test_a_dry_run_counts_nothing(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("team")
        await heller.grant("team", 100)
        await heller.put_member("team", "ann", cap=10)
        assert (await heller.spend_as("team", "ann", 7, dry_run=True)).dry_run
        assert [(m.spent, m.left) for m in await heller.members("team")] == [(0, 10)]
        with pytest.raises(LimitExceeded):
            await heller.spend_as("team", "ann", 11, dry_run=True)


async def test_who_is_no_member_spends_nothing(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("team")
        await heller.grant("team", 100)
        with pytest.raises(UnknownMember):
            await heller.spend_as("team", "eve", 1)
        await heller.put_member("team", "ann")
        await heller.spend_as("team", "ann", 1, key="before")
        assert (await heller.remove_member("team", "ann")).left_at is not None
        with pytest.raises(UnknownMember):
            await heller.spend_as("team", "ann", 1)
        assert (await heller.spend_as("team", "ann", 1, key="before")).replayed
        assert await heller.members("team") == []
        assert len(await heller.members("team", include_former=True)) == 1
        with pytest.raises(UnknownMember):
            await heller.remove_member("team", "eve")
        with pytest.raises(InvalidArgument):
            await heller.put_member("team", "ann", period="fortnight")


async def test_the_cap_is_for_a_calendar_period(heller_database: str) -> None:
    import psycopg  # noqa: PLC0415

    async with (
        Heller.connect(heller_database) as heller,
        await psycopg.AsyncConnection.connect(heller_database, autocommit=True) as c,
    ):
        await heller.open_account("team")
        await heller.grant("team", 100)
        await heller.put_member("team", "ann", cap=10, period="day")
        await heller.spend_as("team", "ann", 10)
        with pytest.raises(LimitExceeded):
            await heller.spend_as("team", "ann", 1)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        await c.execute(
            f"create or replace function heller._clock() returns timestamptz language sql volatile as $$ select '{tomorrow.isoformat()}'::timestamptz $$"
        )
        await heller.spend_as("team", "ann", 10)
        assert [(m.spent, m.left) for m in await heller.members("team")] == [(10, 0)]
