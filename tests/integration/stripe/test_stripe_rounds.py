"""The periodic jobs: each is done once in its time, by one of many workers."""

import asyncio
import itertools
from typing import Any

import pytest

from heller.stripe import rounds


@pytest.fixture(autouse=True)
def _each_is_another_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    monkeypatch.setattr(rounds, "worker_name", lambda: f"worker-{next(numbers)}")


async def test_of_many_workers_one_does_each_job(shop: Any) -> None:
    done = await asyncio.gather(*(rounds.once(shop.database, shop.api) for _ in range(6)))
    assert sorted(name for names in done for name in names) == [
        "events",
        "night",
        "overdue",
        "sweep",
        "top_up",
    ]
    assert await rounds.once(shop.database, shop.api) == []


async def test_a_job_in_trouble_does_not_stop_the_others(shop: Any) -> None:
    shop.twin.fail_next("500", method="GET", path="/v1/events", times=100)
    assert await rounds.once(shop.database, shop.api) == ["top_up", "overdue"]
    shop.twin.world.planned.clear()
    await shop.rows("update heller.jobs set started_at = started_at - interval '2 days' returning 1")
    assert await rounds.once(shop.database, shop.api) == ["top_up", "overdue", "events", "sweep", "night"]


async def test_it_stops_when_told(shop: Any) -> None:
    stop = asyncio.Event()
    keeping = asyncio.create_task(rounds.keep(shop.database, shop.api, stop=stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(keeping, 20)
    assert [
        r[0] for r in await shop.rows("select count(*)::int from heller.jobs where job like 'stripe %%'")
    ] == [5]


async def test_a_round_whose_worker_was_killed_is_done_when_its_lease_ends(shop: Any) -> None:
    await rounds.once(shop.database, shop.api)
    killed = "update heller.jobs set lease_until = clock_timestamp() + %s::interval where job = 'stripe night' returning 1"
    await shop.rows(killed, "1 hour")
    assert await rounds.once(shop.database, shop.api) == []
    await shop.rows(killed, "-1 second")
    assert await rounds.once(shop.database, shop.api) == ["night"]
