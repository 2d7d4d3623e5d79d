"""What only a person can decide: asked before anything moves, kept, and carried out exactly."""

import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heller.errors import DecisionsNeeded, MappingError, SourceError
from heller.migration import Run, plan, run

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

SCHEMA = """
create table users (id text primary key, email text, credits_balance int, stripe_customer_id text);
create table payments (id bigint primary key, user_id text, stripe_payment_intent_id text, amount int, currency text,
  expected_credits int, status text, raw_provider_data json, created_at timestamptz default '2025-01-01');
create table credit_transactions (id bigint primary key, user_id text, payment_id bigint, delta int, reason text,
  stripe_event_id text, created_at timestamptz default '2025-01-02');
create table credit_ledger (id bigint primary key, user_id text, delta int, reason text, stripe_event_id text,
  created_at timestamptz default '2025-01-03');
"""

MESS = """
insert into users values ('ann', 'ann@example.com', 100, null), ('bob', 'bob@example.com', -30, null),
  ('cy', 'cy@example.com', null, null), ('dot1', 'dot@example.com', 5, null), ('dot2', 'DOT@example.com', 6, null),
  ('ghost', 'emergency_9@temp.com', 40, null), ('eve', 'eve@example.com', 0, null);
insert into payments values (1, 'ann', 'pi_1', 500, 'EUR', 100, 'PAID', null), (2, 'eve', 'pi_2', 500, 'EUR', 70, 'PAID', null),
  (3, 'eve', 'pi_3', 500, 'EUR', 60, 'REFUNDED', null), (4, 'ghost', 'pi_4', 300, 'EUR', 40, 'PAID', null);
insert into credit_transactions values (1, 'ann', 1, 100, 'PURCHASE'), (2, 'stranger', null, 25, 'ADMIN'),
  (3, 'stranger', null, -5, 'usage'), (4, 'dot@example.com', null, 9, 'bonus'), (5, 'cy', null, 44, 'bonus'),
  (6, 'eve', 3, 60, 'PURCHASE'), (7, 'eve', 3, -60, 'REFUND'), (8, 'eve', 3, -60, 'REFUND'), (9, 'ghost', 4, 40, 'PURCHASE'),
  (10, 'nobody', null, -8, 'usage');
"""


@pytest.fixture
async def mess(empty_database: str, connect: Connect) -> str:
    legacy = await connect(empty_database)
    await legacy.execute(SCHEMA)
    await legacy.execute(MESS)
    return empty_database


async def posted(url: str) -> dict[str, int]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return dict(
            await (await connection.execute("select account_id, posted from heller.accounts")).fetchall()
        )


async def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute(query)).fetchall()  # type: ignore[call-overload]


def decide(out: Path, text: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "decisions.toml").write_text(text, "utf-8")


async def decided(mess: str, heller_database: str, out: Path, text: str) -> Run:
    decide(out, text)
    result = await run(mess, heller_database, out, decide="recommended")
    assert result.ok, result.as_json()
    return result


async def test_undecided_blockers_stop_the_plan_and_touch_nothing(
    mess: str, heller_database: str, tmp_path: Path
) -> None:
    with pytest.raises(DecisionsNeeded) as caught:
        await run(mess, heller_database, tmp_path)
    assert caught.value.open_questions == 5
    assert "unknown_user (2)" in caught.value.message
    assert await posted(heller_database) == {}
    assert not (tmp_path / "plan.json").exists()
    written = tomllib.loads((tmp_path / "decisions.toml").read_text("utf-8"))
    assert set(written) >= {
        "unknown_user",
        "ambiguous_user",
        "null_balance",
        "negative_balance",
        "ghost_user",
    }
    assert all(section["default"] == "undecided" for section in written.values())


async def test_recommended_choices_lose_nobody_a_credit(
    mess: str, heller_database: str, tmp_path: Path
) -> None:
    result = await decided(mess, heller_database, tmp_path, "")
    assert await posted(heller_database) == {
        "ann": 100, "bob": -30, "cy": 44, "dot1": 5, "dot2": 6, "eve": 0, "ghost": 40,
        "unclaimed:stranger": 20, "unclaimed:dot@example.com": 9, "unclaimed:nobody": 0,
    }  # fmt: skip
    assert {entry["decided_by"] for entry in result.copied.plan.decisions} == {"recommended"}
    assert await rows(
        heller_database, "select account_id, uncovered from heller.accounts where uncovered > 0"
    ) == [("bob", 30)]


