"""From a source to a proven ledger: the live export, repetition, changes of the source, tampering, damage."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heller.errors import Busy, MigrationError, StalePlan
from heller.migration import backup, check_proof, copy, plan, restore_check, run, verify, write_proof
from heller.migration.staging import open_workspace
from legacy_sample import build, load_export

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

TRANSACTIONS = "select seq, delta, balance_after, kind, idempotency_key, payment_key from heller.transactions order by account_id, seq"


async def rows(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute(query, values)).fetchall()  # type: ignore[call-overload]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The live export's three files, as the production database wrote them."""
    folder = tmp_path / "live_export"
    folder.mkdir()
    user = {"id": 1, "email": "test@example.com", "name": "Test User", "credits_balance": 200}
    payment = {
        "id": 1, "user_id": "1", "provider_payment_intent_id": "pi_test_123", "amount_total_cents": 500,
        "expected_credits": 100, "status": "PAID", "created_at": "2025-09-02 07:00:59.069542+00:00",
    }  # fmt: skip
    transaction = {
        "id": 1, "user_id": "1", "delta_credits": 100, "reason": "PURCHASE", "payment_id": 1, "admin_action_id": None,
        "meta": {}, "created_at": "2025-09-02 07:01:01.891338+00:00",
    }  # fmt: skip
    for name, row in (("users", user), ("payments", payment), ("transactions", transaction)):
        (folder / f"{name}_export.json").write_text(json.dumps([row]), "utf-8")
    (folder / "export_summary.json").write_text("{}", "utf-8")
    return folder


@pytest.mark.parametrize("through_database", [True, False])
async def test_the_live_export_ends_with_one_purchase_one_opening_and_200_credits(
    heller_database: str, empty_database: str, export: Path, tmp_path: Path, through_database: bool
) -> None:
    source = str(export)
    if through_database:
        await load_export(empty_database, export)
        source = empty_database
    first = await run(source, heller_database, tmp_path / "out")
    state = await rows(heller_database, TRANSACTIONS)
    again = await run(source, heller_database, tmp_path / "out")
    assert state == [
        (1, 100, 100, "migrate", None, None),
        (2, 100, 200, "purchase", "pi_test_123", "pi_test_123"),
    ]
    assert (
        first.as_json() | {"accounts": 1, "transactions": 2, "copied": 3, "present": 0, "quarantined": 0}
        == first.as_json()
    )
    assert (
        again.as_json() | {"accounts": 1, "transactions": 2, "copied": 0, "present": 3, "ok": True}
        == again.as_json()
    )
    assert await rows(heller_database, TRANSACTIONS) == state
    assert await rows(heller_database, "select state, credits, net_credits from heller.payments") == [
        ("settled", 100, 100)
    ]
    assert await rows(heller_database, "select kind, name, user_id from heller.identities order by 1") == [
        ("email", "test@example.com", "1"),
        ("legacy_id", "1", "1"),
    ]
    assert (first.verified.credits_source, first.verified.credits_target) == (200, 200)


async def test_the_proof_says_what_happened_and_is_signed_by_its_hash(
    heller_database: str, empty_database: str, tmp_path: Path
) -> None:
    await build(empty_database, shape="production", users=60, seed=2)
    result = await run(empty_database, heller_database, tmp_path, decide="recommended")
    page = (tmp_path / "proof.html").read_text("utf-8")
    proof = json.loads((tmp_path / "proof.json").read_text("utf-8"))
    assert "Every credit is accounted for." in page
    assert result.proof.digest in page
    assert "http" not in page.replace("http-equiv", "")
    assert check_proof(tmp_path / "proof.json")
    assert proof["run"]["summary"]["copied"] == result.copied.copied
    assert {entry["code"] for entry in proof["decisions"]} >= {"unknown_user", "negative_balance"}
    proof["verify"]["credits_target"] += 1
    (tmp_path / "proof.json").write_text(json.dumps(proof), "utf-8")
    assert not check_proof(tmp_path / "proof.json")


