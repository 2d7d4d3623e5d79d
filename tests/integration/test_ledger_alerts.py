import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from heller import Heller
from heller.errors import InvalidArgument


async def _move_clock(url: str, at: datetime) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as c:
        await c.execute(
            "create or replace function heller._clock() returns timestamptz language sql volatile"
            f" as $$ select '{at.isoformat()}'::timestamptz $$"
        )


async def test_an_alert_tells_once_and_again_after_it_was_rearmed(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 100)
        await heller.put_alert("a", 20, rearm_at=50)
        assert await heller.fire_alerts() == []
        await heller.spend("a", 80)
        assert await heller.fire_alerts() == [], "20 is not below 20"
        await heller.spend("a", 1)
        assert [(a.account, a.threshold, a.available) for a in await heller.fire_alerts()] == [("a", 20, 19)]
        assert await heller.fire_alerts() == []
        await heller.grant("a", 30)
        assert await heller.fire_alerts() == [], "49 does not arm it again"
        await heller.grant("a", 1)
        await heller.spend("a", 35)
        assert await heller.fire_alerts() == [], "nobody looked while it was at 50"
        await heller.grant("a", 40)
        assert await heller.fire_alerts() == []
        assert (await heller.alerts("a"))[0].armed
        await heller.place_hold("a", 50)
        assert [a.available for a in await heller.fire_alerts()] == [5]
        assert await heller.remove_alert("a", 20)
        assert not await heller.remove_alert("a", 20)


async def test_an_expiry_alone_fires_an_alert(heller_database: str) -> None:
    now = datetime.now(UTC)
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 100, expires_at=now + timedelta(days=1))
        await heller.put_alert("a", 10)
        assert await heller.fire_alerts() == []
        await _move_clock(heller_database, now + timedelta(days=2))
        assert [a.available for a in await heller.fire_alerts()] == [0]


async def test_several_workers_never_fire_the_same_alert(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        for n in range(20):
            await heller.open_account(f"a{n}")
            await heller.put_alert(f"a{n}", 5)
        rounds = await asyncio.gather(*(heller.fire_alerts(limit=7) for _ in range(8)))
        fired = [a.account for found in rounds for a in found] + [
            a.account for a in await heller.fire_alerts()
        ]
    assert sorted(fired) == sorted(f"a{n}" for n in range(20))


async def test_a_top_up_rule_is_due_below_its_threshold_and_pauses_after_failures(
    heller_database: str,
) -> None:
    now = datetime.now(UTC)
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 100)
        await heller.put_top_up_rule(
            "a", threshold=20, price="pack-100", ceiling=1000, cooldown_seconds=60, failures_max=2
        )
        assert await heller.due_top_ups() == []
        await heller.spend("a", 90)
        assert [(r.account, r.price, r.available, r.spent) for r in await heller.due_top_ups()] == [
            ("a", "pack-100", 10, 0)
        ]
        await _move_clock(heller_database, now + timedelta(minutes=10))
        assert (await heller.record_top_up("a", "failed", detail="card declined")).failures == 1
        assert await heller.due_top_ups() == [], "cooling down"
        await _move_clock(heller_database, now + timedelta(minutes=12))
        assert len(await heller.due_top_ups()) == 1
        paused = await heller.record_top_up("a", "failed", detail="card declined")
        assert paused.paused_at is not None
        assert "card declined" in (paused.paused_reason or "")
        await _move_clock(heller_database, now + timedelta(minutes=14))
        assert await heller.due_top_ups() == [], "paused"
        assert (await heller.resume_top_up("a")).failures == 0
        assert len(await heller.due_top_ups()) == 1
        await heller.record_top_up("a", "succeeded", amount=1000)
        await _move_clock(heller_database, now + timedelta(minutes=16))
        assert await heller.due_top_ups() == [], "the ceiling is reached"
        await _move_clock(heller_database, now + timedelta(days=31))
        assert [r.spent for r in await heller.due_top_ups()] == [0]
        await heller.freeze("a", "looked at")
        assert await heller.due_top_ups() == []
        assert await heller.top_up_rule("a") is not None
        assert await heller.remove_top_up_rule("a")
        assert await heller.top_up_rule("a") is None
        for wrong in (
            {"threshold": 0},
            {"threshold": 1, "ceiling": 0},
            {"threshold": 1, "cooldown_seconds": -1},
        ):
            with pytest.raises(InvalidArgument):
                await heller.put_top_up_rule("a", price="p", **wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument):
            await heller.record_top_up("a", "succeeded")