async def test_rows_can_be_decided_one_by_one(mess: str, heller_database: str, tmp_path: Path) -> None:
    text = """
    [unknown_user]
    default = "skip"
    [unknown_user.rows]
    "stranger" = "user:ann"
    [ambiguous_user.rows]
    "dot@example.com" = "user:dot2"
    [null_balance]
    default = "zero"
    [negative_balance]
    default = "forgive"
    [ghost_user.rows]
    "ghost" = "user:eve"
    """
    result = await decided(mess, heller_database, tmp_path, text)
    assert await posted(heller_database) == {"ann": 120, "bob": 0, "cy": 0, "dot1": 5, "dot2": 15, "eve": 40}
    assert result.copied.quarantined == 1
    assert await rows(
        heller_database,
        "select source_id, reason from heller.migration_outcomes where outcome = 'quarantined'",
    ) == [("10", "left out by decision: the user is unknown")]
    assert await rows(heller_database, "select user_id from heller.identities where name = 'ghost'") == [
        ("eve",)
    ]
    assert await rows(
        heller_database, "select account_id from heller.payments where payment_key = 'pi_4'"
    ) == [("eve",)]


async def test_money_questions_change_the_balance_only_when_decided(
    mess: str, heller_database: str, tmp_path: Path
) -> None:
    text = """
    [payment_without_transaction]
    default = "credit"
    [refund_taken_twice]
    default = "give_back"
    """
    await decided(mess, heller_database, tmp_path, text)
    assert (await posted(heller_database))["eve"] == 0 + 70 + 60
    assert await rows(
        heller_database,
        "select delta, kind, source_id, payment_key from heller.transactions where source_table = 'decision' order by source_id",
    ) == [
        (70, "purchase", "payment_without_transaction:2", "pi_2"),
        (60, "reinstate", "refund_taken_twice:3", "pi_3"),
    ]


async def test_taking_back_goes_below_the_balance_the_source_shows(
    mess: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(mess)
    await legacy.execute("insert into credit_transactions values (20, 'ann', 1, 100, 'PURCHASE')")
    await legacy.execute("insert into payments values (9, 'ann', 'pi_9', 100, 'EUR', 10, 'CHARGEBACK', null)")
    await legacy.execute("insert into credit_transactions values (21, 'ann', 9, 10, 'PURCHASE')")
    text = '[payment_booked_twice]\ndefault = "take_back"\n[refund_not_taken]\ndefault = "take_back"\n'
    await decided(mess, heller_database, tmp_path, text)
    assert (await posted(heller_database))["ann"] == 100 - 100 - 10


async def test_decisions_taken_are_kept_when_the_file_is_written_again(
    mess: str, heller_database: str, tmp_path: Path
) -> None:
    text = '[unknown_user]\ndefault = "hold"\n[unknown_user.rows]\n"stranger" = "skip"\n"typing error" = "skip"\n'
    decide(tmp_path, text)
    result = await plan(mess, heller_database, tmp_path, decide="recommended")
    written = tomllib.loads((tmp_path / "decisions.toml").read_text("utf-8"))
    assert written["unknown_user"] == {
        "default": "hold",
        "rows": {"stranger": "skip", "typing error": "skip"},
    }
    assert result.unused_decisions == ("unknown_user.typing error",)
    assert {(entry["choice"], entry["decided_by"]) for entry in result.decisions if entry["code"] == "unknown_user"} == {
        ("hold", "default"), ("skip", "row")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[unknown_user]\ndefault = "guess"\n', r"line 2, unknown_user\.default: 'guess' is no choice"),
        ('[null_balance.rows]\n"a" = "zero"\n"cy" = "user:ann"\n', r"line 3, null_balance\.rows\.cy"),
        ('[unknown]\ndefault = "hold"\n', r"line 1: \[unknown\] is no question"),
        (
            '[unknown_user.rows]\n"stranger" = "user:who"\n',
            r"row 'stranger': user:who, but there is no such user",
        ),
        ("[unknown_user", "not TOML"),
    ],
)
async def test_a_wrong_choice_is_refused_with_its_place(
    mess: str, heller_database: str, tmp_path: Path, text: str, message: str
) -> None:
    decide(tmp_path, text)
    with pytest.raises(MappingError, match=message):
        await plan(mess, heller_database, tmp_path, decide="recommended")


