"""What is asked about an instant or a period is answered exactly, and without reading the rest of the account."""

import json
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row

from heller import schema

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

CLOCK = """
create or replace function heller._clock() returns timestamptz language sql volatile parallel safe
as $$ select pg_catalog.current_setting('test.now')::timestamptz $$;
"""
ROWS = "select * from heller.transactions where account_id = 'ann' order by seq"


class World:
    """An account whose rows come in any order of time: now, back-dated, ahead, migrated, and with a clock that is set back."""

    def __init__(self, connection: psycopg.AsyncConnection, seed: int) -> None:
        self.connection, self.rng, self.now, self.keys = connection, random.Random(seed), START, 0

    async def call(self, query: LiteralString, *values: Any) -> Any:
        cursor = await self.connection.execute(query, values)
        row = await cursor.fetchone()
        return row and row[0]

    async def move_clock(self, by: timedelta) -> None:
        self.now += by
        await self.connection.execute("select set_config('test.now', %s, false)", [self.now.isoformat()])

    def instant(self) -> datetime | None:
        """Mostly none (now); else near, far back, or ahead."""
        return self.rng.choice(
            [None, None, None, self.now - self.rng.random() * HOUR, self.now - self.rng.random() * 200 * HOUR,
             self.now + self.rng.random() * 20 * HOUR]
        )  # fmt: skip

    async def spends(self) -> None:
        operations = []
        for _ in range(self.rng.choice([1, 2, 7])):
            self.keys += 1
            operation = {"verb": "spend", "account": "ann", "amount": self.rng.randint(1, 9), "key": f"k{self.keys}",
                         "reason": self.rng.choice(["analysis", "letter"]), "actor": self.rng.choice(["eve", "bob", None])}  # fmt: skip
            if at := self.instant():
                operation["effective_at"] = at.isoformat()
            operations.append(operation)
        await self.call("select to_jsonb(heller._spend_many(%s::jsonb))", json.dumps(operations))

    async def refund(self) -> None:
        seq = await self.call(
            "select seq from heller.transactions t where account_id = 'ann' and kind = 'spend' and not exists ("
            " select from heller.transactions r where r.account_id = 'ann' and r.related_seq = t.seq) order by random() limit 1"
        )
        if seq:
            await self.call("select heller.refund('ann', %s, p_effective_at => %s)", seq, self.instant())

    async def carry_in(self) -> None:
        self.keys += 1
        at = self.instant() or self.now - 100 * HOUR
        entry = {"delta": self.rng.choice([5, -3]), "kind": "adjust", "at": at.isoformat(), "source_table": "t", "source_id": str(self.keys)}  # fmt: skip
        await self.call("select heller._carry_in('ann', %s::jsonb, 'old')::text", json.dumps(entry))

    async def grow(self, steps: int) -> None:
        await self.connection.execute(CLOCK)
        await self.move_clock(timedelta())
        await self.call("select heller.open_account('ann')")
        await self.call("select heller.grant('ann', 100000, p_effective_at => %s)", self.instant())
        for _ in range(steps):
            await self.move_clock(self.rng.choice([timedelta(), HOUR / 9, HOUR, 2 * HOUR, -HOUR]))
            match self.rng.randrange(8):
                case 0:
                    await self.carry_in()
                case 1:
                    await self.refund()
                case 2:
                    expires_at = self.now + self.rng.random() * 9 * HOUR
                    await self.call("select heller.grant('ann', 3, p_expires_at => %s)", expires_at)
                case _:
                    await self.spends()
        # what is left of the grants has expired, and is booked
        await self.move_clock(30 * HOUR)
        await self.call("select heller.spend('ann', 1)")

    async def rows(self) -> list[dict[str, Any]]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            return await (await cursor.execute(ROWS)).fetchall()

    def periods(self, rows: list[dict[str, Any]]) -> list[tuple[datetime, datetime]]:
        """Periods that begin and end at rows' instants, and beside them."""
        instants = sorted({row["effective_at"] for row in rows})
        step = timedelta(microseconds=1)
        some = [self.rng.choice(instants) + self.rng.choice([-step, 0 * step, step]) for _ in range(14)]
        ends = [instants[0] - HOUR, instants[-1] + HOUR, *some]
        return [(a, b) for a, b in zip(ends, ends[2:], strict=False) if a < b] + [(min(ends), max(ends))]


