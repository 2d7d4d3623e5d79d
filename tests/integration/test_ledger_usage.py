"""What was used per day and feature."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from heller import Heller
from heller.errors import InvalidArgument
from heller.success import success

DAY = datetime(2026, 3, 10, 12, tzinfo=UTC)
MONTH = (DAY - timedelta(days=20), DAY + timedelta(days=10))


async def lines(heller, **options):
    rows = await heller.usage("ann", *MONTH, **options)
    return [(row.day, row.feature, row.spent, row.count) for row in rows]


async def test_usage_is_per_day_and_feature_less_what_was_refunded(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("ann")
        await heller.grant("ann", 1_000)
        analysis = await heller.spend("ann", 10, reason="job analysis", effective_at=DAY)
        await heller.spend("ann", 5, reason="job analysis", effective_at=DAY)
        await heller.spend("ann", 40, reason="run 17", metadata={"feature": "tailoring"}, effective_at=DAY)
        await heller.spend("ann", 7, reason="job analysis", effective_at=DAY - timedelta(days=1))
        await heller.spend("ann", 99, reason="job analysis", effective_at=MONTH[1])
        await heller.spend("ann", 3, effective_at=DAY)
        await heller.refund("ann", analysis.seq, amount=4)

        assert await lines(heller) == [
            (date(2026, 3, 9), "job analysis", 7, 1),
            (date(2026, 3, 10), "tailoring", 40, 1),
            (date(2026, 3, 10), "job analysis", 11, 2),
            (date(2026, 3, 10), "", 3, 1),
        ]


async def test_small_features_come_together_and_days_are_those_of_the_zone(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("ann")
        await heller.grant("ann", 1_000)
        for place, reason in enumerate(["a", "b", "c"], 1):
            await heller.spend("ann", 10 * place, reason=reason, effective_at=DAY.replace(hour=23, minute=30))

        assert await lines(heller, features=1, zone="Europe/Berlin") == [
            (date(2026, 3, 11), "c", 30, 1),
            (date(2026, 3, 11), None, 30, 2),
        ]


async def test_usage_of_another_account_and_unit_is_not_counted(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        for account, unit in (("ann", "credit"), ("ann", "token"), ("bob", "credit")):
            await heller.open_account(account, unit=unit)
            await heller.grant(account, 100, unit=unit)
            await heller.spend(account, 1, reason=f"{account} {unit}", unit=unit, effective_at=DAY)

        assert [row[1] for row in await lines(heller)] == ["ann credit"]


async def report(heller, **options):
    now = datetime.now(UTC)
    rows = await heller.usage_report(now - timedelta(hours=1), now + timedelta(hours=1), **options)
    return [(row.name, row.spent, row.refunded, row.count, row.accounts) for row in rows]


async def test_the_report_is_over_all_accounts_by_what_one_asks_for(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        for account in ("ann", "bob"):
            await heller.open_account(account)
            await heller.grant(account, 1_000)
        big = {"feature": "analysis", "model": "large"}
        first = await heller.spend("ann", 30, reason="run 1", metadata=big)
        await heller.spend("bob", 20, reason="run 2", metadata=big)
        await heller.spend("bob", 5, reason="match", metadata={"model": "small"})
        await heller.spend("ann", 2)
        await heller.refund("ann", first.seq, amount=4, metadata={"feature": "no such", "model": "none"})
        before = await heller.spend("ann", 7, reason="match", effective_at=DAY)

        assert await report(heller) == [
            ("analysis", 50, 4, 2, 2), ("match", 12, 0, 2, 2), ("", 2, 0, 1, 1),
        ]  # fmt: skip
        assert await report(heller, by="account") == [("ann", 39, 4, 3, 1), ("bob", 25, 0, 2, 1)]
        assert await report(heller, by="metadata.model") == [
            ("large", 50, 4, 2, 2), ("", 9, 0, 2, 1), ("small", 5, 0, 1, 1),
        ]  # fmt: skip
        assert (await report(heller, by="reason"))[0] == ("run 1", 30, 4, 1, 1)
        assert await report(heller, names=1) == [("analysis", 50, 4, 2, 2), (None, 14, 0, 3, None)]
        assert await report(heller, unit="token") == []
        (line,) = await heller.usage_report(
            before.recorded_at, datetime.now(UTC), per="month", zone="Asia/Tokyo"
        )
        assert (line.name, line.begin) == (
            "match",
            (before.recorded_at + timedelta(hours=9)).date().replace(day=1),
        )


@pytest.mark.parametrize(
    "wrong", [{"by": "colour"}, {"by": "metadata."}, {"per": "hour"}, {"zone": "Nowhere/At all"}]
)
async def test_a_report_by_what_there_is_not_is_refused(heller_database: str, wrong: dict[str, str]) -> None:
    async with Heller.connect(heller_database) as heller:
        with pytest.raises(InvalidArgument, match=next(iter(wrong))):
            await report(heller, **wrong)


@pytest.mark.parametrize("wrong", ["Nowhere/At all", "Europ/Berlin", "Berlin+1", ""])
async def test_a_zone_that_is_none_is_refused_in_the_same_words_everywhere(
    heller_database: str, wrong: str
) -> None:
    said = []
    async with Heller.connect(heller_database) as heller:
        for ask in (
            lambda: heller.usage("nobody", *MONTH, zone=wrong),
            lambda: heller.usage_report(*MONTH, zone=wrong),
            lambda: heller.put_recurring_grant("nobody", "free", 5, time_zone=wrong),
        ):
            with pytest.raises(InvalidArgument) as refused:
                await ask()
            said.append((refused.value.message, refused.value.argument))
        assert await heller.usage("nobody", *MONTH, zone="europe/berlin") == []
    message = f"there is no time zone {wrong}; give a name such as Europe/Berlin"
    assert said == [(message, "zone"), (message, "zone"), (message, "time_zone")]


async def test_a_period_that_ends_before_it_begins_is_refused(heller_database: str) -> None:
    since, until = MONTH[1], MONTH[0]
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("ann")
        reads = (
            lambda until: heller.history("ann", since=since, until=until),
            lambda until: heller.usage("ann", since, until),
            lambda until: heller.usage_report(since, until),
            lambda until: heller.revenue(since, until),
            lambda until: heller.spending_by_member("ann", since=since, until=until),
        )
        for read in reads:
            with pytest.raises(InvalidArgument, match=r"ends .* before it begins") as refused:
                await read(until)
            assert refused.value.argument == "until"
            assert await read(since) == []
        with pytest.raises(InvalidArgument, match="from before until"):
            await anext(heller.statement("ann", since, until))
        async with await psycopg.AsyncConnection.connect(heller_database) as connection:
            with pytest.raises(InvalidArgument, match=r"ends .* before it begins"):
                await success(connection, since, until)