async def test_transactions_or_the_ledger_can_be_the_truth(
    mess: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(mess)
    await legacy.execute("insert into credit_ledger values (1, 'ann', 7, 'seed'), (2, 'eve', 3, 'seed')")
    decide(tmp_path, "")
    first = await run(mess, heller_database, tmp_path, truth="transactions", decide="recommended")
    assert first.ok
    assert await posted(heller_database) == {
        "ann": 100, "bob": 0, "cy": 44, "dot1": 0, "dot2": 0, "eve": -60, "ghost": 40,
        "unclaimed:stranger": 20, "unclaimed:dot@example.com": 9, "unclaimed:nobody": -8,
    }  # fmt: skip
    second = await run(mess, heller_database, tmp_path, truth="ledger", decide="recommended")
    assert second.ok
    after = await posted(heller_database)
    assert (after["ann"], after["eve"], after["ghost"]) == (7, 3, 0)


async def test_a_truth_the_source_does_not_have_is_refused(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute("create table users (id int primary key, email text)")
    await legacy.execute("create table credit_transactions (id int primary key, user_id int, delta int)")
    with pytest.raises(SourceError, match="no balance to be the truth"):
        await plan(empty_database, heller_database, tmp_path)


async def test_a_ledger_row_of_the_same_event_is_part_of_the_transaction(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(SCHEMA)
    await legacy.execute(
        """
        insert into users values ('ann', 'ann@example.com', 90, 'cus_1');
        insert into payments values (1, 'cus_1', 'pi_1', 500, 'EUR', 100, 'PAID', null);
        insert into credit_transactions values (1, 'ann', 1, 100, 'PURCHASE', 'evt_1'), (2, 'ann', null, -10, 'usage', 'evt_2');
        insert into credit_ledger values (1, 'cus_1', 100, 'purchase:small', 'evt_1'), (2, 'ann', -10, 'usage', 'evt_2'),
          (3, 'ann', -5, 'usage', null);
        """
    )
    result = await run(empty_database, heller_database, tmp_path)
    assert result.ok
    assert await rows(
        heller_database,
        "select delta, kind, source_table, metadata -> 'merged' from heller.transactions order by seq",
    ) == [
        (5, "migrate", "opening", None),
        (100, "purchase", "credit_transactions", ["credit_ledger:1"]),
        (-10, "spend", "credit_transactions", ["credit_ledger:2"]),
        (-5, "spend", "credit_ledger", None),
    ]
    assert (result.copied.copied, result.copied.plan.merged) == (1 + 1 + 2 + 3, 2)
    again = await run(empty_database, heller_database, tmp_path)
    assert (again.copied.copied, again.copied.present) == (0, 7)


async def test_debts_spends_and_purchases_leave_the_grants_that_are_left(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(SCHEMA)
    await legacy.execute(
        """
        insert into users values ('ann', 'a@b.c', 60, null);
        insert into payments values (1, 'ann', 'pi_1', 500, 'EUR', 50, 'PAID', null), (2, 'ann', 'pi_2', 500, 'EUR', 50, 'PAID', null);
        insert into credit_transactions values (1, 'ann', 1, 50, 'PURCHASE'), (2, 'ann', 2, 50, 'PURCHASE'), (3, 'ann', null, -40, 'usage');
        """
    )
    await run(empty_database, heller_database, tmp_path)
    assert await rows(
        heller_database,
        "select payment_key, amount, remaining, source, cost, currency from heller.grants order by grant_id",
    ) == [("pi_1", 50, 10, "purchase", 500, "EUR"), ("pi_2", 50, 50, "purchase", 500, "EUR")]
