"""What was used per day and feature."""

from datetime import UTC, date, datetime, timedelta

from heller import Heller

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