async def test_what_the_source_added_since_is_added_here_and_nothing_twice(
    heller_database: str, empty_database: str, tmp_path: Path, connect: Connect
) -> None:
    await build(empty_database, shape="production", users=30, seed=1, clean=True)
    await run(empty_database, heller_database, tmp_path)
    legacy = await connect(empty_database)
    who = (
        await rows(
            empty_database, "select id, credits_balance from users where credits_balance > 100 limit 1"
        )
    )[0]
    await legacy.execute(
        "insert into credit_transactions (id, user_id, delta_credits, reason) values (900001, %s, -40, 'resume_analysis'),"
        " (900002, %s, 500, 'PURCHASE')",
        (str(who[0]), str(who[0])),
    )
    await legacy.execute("update users set credits_balance = credits_balance + 467 where id = %s", (who[0],))
    await legacy.execute(
        "insert into users (id, email, name, credits_balance) values (900, 'new@example.com', 'New', 12)"
    )
    result = await run(empty_database, heller_database, tmp_path)
    account = await rows(
        heller_database, "select posted from heller.accounts where account_id = %s", str(who[0])
    )
    tail = await rows(
        heller_database,
        "select delta, kind, source_table, source_id from heller.transactions where account_id = %s order by seq desc limit 3",
        str(who[0]),
    )
    assert account == [(who[1] + 467,)]
    assert tail == [
        (7, "migrate", "opening", str(who[0])),
        (500, "purchase", "credit_transactions", "900002"),
        (-40, "spend", "credit_transactions", "900001"),
    ]
    assert (result.copied.copied, result.ok) == (3, True)
    await legacy.execute("update users set credits_balance = credits_balance - 100 where id = %s", (who[0],))
    third = await run(empty_database, heller_database, tmp_path)
    last = await rows(
        heller_database,
        "select delta, source_id from heller.transactions where account_id = %s order by seq desc limit 1", str(who[0])
    )  # fmt: skip
    assert (last, third.copied.copied, third.ok) == ([(-100, f"{who[0]}#2")], 0, True)
    assert third.verified.ledger.is_ok


async def test_verify_names_what_was_tampered_with(
    heller_database: str, empty_database: str, tmp_path: Path, connect: Connect
) -> None:
    await build(empty_database, shape="production", users=60, seed=3, clean=True)
    await run(empty_database, heller_database, tmp_path)
    own = await connect(heller_database)
    await own.execute("set session_replication_role = replica")
    await own.execute("alter table heller.transactions disable trigger transactions_append_only")
    picked = await rows(
        heller_database,
        "select account_id, seq, source_id, delta from heller.transactions"
        " where source_table = 'credit_transactions' and kind = 'spend' order by account_id, seq limit 2",
    )
    (account, seq, source_id, delta), (gone_account, gone_seq, gone_id, _) = picked
    await own.execute(
        "update heller.transactions set delta = delta + 1 where account_id = %s and seq = %s", (account, seq)
    )
    await own.execute(
        "delete from heller.transactions where account_id = %s and seq = %s", (gone_account, gone_seq)
    )
    result = await verify(empty_database, heller_database, tmp_path)
    listed = {(row["account"], row["what"]): (row["source"], row["target"]) for row in result.mismatches}
    assert not result.ok
    assert listed[account, f"credit_transactions {source_id}: delta"] == (str(delta), str(delta + 1))
    assert listed[gone_account, f"credit_transactions {gone_id}: row"] == ("one row", "no such row")
    assert (account, f"ledger: hash of transaction {seq}") in listed
    assert any(what == "balance" for _, what in listed)
    proof = await write_proof(heller_database, tmp_path)
    assert not proof.ok
    assert "Not proven" in (tmp_path / "proof.html").read_text("utf-8")


