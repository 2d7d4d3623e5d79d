"""What an audit says of planted messes, clean databases, odd values and roles that may only read."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heller.errors import SourceError
from heller.migration import audit
from legacy_sample import build

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
BLOCKERS = {"unknown_user", "ambiguous_user", "null_balance", "negative_balance"}
OWN = {"event_failed", "double_counting_trigger", "naive_timestamps"}
"""Findings that the sample's truth does not speak of."""


def found(out: Path) -> dict[str, set[str]]:
    content = json.loads((out / "audit.json").read_text("utf-8"))
    return {entry["code"]: {row["key"] for row in entry["rows"]} for entry in content["findings"]}


@pytest.mark.parametrize(
    ("shape", "seed"),
    [("production", 1), ("production", 2), ("documented", 3)] + [("drifted", n) for n in range(8)],
)
async def test_every_planted_finding_is_found_and_no_other(
    empty_database: str, second_database: str, tmp_path: Path, shape: str, seed: int
) -> None:
    truth = tmp_path / "truth.json"
    await build(empty_database, shape=shape, users=60, seed=seed, truth=truth)
    result = await audit(empty_database, second_database, tmp_path / "out")
    planted = json.loads(truth.read_text("utf-8"))
    expected = {code: {str(row) for row in rows} for code, rows in planted["planted"].items()}
    seen = found(tmp_path / "out")
    assert seen.get("unknown_user", set()) - expected.get("unknown_user", set()) <= {"(none)"}
    seen.get("unknown_user", set()).discard("(none)")
    assert {code: rows for code, rows in seen.items() if code not in OWN and rows} == expected
    assert result.as_json()["credits"] == planted["credits"]
    assert not result.ok
    assert {finding.code for finding in result.findings if finding.level == "blocker"} <= BLOCKERS


@pytest.mark.parametrize(
    ("shape", "seed"), [("production", 1), ("documented", 2), ("drifted", 4), ("drifted", 5)]
)
async def test_a_clean_database_has_no_findings(
    empty_database: str, second_database: str, tmp_path: Path, shape: str, seed: int
) -> None:
    await build(empty_database, shape=shape, users=80, seed=seed, clean=True)
    result = await audit(empty_database, second_database, tmp_path)
    assert [finding.code for finding in result.findings if finding.code != "naive_timestamps"] == []
    assert result.ok
    assert result.shape == shape


@pytest.mark.parametrize("id_type", ["integer", "bigint", "text", "uuid"])
async def test_ids_may_be_of_any_type(
    empty_database: str, second_database: str, tmp_path: Path, id_type: str
) -> None:
    await build(empty_database, shape="documented", users=40, seed=3, clean=True, id_type=id_type)
    result = await audit(empty_database, second_database, tmp_path)
    assert (result.totals.users, result.ok) == (40, True)


async def test_sentences_carry_the_numbers_and_the_screen_is_capped(
    empty_database: str, second_database: str, tmp_path: Path, connect: Connect
) -> None:
    await build(empty_database, shape="production", users=60, seed=1, clean=True)
    legacy = await connect(empty_database)
    await legacy.execute("insert into users (id, email, name, credits_balance)"
                         " select 1000 + n, 'poor' || n || '@example.com', 'P', -5 from generate_series(1, 30) n")  # fmt: skip
    result = await audit(empty_database, second_database, tmp_path)
    finding = next(item for item in result.findings if item.code == "negative_balance")
    assert finding.sentence == "30 users owe 150 credits together."
    assert (finding.count, len(finding.rows)) == (30, 20)
    assert len(found(tmp_path)["negative_balance"]) == 30


async def test_a_role_that_may_only_select_is_enough_and_nothing_changes(
    empty_database: str, second_database: str, tmp_path: Path, connect: Connect
) -> None:
    await build(empty_database, shape="production", users=60, seed=5)
    owner = await connect(empty_database)
    name = f"reader_{psycopg.conninfo.conninfo_to_dict(empty_database)['dbname']}"
    await owner.execute(f"create role {name} login password 'only-read'")
    try:
        await owner.execute(f"grant select on all tables in schema public to {name}")
        before = await fingerprint(owner)
        url = psycopg.conninfo.make_conninfo(empty_database, user=name, password="only-read")  # noqa: S106 - made for this test
        result = await audit(url, second_database, tmp_path)
        assert result.totals.users == 60
        assert await fingerprint(owner) == before
        await owner.execute(f"revoke select on payments from {name}")
        with pytest.raises(SourceError, match=r"may not read public\.payments"):
            await audit(url, second_database, tmp_path)
    finally:
        await owner.execute(f"drop owned by {name}")
        await owner.execute(f"drop role {name}")


async def fingerprint(connection: psycopg.AsyncConnection) -> list[Any]:
    rows = await connection.execute(
        "select relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables order by relname"
    )
    return await rows.fetchall()


async def test_a_database_without_credits_is_refused_with_what_was_seen(
    empty_database: str, second_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute("create table invoices (id int, total int)")
    with pytest.raises(SourceError, match=r"public\.invoices.*\n.*migrate map"):
        await audit(empty_database, second_database, tmp_path)


async def test_values_that_cannot_be_read_are_set_aside_with_a_reason(
    empty_database: str, second_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute("create table users (id text primary key, email text, credits_balance text)")
    await legacy.execute(
        "create table credit_transactions (id text, user_id text, delta text, reason text, meta text, created_at text)"
    )
    await legacy.execute(
        "insert into users values ('u1', 'a@b.c', ' 70.00 '), ('u2', null, 'seventy'), (' ', 'x@y.z', '1')"
    )
    await legacy.execute(
        """insert into credit_transactions values
        ('1', 'u1', '100', 'PURCHASE', '{"a": 1', '2025-02-30 10:00:00'),
        ('2', 'u1', '-30.0', 'usage', '{}', '2025-03-01T10:00:00Z'),
        ('3', 'u1', '2.5', 'half', null, '2025-03-01'),
        ('4', 'u1', '99999999999999999999', 'huge', null, null),
        ('5', 'u1', null, 'nothing', null, null),
        ('1', 'u1', '7', 'again', null, null),
        (null, 'u1', '7', 'no id', null, null)"""
    )
    result = await audit(empty_database, second_database, tmp_path)
    rows = {finding.code: finding for finding in result.findings}
    reasons = {row["key"]: row["reason"] for row in rows["unreadable_row"].rows}
    assert reasons == {
        " ": "the user has no usable id",
        "3": 'the change of credits cannot be read: delta "2.5"; created_at "2025-03-01"',
        "4": 'the change of credits cannot be read: delta "99999999999999999999"',
        "5": "the change of credits cannot be read: it is empty",
        "1": "another row of the same table has the same id",
        "(none)": "the row has no id",
    }
    assert {row["key"] for row in rows["null_balance"].rows} == {"u2"}
    assert {row["key"] for row in rows["missing_timestamp"].rows} == {"credit_transactions:1"}
