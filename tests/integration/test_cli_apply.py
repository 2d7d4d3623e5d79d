"""``heller account apply``: the operations of a file, each once."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heller.cli import main

Apply = Callable[..., Any]


@pytest.fixture
def run(heller_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Apply:
    """Run a command in this process; its JSON, or its text with ``as_json=False``."""
    monkeypatch.setenv("DATABASE_URL", heller_database)

    def command(*words: str, code: int = 0, as_json: bool = True) -> Any:
        monkeypatch.setattr(sys, "argv", ["heller", "account", *words, *(["--json"] if as_json else [])])
        ended = 0
        try:
            main.run()
        except SystemExit as end:
            ended = int(end.code or 0)
        said = capsys.readouterr()
        assert ended == code, (words, said.out, said.err)
        return json.loads(said.out) if as_json else said.out

    for account in ("ann", "bob"):
        command("open", account, "--email", f"{account}@example.org")
    return command


def available(run: Apply, account: str) -> int:
    found: int = run("show", account)["available"]
    return found


GIFT = ("--set", "verb=grant", "--set", "amount=50", "--set", "reason=beta, with thanks", "--key", "beta")


def test_a_list_of_people_gets_a_gift_once(run: Apply, tmp_path: Path) -> None:
    file = tmp_path / "testers.csv"
    file.write_text('account,amount,expires_at\nann@example.org,,\n"bob",70,2999-01-01\nzoe,,\n', "utf-8-sig")
    would = run("apply", str(file), *GIFT, "--dry-run", code=3)
    assert (would["done"], would["delta"], would["dry_run"]) == (2, 120, True)
    assert available(run, "ann") == 0

    first = run("apply", str(file), *GIFT, "--actor", "eva", code=3)
    (zoe,) = first.pop("refused")
    assert first == {"lines": 3, "done": 2, "known_already": 0, "delta": 120, "dry_run": False}
    assert (zoe["line"], zoe["account"], zoe["error"]) == (4, "zoe", "unknown_account")

    run("open", "zoe")
    again = run("apply", str(file), *GIFT, "--actor", "eva")
    assert (again["done"], again["known_already"], again["delta"], again["refused"]) == (1, 2, 50, [])
    assert [available(run, account) for account in ("ann", "bob", "zoe")] == [50, 70, 50]
    (gift,) = run("history", "bob")
    assert (gift["key"], gift["actor"], gift["reason"]) == ("beta:bob", "eva", "beta, with thanks")
    assert run("grants", "bob")[0]["expires_at"].startswith("2999-01-01T00:00:00")
    assert run("grants", "ann")[0].get("expires_at") is None


def test_json_lines_from_standard_input_with_any_verb(run: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"verb": "open_account", "account": "new"},
        {"verb": "grant", "account": "ann", "amount": 10, "key": "g", "metadata": {"ticket": "7\u2028"}},
        {"verb": "spend", "account": "ann", "amount": 4, "key": "s1"},
        {"verb": "spend", "account": "ann", "amount": 99, "key": "s2"},
        {"verb": "grant", "account": "bob", "amount": 5, "key": "g", "colour": "red"},
    ]
    text = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), "utf-8"))
    said = run("apply", "-", code=3, as_json=False)
    assert "5 lines: 3 done (+6 credits), 0 known already, 2 refused" in said
    assert "grant takes no colour" in said and "99" in said  # noqa: PT018  # the two refusals
    assert [available(run, account) for account in ("ann", "bob", "new")] == [6, 0, 0]


WRONG: list[tuple[str | bytes, tuple[str, ...], str]] = [
    ("account,amount\nann,5\n", (), "Line 2 has no key"),
    ("account,amount\nann,5\nann@example.org,5\n", ("--key", "x"), "Lines 2 and 3"),
    ("account,amount\nann,5.5\n", ("--key", "x"), "Line 2: amount is 5.5"),
    ("account,amount\nann\n", ("--key", "x"), "Line 2 has not as many cells"),
    ("user,amount\nann,5\n", ("--key", "x"), "one of them account"),
    ("account,amount\n,5\n", ("--key", "x"), "Line 2 has no account"),
    ("account,expires_at\nann,soon\n", ("--key", "x"), "soon is neither"),
    ('account,metadata\nann,{"a\n', ("--key", "x"), "Line 2"),
    ('{"account": "ann"\n', (), "Line 1 is not JSON"),
    ("account\nann\n", ("--set", "verb"), "--set verb"),
    ("account\n", ("--key", "x"), "no line"),
    (b"account\nan\xff\n", ("--key", "x"), "not UTF-8"),
]


def test_a_file_that_is_not_right_is_refused_whole(run: Apply, tmp_path: Path) -> None:
    file = tmp_path / "file"
    for text, more, said in WRONG:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        refused = run("apply", str(file), "--set", "verb=grant", *more, code=2)
        assert (refused["error"], said in refused["message"]) == ("invalid_argument", True), refused
    assert "cannot be read" in run("apply", str(tmp_path / "none"), code=2)["message"]
    assert available(run, "ann") == 0
