"""The command line as a person and a program meet it: real processes, a real database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heller.cli.options import with_directory


def heller(
    *arguments: str, database: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "LEGACY_DATABASE_URL"}
    }
    if database:
        environment["DATABASE_URL"] = database
    return subprocess.run(
        [sys.executable, "-m", "heller.cli.main", *arguments],
        capture_output=True, text=True, env=environment, cwd=cwd, timeout=120, check=False,
    )  # fmt: skip


def answer(*arguments: str, database: str, code: int = 0) -> Any:
    done = heller(*arguments, "--json", database=database)
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_account_commands_change_and_show_an_account(heller_database: str) -> None:
    answer("account", "open", "u1", "--email", "Ada@Example.org", database=heller_database)
    assert (
        answer(
            "account", "grant", "u1", "100", "--reason", "welcome", "--key", "k", database=heller_database
        )["seq"]
        == 1
    )
    again = answer(
        "account", "grant", "u1", "100", "--reason", "welcome", "--key", "k", database=heller_database
    )
    assert again["replayed"] is True
    spent = answer(
        "account", "spend", "ada@example.org", "30", "--reason", "job analysis", database=heller_database
    )
    assert (spent["balance_before"], spent["balance_after"]) == (100, 70)
    answer("account", "adjust", "u1", "-5", "--reason", "mistake", database=heller_database)
    answer(
        "account", "refund", "u1", "2", "--amount", "10", "--reason", "poor result", database=heller_database
    )
    answer("account", "open", "u2", database=heller_database)
    answer("account", "transfer", "u1", "25", "--to", "u2", "--reason", "gift", database=heller_database)
    shown = answer("account", "show", "ADA@example.org", database=heller_database)
    assert (shown["account"], shown["posted"], shown["held"], shown["available"]) == ("u1", 50, 0, 50)
    assert [(t["seq"], t["delta"], t["kind"]) for t in shown["transactions"]] == [
        (1, 100, "grant"), (2, -30, "spend"), (3, -5, "adjust"), (4, 10, "refund"), (5, -25, "transfer"),
    ]  # fmt: skip
    assert answer("verify", database=heller_database)["ok"] is True


def test_dry_run_says_what_would_happen_and_changes_nothing(heller_database: str) -> None:
    answer("account", "open", "u1", database=heller_database)
    would = answer("account", "grant", "u1", "5", "--reason", "x", "--dry-run", database=heller_database)
    assert (would["balance_after"], would["dry_run"]) == (5, True)
    assert answer("account", "show", "u1", database=heller_database)["transactions"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("account", "spend", "u1", "999", "--reason", "x"), 1, "insufficient_credits"),
        (("account", "spend", "nobody", "1", "--reason", "x"), 1, "unknown_account"),
        (("account", "spend", "u1", "0", "--reason", "x"), 2, "invalid_argument"),
        (("account", "grant", "u1", "99999999999999999999", "--reason", "x"), 2, "invalid_argument"),
        (("account", "grant", "u1", "7", "--reason", "other", "--key", "taken"), 5, "idempotency_conflict"),
    ],
)
def test_refusals_have_a_code_a_message_and_a_hint(
    heller_database: str, arguments: tuple[str, ...], code: int, error: str
) -> None:
    answer("account", "open", "u1", database=heller_database)
    answer("account", "grant", "u1", "5", "--reason", "x", "--key", "taken", database=heller_database)
    refused = answer(*arguments, database=heller_database, code=code)
    assert refused["error"] == error
    assert refused["message"]
    assert answer("account", "show", "u1", database=heller_database)["posted"] == 5


def test_command_without_a_database_says_how_to_name_one(tmp_path: Path) -> None:
    done = heller("verify", cwd=tmp_path)
    assert done.returncode == 2
    assert "--database" in done.stderr
    assert done.stdout == ""


def test_database_without_schema_says_what_to_run(empty_database: str) -> None:
    done = heller("account", "show", "u1", database=empty_database)
    assert done.returncode == 1
    assert "heller schema apply" in done.stderr


def test_schema_apply_then_verify(empty_database: str) -> None:
    planned = answer("schema", "plan", database=empty_database)
    assert planned["migrations"][0] == "migrations/0001_ledger.sql"
    assert answer("schema", "apply", database=empty_database) == planned
    assert answer("schema", "apply", database=empty_database) == {"migrations": [], "objects": []}
    assert answer("schema", "verify", database=empty_database) == {"ok": True, "problems": []}


def test_doctor_finds_a_missing_schema(empty_database: str) -> None:
    found = answer("doctor", database=empty_database, code=1)
    assert [check["name"] for check in found["checks"] if check["status"] == "failed"] == ["schema"]


def test_embedded_without_a_folder_uses_the_default_one(tmp_path: Path) -> None:
    done = heller("account", "open", "u1", "--embedded", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".heller" / "postgres").is_dir()
    shown = heller("account", "show", "u1", "--json", "--embedded", cwd=tmp_path)
    assert json.loads(shown.stdout)["account"] == "u1"


def test_option_without_value_is_completed_only_where_none_follows() -> None:
    assert with_directory(["verify", "--embedded"]) == ["verify", "--embedded", ".heller/postgres"]
    assert with_directory(["verify", "--embedded", "--json"]) == [
        "verify",
        "--embedded",
        ".heller/postgres",
        "--json",
    ]
    assert with_directory(["verify", "--embedded", "here"]) == ["verify", "--embedded", "here"]
