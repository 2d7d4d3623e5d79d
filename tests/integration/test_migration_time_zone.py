"""Times that do not say their zone: read in the mapping's, on the way here, in the tail, in a backup; written in it on the way back."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from heller.errors import MappingError
from heller.migration import draft, run, verify
from heller.migration.handover import fence
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.runs import open_sides

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

SCHEMA = """
create table people (id int primary key, mail text, coins int, joined date);
create table log (
  id int generated always as identity primary key, person int, coins int, what text, at timestamp not null default now(),
  changed timestamp not null);
create table gifts (id int primary key, person int, coins int, what text, at text);
insert into people values (1, 'ann@example.com', 90, '2025-07-01'), (2, 'bob@example.com', 5, '2025-07-02');
insert into log (person, coins, what, at, changed) values
  (1, 100, 'pack', '2025-07-01 12:00', now()), (1, -10, 'scan', '2025-12-01 12:00', now()),
  (1, 7, 'twice', '2025-10-26 02:30', now()), (1, -7, 'never', '2025-03-30 02:30', now());
insert into gifts values (1, 2, 5, 'gift', '2025-07-01 12:00:00'), (2, 1, 1, 'gift', '2025-07-01 12:00:00+00'), (3, 1, -1, 'undone', '2025-07-01T12:00');
"""
MAPPING = """
time_zone = "Europe/Berlin"
[users]
table = "people"
id = "id"
email = "mail"
balance = "coins"
created_at = "joined"
[[transactions]]
table = "log"
id = "id"
user_ref = "person"
delta = "coins"
reason = "what"
created_at = "at"
[[transactions]]
table = "gifts"
id = "id"
user_ref = "person"
delta = "coins"
reason = "what"
created_at = "at"
[kinds]
scan = "spend"
gift = "grant"
"""
INSTANTS = {
    "pack": "2025-07-01 10:00", "scan": "2025-12-01 11:00",
    "twice": "2025-10-26 01:30",  # the second of the two
    "never": "2025-03-30 01:30",  # an hour later by the clock
    "gift": "2025-07-01 12:00", "undone": "2025-07-01 10:00",
}  # fmt: skip


async def effective(connection: psycopg.AsyncConnection, account: str = "1") -> dict[str, str]:
    rows = await connection.execute(
        "select reason, to_char(effective_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from heller.transactions where account_id = %s"
        " and kind <> 'migrate' order by seq",
        [account],
    )
    return dict(await rows.fetchall())


async def test_local_times_mean_the_same_instant_on_both_sides(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(SCHEMA)
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING, "utf-8")
    out = tmp_path / "out"
    assert (await run(empty_database, heller_database, out, mapping=path, decide="recommended")).ok
    assert await effective(own) == INSTANTS
    assert (await effective(own, "2"))["gift"] == "2025-07-01 10:00"
    assert (await verify(str(out / "backup"), heller_database, out, mapping=path)).ok, (
        "the backup says the same"
    )
    async with open_sides(empty_database, heller_database, mapping=path, needs_fence=False) as sides:
        assert (await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout)).ok
    async with await psycopg.AsyncConnection.connect(
        empty_database, autocommit=True, options="-c timezone=Asia/Tokyo"
    ) as elsewhere:  # an application's session, whatever it is set to
        await elsewhere.execute(
            'select heller_fence.post(\'1\', \'{"delta": -1, "kind": "spend", "key": "k1", "reason": "scan"}\')'
        )
    local = "(now() at time zone 'Europe/Berlin')::timestamp"
    near = f"select count(*) from log where abs(extract(epoch from at - {local})) < 60 and abs(extract(epoch from changed - {local})) < 60"
    assert await (await legacy.execute(near)).fetchone() == (1,)
    await legacy.execute(
        "insert into log (person, coins, what, at, changed) values (1, 3, 'tail', '2026-07-01 12:00', now());"
        " update people set coins = coins + 3 where id = 1"
    )
    async with open_sides(empty_database, heller_database) as sides:  # the fence keeps the zone
        (moved,) = await sides.coordinator().hand_over(["1"])
        assert moved.outcome == "moved", moved.reason
        assert (await effective(own))["tail"] == "2026-07-01 10:00"
        await own.execute("select heller.spend('1', 2, p_reason => 'here')")
        (back,) = await sides.coordinator().send_back(["1"])
        assert back.outcome == "returned", back.reason
        assert await (await legacy.execute(near)).fetchone() == (2,)
        (again,) = await sides.coordinator().hand_over(["1"])
        assert again.outcome == "moved", again.reason
        assert (await check_invariants(sides)).ok


async def test_an_unknown_time_zone_is_refused_with_its_line_and_the_nearest_name(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(SCHEMA)
    path = tmp_path / "mapping.toml"
    for text, place in (
        (MAPPING.replace("Europe/Berlin", "Europe/Berlim"), "line 2, time_zone:"),
        (
            MAPPING.replace('table = "gifts"', 'table = "gifts"\ntime_zone = "Berlin"'),
            "transactions.time_zone",
        ),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(MappingError, match=place) as refused:
            await run(empty_database, heller_database, tmp_path / "out", mapping=path)
        assert "Europe/Berlin" in refused.value.hint


async def test_a_table_may_have_a_zone_of_its_own_and_the_draft_asks_the_server(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(SCHEMA)
    await legacy.execute(
        "do $$ begin execute format('alter database %I set timezone = %L', current_database(), 'Europe/Berlin'); end $$"
    )
    text = await draft(empty_database, heller_database)
    assert '\ntime_zone = "Europe/Berlin"  # of times that do not say theirs: 3 columns;' in text
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING.replace('table = "gifts"', 'table = "gifts"\ntime_zone = "UTC"'), "utf-8")
    assert (
        await run(empty_database, heller_database, tmp_path / "out", mapping=path, decide="recommended")
    ).ok
    assert (await effective(own))["undone"] == "2025-07-01 12:00"
    assert (await effective(own))["pack"] == "2025-07-01 10:00"