@pytest.fixture(params=range(3))
async def world(request: pytest.FixtureRequest, heller_database: str, connect: Connect) -> World:
    made = World(await connect(heller_database), request.param)
    await made.grow(90)
    return made


async def test_every_answer_about_time_is_that_of_the_whole_account(world: World) -> None:
    rows = await world.rows()
    filed = [row for row in rows if row["filed_at"] is not None]
    assert 20 < len(filed) < len(rows) - 20, "a world with rows in and out of order"
    for since, until in world.periods(rows):
        inside = [row for row in rows if since <= row["effective_at"] < until]
        await _check_history(world, inside, since, until)
        await _check_statement(world, rows, inside, since, until)
        await _check_usage(world, rows, inside, since, until)
        before = sum(row["delta"] for row in rows if row["effective_at"] <= since)
        assert await world.call("select heller.balance_at('ann', %s)", since) == before


async def _check_history(
    world: World, inside: list[dict[str, Any]], since: datetime, until: datetime
) -> None:
    found: list[int] = []
    while True:
        cursor = await world.connection.execute(
            "select heller.history('ann', p_from => %s, p_until => %s, p_limit => 7, p_before_seq => %s)",
            [since, until, found[-1] if found else None],
        )
        page = [row[0]["seq"] for row in await cursor.fetchall()]
        found += page
        if len(page) < 7:
            break
    assert found == sorted((row["seq"] for row in inside), reverse=True)


async def _check_statement(
    world: World,
    rows: list[dict[str, Any]],
    inside: list[dict[str, Any]],
    since: datetime,
    until: datetime,
) -> None:
    found: list[int] = []
    after = None
    while True:
        page = await world.call(
            "select heller.account_statement('ann', %s, %s, p_after => %s::jsonb, p_limit => 5)",
            since, until, json.dumps(after) if after else None,
        )  # fmt: skip
        if after is None:
            assert page["opening"] == sum(row["delta"] for row in rows if row["effective_at"] < since)
            assert page["closing"] == sum(row["delta"] for row in rows if row["effective_at"] < until)
        found += [line["seq"] for line in page["lines"]]
        after = page["after"]
        if after is None:
            break
    assert found == [row["seq"] for row in sorted(inside, key=lambda row: (row["effective_at"], row["seq"]))]


async def _check_usage(
    world: World,
    rows: list[dict[str, Any]],
    inside: list[dict[str, Any]],
    since: datetime,
    until: datetime,
) -> None:
    refunds: defaultdict[int, int] = defaultdict(int)
    for row in rows:
        if row["kind"] == "refund":
            refunds[row["related_seq"]] += row["delta"]
    used: defaultdict[tuple[str, str], int] = defaultdict(int)
    by_member: defaultdict[str | None, int] = defaultdict(int)
    actors = {row["seq"]: row["actor"] for row in rows}
    for row in inside:
        if row["kind"] == "spend":
            used[row["effective_at"].date().isoformat(), row["reason"]] -= row["delta"] + refunds[row["seq"]]
            by_member[row["actor"]] -= row["delta"]
        if row["kind"] == "refund":
            by_member[actors[row["related_seq"]]] -= row["delta"]
    cursor = await world.connection.execute("select heller.usage_of('ann', %s, %s)", [since, until])
    found = {(row["day"], row["feature"]): row["spent"] for (row,) in await cursor.fetchall()}
    assert found == used
    cursor = await world.connection.execute("select heller.team_spending('ann', %s, %s)", [since, until])
    spent = {row["member"]: row["spent"] - row["refunded"] for (row,) in await cursor.fetchall()}
    assert spent == by_member


async def test_verify_takes_the_order_of_time_for_whole_and_names_a_row_that_stands_wrong(
    world: World,
) -> None:
    found = await world.call("select to_jsonb(v) from heller.verify_accounts() v")
    assert found["broken"] is None
    await world.connection.execute("alter table heller.transactions disable trigger transactions_append_only")
    seq = await world.call(
        "update heller.transactions set filed_at = null where account_id = 'ann' and seq = ("
        " select max(seq) from heller.transactions where account_id = 'ann' and filed_at > effective_at) returning seq"
    )
    found = await world.call("select to_jsonb(v) from heller.verify_accounts() v")
    assert [(row["seq"], row["what"]) for row in found["broken"]] == [(seq, "filed_at")]


