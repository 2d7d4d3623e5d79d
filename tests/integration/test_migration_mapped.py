"""A schema nobody has seen before, through a mapping."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from heller.errors import DecisionsNeeded, LimitExceeded
from heller.migration import copy, draft, run

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

SCHEMA = """
create schema shop;
create table shop.members (member_no numeric primary key, mail text, login text, points numeric(12,2));
create table shop.orders (order_no int primary key, member text, stripe_id text, cents int, points int, state text, at timestamp);
create table shop.usage_log (log_no uuid primary key default gen_random_uuid(), member text, points int, what text, at date);
create table shop.gifts (gift_no int primary key, member numeric references shop.members, points int, at timestamptz);
insert into shop.members values (1, 'ann@example.com', 'auth0|ann', 130.00), (2, 'bob@example.com', 'auth0|bob', 50);
insert into shop.orders values (7, 'auth0|ann', 'pi_7', 900, 100, 'done', '2025-03-01 12:00'), (8, '2', 'pi_8', 900, 100, 'oops', '2025-03-01 12:00');
insert into shop.usage_log (member, points, what, at) values ('ANN@example.com', 20, 'scan', '2025-03-02');
insert into shop.gifts values (1, 1, 50, '2025-03-03'), (2, 2, 50, '2025-03-03');
"""

MAPPING = """
system = "shop"
[users]
table = "shop.members"
id = "member_no"
email = "mail"
balance = "points"
names = ["login"]
[payments]
table = "shop.orders"
id = "order_no"
user_ref = "member"
intent = "stripe_id"
amount = "cents"
credits = "points"
status = "state"
created_at = "at"
currency = { value = "EUR" }
[[transactions]]
table = "shop.usage_log"
id = "log_no"
user_ref = "member"
delta = "points"
reason = "what"
created_at = "at"
negated = true
[[transactions]]
table = "shop.gifts"
id = "gift_no"
user_ref = "member"
delta = "points"
reason = { value = "goody" }
created_at = "at"
[kinds]
goody = "grant"
scan = "spend"
[statuses]
done = "paid"
oops = "failed"
"""


async def test_an_unknown_schema_is_migrated_by_its_mapping(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(SCHEMA)
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING, "utf-8")
    result = await run(empty_database, heller_database, tmp_path / "out", mapping=path)
    cursor = await own.execute(
        "select account_id, delta, kind, source_system, source_table from heller.transactions order by account_id, seq"
    )
    assert await cursor.fetchall() == [
        ("1", 100, "migrate", "shop", "opening"),
        ("1", -20, "spend", "shop", "shop.usage_log"),
        ("1", 50, "grant", "shop", "shop.gifts"),
        ("2", 50, "grant", "shop", "shop.gifts"),
    ]
    assert (result.ok, result.audit.shape, result.copied.copied) == (True, "mapped", 7)
    cursor = await own.execute(
        "select payment_key, state, account_id, currency from heller.payments order by 1"
    )
    assert await cursor.fetchall() == [("pi_7", "settled", "1", "EUR"), ("pi_8", "failed", "2", "EUR")]
    cursor = await own.execute("select name from heller.identities where user_id = '1' order by 1")
    assert [row[0] for row in await cursor.fetchall()] == ["1", "ann@example.com", "auth0|ann"]


async def test_a_fraction_of_a_credit_is_rounded_up_once_the_operator_has_said_so(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(SCHEMA)
    await legacy.execute("update shop.members set points = 130.25 where member_no = 1")
    path, out = tmp_path / "mapping.toml", tmp_path / "out"
    path.write_text(MAPPING, "utf-8")
    with pytest.raises(DecisionsNeeded):
        await run(empty_database, heller_database, out, mapping=path)
    assert "fractional_balance" in (out / "decisions.toml").read_text("utf-8")
    result = await run(empty_database, heller_database, out, mapping=path, decide="recommended")
    assert result.ok
    cursor = await own.execute("select account_id, posted from heller.accounts order by 1")
    assert await cursor.fetchall() == [("1", 131), ("2", 50)]


async def test_nothing_is_copied_into_a_cluster(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(SCHEMA)
    await own.execute(
        "create or replace function heller._is_spread() returns boolean language sql immutable as 'select true'"
    )
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING, "utf-8")
    for verb in (run, copy):
        with pytest.raises(LimitExceeded, match="a migration is copied while the ledger lies on one server"):
            await verb(empty_database, heller_database, tmp_path / "out", mapping=path)


async def test_the_draft_of_a_live_catalogue_names_its_tables(
    empty_database: str, heller_database: str, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(SCHEMA)
    text = await draft(empty_database, heller_database)
    assert 'table = "shop.members"' in text
    assert "shop.gifts(gift_no integer, member numeric, points integer, at timestamp with time zone)" in text
