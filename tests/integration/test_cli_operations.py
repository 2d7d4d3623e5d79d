"""Checklist, figures, data protection and the archive: found in the database, tried on real parts, never ticked."""

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pyarrow import parquet

from handover_world import build_legacy, fenced
from heller import Heller, checklist, dump, success, worker
from heller.cli import main
from heller.database import connect
from heller.errors import MigrationError
from heller.migration.archive import archive

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

Ask = Callable[..., Any]


@pytest.fixture
def ask(heller_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command in this process; its JSON, or its text with ``as_json=False``."""
    for name in ("LEGACY_DATABASE_URL", "HELLER_PUBLIC_URL", "HELLER_ALERT_URLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", heller_database)

    def run(line: str, *more: str, code: int = 0, as_json: bool = True) -> Any:
        monkeypatch.setattr(sys, "argv", ["heller", *line.split(), *more, *(["--json"] if as_json else [])])
        ended = 0
        try:
            main.run()
        except SystemExit as end:
            ended = int(end.code or 0)
        said = capsys.readouterr()
        assert ended == code, (line, said.out, said.err)
        return json.loads(said.out) if as_json else said.out

    return run


def states(result: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["state"] for item in result["items"]}


def test_checklist_of_a_new_ledger_is_open_and_follows_what_is_done(
    ask: Ask, heller_database: str, tmp_path: Path
) -> None:
    first = ask("checklist", code=3)
    found = states(first)
    assert len(found) == 14
    assert {name for name, state in found.items() if state == "ok"} == {"smoke", "documented"}
    assert found["answers"] == found["refuses"] == "unknown"
    assert all(item["command"] and item["evidence"] for item in first["items"])
    ask("account open ann")
    ask("verify")
    ask("backup", str(tmp_path / "b"))
    assert states(ask("checklist", code=3))["backup"] == "open", "a backup that was never restored is none"
    ask("worker --once")
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute("select heller.record_evidence('restore_check', true)")
        connection.execute("select heller.record_evidence('alert', true)")
        connection.execute('select heller.stripe_count(\'{"secret_0": 999, "unavailable": 2}\')')
        for n in range(20):
            connection.execute("select heller.observe(%s, 'ann', 'heller', 'spend', false, 120)", [f"o{n}"])
    found = states(ask("checklist", code=3))
    assert {name for name, state in found.items() if state == "ok"} == {
        "smoke", "documented", "backup", "monitoring", "verified", "figures",
    }  # fmt: skip
    assert found["webhooks"] == "failed", "99.8 % is too little"
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute("drop function heller.balance_at(text, timestamptz, text)")
        connection.execute("select heller.record_evidence('verify', false, '{\"accounts\": 1}')")
    found = states(ask("checklist", code=3))
    assert (found["documented"], found["verified"]) == ("failed", "failed")
    assert "FAILED" in ask("checklist", code=3, as_json=False)
    with psycopg.connect(heller_database) as connection:
        assert connection.execute("select array_agg(account_id) from heller.accounts").fetchone() == (
            ["ann"],
        )


def test_success_report_judges_the_plans_figures(ask: Ask, heller_database: str, tmp_path: Path) -> None:
    ask("account open ann")
    ask("account grant ann 100 --reason pack --source purchase --cost 1000 --currency eur")
    ask("account spend ann 10 --reason", "=job analysis")
    with psycopg.connect(heller_database, autocommit=True) as connection:
        for n in range(100):
            connection.execute(
                "select heller.observe(%s, 'ann', 'heller', 'spend', false, %s)", [f"h{n}", 10 + n]
            )
            connection.execute("select heller.observe(%s, 'ann', 'legacy', 'spend', false, 900)", [f"l{n}"])
    found = ask("report success")
    figures = {f["name"]: (f["value"], f["ok"]) for f in found["figures"]}
    assert figures["credits lost"] == (0, True)
    assert figures["credit operations p95, after (s)"] == (0.104, True)
    assert figures["credit operations p95, before (s)"] == (0.9, None)
    assert figures["webhook success"] == (None, None)
    assert found["usage"]["credits"]["credit"]["sold"] == 100
    file = tmp_path / "figures.parquet"
    rows = list(csv.DictReader(io.StringIO(ask("report success --csv --parquet", str(file), as_json=False))))
    assert {r["value"] for r in rows if r["section"] == "features" and r["name"] == "credits"} == {"10"}
    assert {r["label"] for r in rows if r["section"] == "features"} == {"'=job analysis"}
    assert parquet.read_table(file).num_rows == len(rows)
    with psycopg.connect(heller_database, autocommit=True) as connection:
        for n in range(200):
            connection.execute(
                "select heller.observe(%s, %s, 'heller', 'spend', true, 3000)", [f"s{n}", f"u{n}"]
            )
    slow = ask("report success", code=3)
    assert {f["name"] for f in slow["figures"] if f["ok"] is False} == {
        "credit operations p50, after (s)", "credit operations p95, after (s)", "credit operations p99, after (s)",
        "error rate, after",
    }  # fmt: skip
    assert "BAD" in ask("report success", code=3, as_json=False)


def test_person_is_exported_and_forgotten_only_when_it_is_meant(ask: Ask, tmp_path: Path) -> None:
    ask("account open ann --email ann@example.org")
    ask("account grant ann 100 --reason welcome")
    told = ask("user export ann@example.org")
    assert [t["delta"] for t in told["accounts"][0]["transactions"]] == [100]
    file = tmp_path / "ann.json"
    ask("user export ann --to", str(file))
    assert (json.loads(file.read_text())["user"]["id"], file.stat().st_mode & 0o077) == ("ann", 0)
    assert ask("user export eve", code=1)["error"] == "unknown_account"
    assert ask("user erase ann", code=2)["argument"] == "confirm"
    assert ask("user erase ann --dry-run")["names"] == 1
    assert ask("user erase ann@example.org --confirm ann --actor ada")["names"] == 1
    assert ask("user export ann@example.org", code=1)["error"] == "unknown_account"
    assert ask("account show ann")["posted"] == 100
    assert ask("verify")["ok"] is True


async def test_legacy_is_archived_once_nobody_lives_there(
    empty_database: str, heller_database: str, second_database: str, tmp_path: Path
) -> None:
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides:
        with pytest.raises(MigrationError, match="still at home"):
            await archive(empty_database, heller_database, tmp_path / "early")
        await sides.coordinator().hand_over(["1", "2"])
    shared = await archive(empty_database, heller_database, tmp_path / "shared", shared=True)
    assert (shared.read_only, shared.fenced) == (False, True)
    with psycopg.connect(empty_database) as connection:
        connection.execute("update users set name = 'y'")  # the rest of the application goes on
        with pytest.raises(psycopg.Error, match="owned by heller"):
            connection.execute("update users set credits_balance = 0")
    done = await archive(empty_database, heller_database, tmp_path / "late")
    assert done.read_only
    assert done.tables["public.users"] == 2
    with (
        psycopg.connect(empty_database) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("update users set name = 'x'")
    async with await psycopg.AsyncConnection.connect(second_database) as connection:
        await dump.run(
            "pg_restore", second_database, connection, ["--no-owner", str(tmp_path / "late" / "legacy.dump")]
        )
        restored = await (await connection.execute("select count(*) from users")).fetchone()
        assert restored == (2,)
        await connection.execute("drop schema heller_fence cascade")
    with pytest.raises(MigrationError, match="ever moved here"):
        await archive(second_database, heller_database, tmp_path / "other")


async def test_operations_run_as_a_login_of_the_application_role(heller_database: str) -> None:
    name = f"app_{uuid4().hex[:12]}"
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute(f"create role {name} login password 'x' in role heller_app")  # type: ignore[arg-type]
        try:
            parts: dict[str, Any] = conninfo_to_dict(heller_database) | {"user": name, "password": "x"}
            url = make_conninfo("", **parts)
            done = await worker.once(url)
            assert not [answer for answer in done.values() if str(answer).startswith("failed")]
            found = {item.name: item.state for item in await checklist.checklist(url)}
            assert (found["smoke"], found["documented"], found["monitoring"]) == ("ok", "ok", "open")
            async with await connect(url) as as_application:
                now = datetime.now(UTC)
                assert (await success.success(as_application, now - timedelta(days=1), now)).is_ok
            async with Heller.connect(url) as heller:
                await heller.open_account("ann", user="ann")
                assert (await heller.erase_user("ann", actor="ada"))["erased_at"]
        finally:
            connection.execute(f"drop role {name}")  # type: ignore[arg-type]