async def test_rows_of_an_older_version_are_filed_as_if_they_were_written_now(world: World) -> None:
    query = "select seq, filed_at from heller.transactions order by seq"
    filed = await (await world.connection.execute(query)).fetchall()
    latest_at = await world.call("select latest_at from heller.accounts")
    await world.connection.execute("alter table heller.transactions disable trigger transactions_append_only")
    await world.connection.execute("update heller.transactions set filed_at = null")
    await world.connection.execute("update heller.accounts set latest_at = null")

    text = next(file.text for file in schema.files("migrations") if file.number == 11)
    await world.connection.execute(text[text.index("do $$") : text.index("create index")].encode())

    assert await (await world.connection.execute(query)).fetchall() == filed
    assert await world.call("select latest_at from heller.accounts") == latest_at
    with pytest.raises(psycopg.DatabaseError, match="never changed"):
        await world.connection.execute("update heller.transactions set filed_at = null")


MANY = 30_000
DAY_ROWS = 288  # one row in five minutes
LARGE = f"""
insert into heller.accounts (account_id, posted, last_seq, version, settled_seq, settled_posted, latest_at)
values ('ann', 0, {MANY}, {MANY}, {MANY}, 0, timestamptz '2026-01-01Z' + {MANY} * interval '5 minutes');
insert into heller.transactions (account_id, unit, seq, delta, balance_after, kind, reason, actor, effective_at, recorded_at, hash)
select 'ann', 'credit', s, -1, -s, 'spend', 'job analysis', 'eve', at, at, ''
from generate_series(1, {MANY}) s, lateral (select timestamptz '2026-01-01Z' + s * interval '5 minutes' as at) t;
analyze heller.transactions;
"""
READ: LiteralString = "select sum(seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables where schemaname = 'heller'"
QUESTIONS: dict[str, LiteralString] = {
    "balance_at": "select heller.balance_at('ann', %(since)s)",
    "usage_of": "select count(*) from heller.usage_of('ann', %(since)s, %(until)s)",
    "team_spending": "select count(*) from heller.team_spending('ann', %(since)s, %(until)s)",
    "history": "select count(*) from heller.history('ann', p_from => %(since)s, p_until => %(until)s)",
    "history before": "select count(*) from heller.history('ann', p_from => %(since)s, p_until => %(until)s, p_before_seq => 9000)",
    "statement": "select heller.account_statement('ann', %(since)s, %(until)s)",
    "page of a long statement": "select heller.account_statement('ann', '2026-01-02Z', '2027-01-01Z', p_limit => 100)",
}


async def test_a_question_about_a_day_reads_no_more_than_the_day(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database, autocommit=False)
    await connection.execute(LARGE.encode())
    await connection.commit()
    since = datetime(2026, 2, 1, tzinfo=UTC)
    values = {"since": since, "until": since + timedelta(days=1)}
    for name, query in QUESTIONS.items():
        for number in range(7):  # more calls than it takes to settle on a generic plan
            await connection.execute("select pg_stat_force_next_flush()")
            await connection.commit()
            await connection.execute(query, values)
            row = await (await connection.execute(READ)).fetchone()
            assert row is not None
            assert row[0] < DAY_ROWS + 100, f"{name}, call {number}, read {row[0]} rows of {MANY}"


async def test_a_statement_has_all_of_a_batch_that_counts_at_one_instant(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)
    await connection.execute("select heller.open_account('ann'), heller.grant('ann', 1000)")
    await connection.execute(
        "select heller.spend_many(array_fill('ann'::text, array[400]), array_fill(1::bigint, array[400]))"
    )
    found: list[int] = []
    after: Any = None
    while not found or after:
        row = await (
            await connection.execute(
                "select heller.account_statement('ann', '2020-01-01Z', '9000-01-01Z', p_after => %s::jsonb, p_limit => 50)",
                [json.dumps(after) if after else None],
            )
        ).fetchone()
        assert row is not None
        found += [line["seq"] for line in row[0]["lines"]]
        after = row[0]["after"]
    assert found == list(range(1, 402))
