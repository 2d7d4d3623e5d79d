"""Credits that come every period: by the calendar, once, and exact with nobody at work."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from heller import verify

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
START = datetime(2030, 1, 31, 8, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MOVABLE_CLOCK = """
create table public.clock_of_tests (at timestamptz);
insert into public.clock_of_tests values ('2030-01-31 08:00:00+00');
create or replace function heller._clock() returns timestamptz language sql volatile as 'select at from public.clock_of_tests';
do $$ begin
  if heller._is_spread() then
    perform create_reference_table('public.clock_of_tests');
    alter function heller._clock() set citus.allow_nested_distributed_execution = on;
  end if;
end $$;
"""


class World:
    """One account and a clock that the test moves."""

    def __init__(self, connection: psycopg.AsyncConnection, url: str) -> None:
        self.connection, self.url = connection, url

    async def at(self, instant: datetime) -> None:
        await self.connection.execute("update public.clock_of_tests set at = %s", [instant])

    async def call(self, function: str, **arguments: Any) -> Any:
        given = ", ".join(f"p_{name} => %s" for name in arguments)
        rows = await self.all(f"select heller.{function}('a', {given})", *arguments.values())
        return rows[0][0]

    async def put(self, amount: int = 50, name: str = "free", **settings: Any) -> dict[str, Any]:
        result: dict[str, Any] = await self.call("put_recurring_grant", name=name, amount=amount, **settings)
        return result

    async def all(self, statement: str, *values: Any) -> list[Any]:
        return await (await self.connection.execute(statement, values)).fetchall()  # type: ignore[arg-type]

    async def posted(self) -> int:
        return int((await self.all("select heller.balance('a')"))[0][0]["posted"])

    async def grants(self) -> list[tuple[int, datetime, datetime | None, int]]:
        rows = await self.all("select heller.grants_of('a', p_all => true)")
        return [
            (
                g["grant"],
                _instant(g["available_at"]),
                g["expires_at"] and _instant(g["expires_at"]),
                g["remaining"],
            )
            for (g,) in sorted(rows, key=lambda row: row[0]["grant"])
        ]

    async def starts(self, periods: int, name: str = "free") -> list[datetime]:
        """When the next periods begin, without giving any."""
        (row,) = await self.all(
            "select array_agg(heller._period_boundary(anchor, time_zone, period, next_number + n) order by n)"
            " from heller.recurring_grants, generate_series(0, %s) n where name = %s",
            *[periods - 1, name],
        )
        return list(row[0])

    async def written(self) -> list[tuple[str, int, datetime]]:
        return await self.all("select kind, delta, effective_at from heller.transactions order by seq")

    async def is_sound(self) -> bool:
        return (await verify(self.url)).is_ok


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
async def world(heller_database: str, connect: Connect) -> World:
    connection = await connect(heller_database)
    for statement in MOVABLE_CLOCK.split(";\n", 3):
        await connection.execute(statement)  # type: ignore[arg-type]
    await connection.execute("select heller.open_account('a')")
    return World(connection, heller_database)


async def test_the_first_period_begins_at_once_and_the_rest_is_gone_at_its_end(world: World) -> None:
    result = await world.put()
    assert await world.posted() == 50
    assert _instant(result["next_at"]) == datetime(2030, 2, 28, 8, tzinfo=UTC)
    await world.call("spend", amount=20)
    await world.at(datetime(2030, 2, 28, 7, 59, 59, 999_999, tzinfo=UTC))
    assert await world.posted() == 30
    await world.at(datetime(2030, 2, 28, 8, tzinfo=UTC))
    assert await world.posted() == 50, "a look sees it in that instant"
    assert len(await world.written()) == 2, "and writes nothing"
    await world.call("spend", amount=50)
    assert [row[:2] for row in await world.written()] == [
        *[("grant", 50), ("spend", -20), ("grant", 50), ("expire", -30), ("spend", -50)]
    ]
    assert await world.is_sound()


async def test_five_missed_periods_read_and_are_written_as_if_each_had_been_on_time(world: World) -> None:
    await world.put()
    await world.call("adjust", amount=-70, reason="owes", policy="debt")
    await world.at(datetime(2030, 6, 30, 9, tzinfo=UTC))
    months = [
        datetime(2030, *day, 8, tzinfo=UTC) for day in ((2, 28), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31))
    ]
    seen = await world.grants()
    assert seen == [
        (1, START, months[0], 0),
        *[(2 + n, months[n], months[n + 1], 50 if n == 4 else 0) for n in range(5)],
    ]
    times = [month + timedelta(days=1) for month in months[:4]]
    before = [(await world.all("select heller.balance_at('a', %s)", at))[0][0] for at in times]
    assert before == [30, 50, 50, 50], "twenty of February paid the debt"
    await world.all("select heller.run_due()")
    assert await world.grants() == seen
    assert [(await world.all("select heller.balance_at('a', %s)", at))[0][0] for at in times] == before
    assert [(kind, delta, at) for kind, delta, at in await world.written()][2:] == [
        ("grant", 50, months[0]),
        *[
            row
            for n, rest in ((1, 30), (2, 50), (3, 50), (4, 50))
            for row in (("grant", 50, months[n]), ("expire", -rest, months[n]))
        ],
    ]
    assert await world.posted() == 50
    assert await world.is_sound()


async def test_periods_follow_the_calendar_and_count_from_the_anchor(world: World) -> None:
    expected = {
        "day": [(2, 1), (2, 2), (2, 3)],
        "week": [(2, 7), (2, 14), (2, 21)],
        "month": [(2, 28), (3, 31), (4, 30)],
        "quarter": [(4, 30), (7, 31), (10, 31)],
    }
    for period, starts in expected.items():
        await world.put(name=period, period=period)
        assert await world.starts(3, period) == [datetime(2030, *day, 8, tzinfo=UTC) for day in starts]


async def test_a_leap_day_comes_back_in_leap_years(world: World) -> None:
    await world.put(period="year", anchor=datetime(2028, 2, 29, tzinfo=UTC))
    assert [at.day for at in await world.starts(6)] == [28, 28, 29, 28, 28, 28]


async def test_local_time_stays_across_daylight_saving(world: World) -> None:
    await world.put(period="month", anchor=datetime(2030, 1, 1, tzinfo=BERLIN), time_zone="europe/berlin")
    assert [at.astimezone(BERLIN).isoformat() for at in await world.starts(3)] == [
        "2030-02-01T00:00:00+01:00",
        "2030-03-01T00:00:00+01:00",
        "2030-04-01T00:00:00+02:00",
    ]
    (zone,) = (await world.all("select time_zone from heller.recurring_grants"))[0]
    assert zone == "Europe/Berlin"


async def test_every_instant_of_many_years_lies_in_the_period_that_is_found_for_it(world: World) -> None:
    for period in ("day", "week", "month", "quarter", "year"):
        wrong = await world.all(
            "select count(*), count(*) filter (where heller._period_boundary(x.anchor, z, %s, n) > at"
            " or heller._period_boundary(x.anchor, z, %s, n + 1) <= at)"
            " from (values (timestamptz '2028-02-29 23:30:00+00'), ('2031-12-31 11:00:00+00'), ('1999-08-30 00:00:00+00')) x (anchor),"
            " unnest(array['UTC', 'America/New_York', 'Pacific/Apia']) z,"
            " generate_series(timestamptz '1990-01-01', '2070-01-01', interval '173 days 5 hours 13 minutes') at,"
            " lateral heller._period_number(x.anchor, z, %s, at) n",
            *[period, period, period],
        )
        assert wrong[0][0] > 1_000
        assert wrong[0][1] == 0, period


async def test_what_rolls_over_lives_for_one_more_period_and_no_longer(world: World) -> None:
    await world.put(rollover=20, cost=1000, currency="EUR")
    await world.call("spend", amount=10)
    await world.at(datetime(2030, 2, 28, 8, tzinfo=UTC))
    assert await world.posted() == 70, "20 of the 40 that were left"
    await world.call("spend", amount=15)
    await world.at(datetime(2030, 3, 31, 8, tzinfo=UTC))
    assert await world.posted() == 70, "the last 5 of January are gone, 20 of February's live on"
    await world.at(datetime(2030, 3, 31, 9, tzinfo=UTC))
    assert sum(g["cost"] for (g,) in await world.all("select heller.grants_of('a', p_all => true)")) == 3000
    assert await world.is_sound()


async def test_credits_that_do_not_expire_pile_up(world: World) -> None:
    await world.put(expires=False)
    await world.at(datetime(2030, 4, 1, tzinfo=UTC))
    assert await world.posted() == 150
    assert {expires_at for _, _, expires_at, _ in await world.grants()} == {None}


async def test_the_period_in_progress_is_the_first_and_is_given_in_full(world: World) -> None:
    await world.put(anchor=datetime(2029, 11, 15, tzinfo=UTC))
    assert await world.grants() == [(1, START, datetime(2030, 2, 15, tzinfo=UTC), 50)]


async def test_a_later_start_gives_nothing_until_then(world: World) -> None:
    result = await world.put(starts_at=datetime(2030, 2, 5, tzinfo=UTC))
    assert (await world.posted(), _instant(result["next_at"])) == (0, datetime(2030, 2, 5, tzinfo=UTC))
    await world.put(starts_at=datetime(2030, 2, 3, tzinfo=UTC))
    await world.at(datetime(2030, 2, 3, tzinfo=UTC))
    assert await world.posted() == 50, "what has not begun can begin earlier"


async def test_a_new_amount_holds_from_the_next_period_on(world: World) -> None:
    await world.put()
    await world.at(datetime(2030, 4, 2, tzinfo=UTC))
    await world.put(80)
    assert await world.posted() == 50
    await world.at(datetime(2030, 5, 2, tzinfo=UTC))
    assert await world.posted() == 80
    assert [amount for _, amount, _ in await world.written() if amount > 0] == [50, 50, 50]


async def test_a_new_rhythm_begins_where_the_period_in_progress_ends(world: World) -> None:
    await world.put()
    await world.put(10, period="week")
    assert await world.starts(2) == [
        datetime(2030, 2, 28, 8, tzinfo=UTC),
        datetime(2030, 3, 7, 8, tzinfo=UTC),
    ]


async def test_again_the_same_changes_nothing(world: World) -> None:
    settings = {"anchor": START, "starts_at": START, "rollover": 5, "time_zone": "Europe/Berlin"}
    first = await world.put(**settings)
    assert await world.put(**settings) == first
    await world.at(START + timedelta(days=3))
    assert await world.put(**settings) == first
    assert (await world.all("select count(*) from heller.transactions"))[0] == (2,), "two parts of one period"


async def test_removed_and_put_again_within_a_period_gives_nothing_twice(world: World) -> None:
    await world.put()
    await world.at(START + timedelta(days=3))
    removed = await world.call("remove_recurring_grant", name="free")
    assert removed["next_at"] is None
    assert await world.posted() == 50, "what was given stays"
    assert await world.all("select heller.recurring_grants_of('a')") == []
    await world.put()
    assert await world.posted() == 50
    await world.call("remove_recurring_grant", name="free")
    await world.at(START + timedelta(days=90))
    assert await world.posted() == 0, "no period began"
    await world.put()
    assert await world.posted() == 50, "the period in progress begins now"
    with pytest.raises(psycopg.Error, match="no recurring grant other"):
        await world.call("remove_recurring_grant", name="other")
    assert await world.is_sound()


async def test_an_end_lets_the_period_in_progress_be(world: World) -> None:
    await world.put(ends_at=datetime(2030, 3, 31, 8, tzinfo=UTC))
    await world.at(datetime(2030, 3, 31, 7, tzinfo=UTC))
    assert await world.posted() == 50
    await world.at(datetime(2030, 3, 31, 8, tzinfo=UTC))
    assert await world.posted() == 0
    await world.all("select heller.run_due()")
    assert (await world.all("select next_due_at from heller.accounts"))[0] == (None,)


async def test_a_frozen_account_waits_and_can_be_told_to_stop(world: World) -> None:
    await world.put(expires=False)
    await world.call("freeze", reason="looked at")
    await world.at(datetime(2030, 4, 2, tzinfo=UTC))
    assert await world.posted() == 150, "a reader sees it as done"
    with pytest.raises(psycopg.Error, match="frozen"):
        await world.put(80)
    await world.call("remove_recurring_grant", name="free")
    await world.at(datetime(2030, 9, 2, tzinfo=UTC))
    assert (await world.all("select heller.run_due()"), await world.posted()) == ([(None,)], 150)
    await world.all("select heller.unfreeze('a')")
    await world.all("select heller.run_due()")
    assert len(await world.written()) == 3, "the two that had begun when it was told to stop"
    assert await world.is_sound()


async def test_what_begins_while_the_home_is_elsewhere_is_not_given(world: World) -> None:
    await world.put()
    await world.all("update heller.accounts set epoch = 2, next_due_at = null returning 1")
    await world.at(datetime(2030, 4, 2, tzinfo=UTC))
    assert len(await world.grants()) == 1
    with pytest.raises(psycopg.Error, match="legacy"):
        await world.put(80)
    (balance,) = (await world.all("select posted from heller.accounts"))[0]
    statement = {"account": "a", "epoch": 3, "balance": balance, "elsewhere": 0, "payments": [], "entries": [], "tables": [],
                 "rows": 0, "sum": 0, "digest": "", "sealed_at": START.isoformat()}  # fmt: skip
    ((answer,),) = await world.all("select heller.activate_homes(%s::jsonb)", json.dumps([statement]))
    assert [home["outcome"] for home in answer] == ["moved"], answer
    await world.all("select heller.run_due()")
    assert (await world.posted(), len(await world.grants())) == (0, 1), (
        "the first is over, the others were not ours to give"
    )
    await world.put()
    assert await world.posted() == 0
    await world.at(datetime(2030, 4, 30, 8, tzinfo=UTC))
    assert await world.posted() == 50
    assert await world.is_sound()


async def test_twenty_callers_in_the_instant_of_a_period_make_one_grant(
    world: World, connect: Connect
) -> None:
    await world.put()
    await world.at(datetime(2030, 3, 31, 8, tzinfo=UTC))
    callers = [await connect(world.url) for _ in range(20)]
    barrier = asyncio.Barrier(20)

    async def come(n: int, connection: psycopg.AsyncConnection) -> None:
        await barrier.wait()
        statement = (
            "select heller.spend('a', 1)",
            "select heller.run_due()",
            "select heller.put_recurring_grant('a', 'free', 50)",
            "select heller.hold('a', 1)",
        )[n % 4]
        await connection.execute(statement)

    await asyncio.gather(*(come(n, connection) for n, connection in enumerate(callers)))
    assert [row[:2] for row in await world.written() if row[0] != "spend"] == [
        *[("grant", 50), ("grant", 50), ("expire", -50), ("grant", 50), ("expire", -50)]
    ]
    assert await world.posted() == 45
    assert await world.is_sound()


async def test_the_same_period_cannot_be_written_twice_even_by_hand(world: World) -> None:
    await world.put()
    with pytest.raises(psycopg.errors.UniqueViolation, match="grants_recurring"):
        await world.all(
            "insert into heller.grants select g.account_id, g.unit, 99, g.seq, g.amount, 0, g.source, g.priority, g.available_at, g.expires_at,"
            " g.ended_at, g.cost, g.currency, g.payment_key, g.reason, g.actor, g.metadata, g.idempotency_key, g.granted_at, g.recurring from heller.grants g"
        )


async def test_verify_names_a_recurring_grant_that_was_set_back(world: World) -> None:
    await world.put()
    await world.all(
        "update heller.recurring_grants set next_at = next_at - interval '2 months', next_number = next_number - 2 returning 1"
    )
    broken = (await verify(world.url)).broken
    assert [row["what"] for row in broken] == ["next_due_at", "recurring free"]


async def test_bad_settings_are_refused_by_name(world: World) -> None:
    bad: list[tuple[str, dict[str, Any]]] = [
        ("amount", {"amount": 0}),
        ("amount", {"amount": 10**12 + 1}),
        ("name", {"name": ""}),
        ("period", {"period": "fortnight"}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("time_zone", {"time_zone": "FOO3"}),
        ("rollover", {"rollover": -1}),
        ("expires", {"rollover": 1, "expires": False}),
        ("source", {"source": "magic"}),
        ("cost", {"cost": 5}),
        ("ends_at", {"ends_at": START}),
        ("ends_at", {"ends_at": START + timedelta(days=1), "starts_at": START + timedelta(days=2)}),
        ("anchor", {"anchor": datetime(1800, 1, 1, tzinfo=UTC)}),
    ]
    for argument, settings in bad:
        with pytest.raises(psycopg.Error) as refused:
            await world.put(**settings)
        assert refused.value.sqlstate == "HL001"
        assert f'"argument": "{argument}"' in (refused.value.diag.message_detail or ""), settings
    assert await world.all("select 1 from heller.recurring_grants") == []


async def test_a_dry_run_shows_the_next_instant_and_gives_nothing(world: World) -> None:
    shown = await world.put(dry_run=True)
    assert (shown["dry_run"], _instant(shown["next_at"])) == (True, datetime(2030, 2, 28, 8, tzinfo=UTC))
    assert await world.posted() == 0
    assert await world.all("select 1 from heller.recurring_grants") == []


async def test_what_expires_soon_counts_periods_that_are_not_written(world: World) -> None:
    await world.put()
    await world.at(datetime(2030, 4, 2, tzinfo=UTC))
    rows = await world.all("select heller.expiring(%s)", datetime(2030, 5, 1, tzinfo=UTC))
    assert [(g["grant"], g["remaining"], _instant(g["expires_at"])) for (g,) in rows] == [
        (3, 50, datetime(2030, 4, 30, 8, tzinfo=UTC))
    ]


async def test_a_year_of_days_is_caught_up_in_one_call(world: World) -> None:
    await world.put(period="day")
    await world.at(START + timedelta(days=365))
    assert await world.posted() == 50
    async with world.connection.transaction():
        await world.call("spend", amount=50)
        looks = await world.all("select idx_tup_fetch from pg_stat_xact_user_tables where relname = 'grants'")
        assert looks[0][0] < 366 * 30, "each period looked at all the others"
    assert (await world.all("select count(*), count(distinct available_at) from heller.grants"))[0] == (
        366,
        366,
    )
    assert await world.posted() == 0
    assert await world.is_sound()