async def test_verify_sees_what_changed_in_the_source(
    heller_database: str, empty_database: str, tmp_path: Path, connect: Connect
) -> None:
    await build(empty_database, shape="production", users=40, seed=3, clean=True)
    await run(empty_database, heller_database, tmp_path)
    legacy = await connect(empty_database)
    row_id, user = (
        await rows(empty_database, "select id, user_id from credit_transactions order by id limit 1")
    )[0]
    await legacy.execute("update credit_transactions set reason = 'other' where id = %s", (row_id,))
    await legacy.execute(
        "update users set credits_balance = credits_balance + 1 where id::text = %s", (user,)
    )
    result = await verify(empty_database, heller_database, tmp_path)
    assert {(row["account"], row["what"]) for row in result.mismatches} == {
        (user, f"credit_transactions {row_id}: reason"),
        (user, "balance"),
    }


async def test_a_plan_is_refused_once_the_source_has_changed(
    heller_database: str, empty_database: str, tmp_path: Path, connect: Connect
) -> None:
    await build(empty_database, shape="production", users=30, seed=1, clean=True)
    with pytest.raises(StalePlan, match="no plan"):
        await copy(empty_database, heller_database, tmp_path)
    planned = await plan(empty_database, heller_database, tmp_path)
    legacy = await connect(empty_database)
    await legacy.execute(
        "update users set credits_balance = credits_balance + 1 where id = (select min(id) from users)"
    )
    with pytest.raises(StalePlan, match="has changed"):
        await copy(empty_database, heller_database, tmp_path)
    assert await rows(heller_database, "select count(*) from heller.accounts") == [(0,)]
    result = await copy(empty_database, heller_database, tmp_path, replan=True)
    assert result.ok
    assert result.credits_target == planned.credits["target"] + 1


async def test_a_second_run_at_the_same_time_is_refused(
    heller_database: str, empty_database: str, tmp_path: Path
) -> None:
    await build(empty_database, shape="production", users=30, seed=1, clean=True)
    async with open_workspace(heller_database):
        with pytest.raises(Busy, match="Another heller migrate"):
            await run(empty_database, heller_database, tmp_path)
    results = await asyncio.gather(
        *(run(empty_database, heller_database, tmp_path / name) for name in ("a", "b")),
        return_exceptions=True,
    )
    assert all(isinstance(result, Busy) or result.ok for result in results)  # type: ignore[union-attr]
    assert await rows(heller_database, "select count(*) from heller.accounts") == [(30,)]


async def test_a_backup_reads_back_whole_and_damage_is_found(
    heller_database: str, empty_database: str, tmp_path: Path
) -> None:
    await build(empty_database, shape="drifted", users=60, seed=4)
    result = await backup(empty_database, heller_database, tmp_path)
    folder = tmp_path / "backup"
    checked = restore_check(folder)
    counted = await rows(empty_database, "select count(*) from credit_transactions")
    assert (checked.ok, result.tables["credit_transactions"]) == (True, counted[0][0])
    assert checked.files == 2 * len(result.tables)
    for name in ("credit_transactions.csv", "credit_transactions.parquet"):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
    assert restore_check(folder).problems == (
        "credit_transactions.csv was changed: its SHA-256 is not the manifest's.",
        "credit_transactions.parquet was changed: its SHA-256 is not the manifest's.",
    )
    (folder / "payments.csv").unlink()
    assert "payments.csv is missing." in restore_check(folder).problems
    (folder / "manifest.json").unlink()
    with pytest.raises(MigrationError, match="not finished"):
        restore_check(folder)


async def test_a_backup_is_a_source_that_gives_the_same_credits(
    heller_database: str, empty_database: str, second_database: str, heller_template: str, tmp_path: Path
) -> None:
    del heller_template
    await build(empty_database, shape="production", users=60, seed=6, truth=tmp_path / "truth.json")
    await backup(empty_database, second_database, tmp_path)
    result = await run(str(tmp_path / "backup"), heller_database, tmp_path / "out", decide="recommended")
    truth = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    posted = dict(await rows(heller_database, "select account_id, posted from heller.accounts"))
    assert result.ok
    assert {user: posted[user] for user in truth["accounts"]} == {
        user: account["balance"] for user, account in truth["accounts"].items()
    }
