"""How commands speak: words to people, lines to programs, names of who did what."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg
import pytest

from heller.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

Say = Callable[..., tuple[str, str]]


@pytest.fixture
def say(heller_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in this process; what it printed, and what it said beside."""
    monkeypatch.setenv("DATABASE_URL", heller_database)
    monkeypatch.setenv("USER", "ida")
    for name in ("LEGACY_DATABASE_URL", "STRIPE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(line: str, *more: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["heller", *line.split(), *more])
        with pytest.raises(SystemExit) as end:
            main.run()
        said = capsys.readouterr()
        assert end.value.code == code, said.out + said.err
        return said.out, said.err

    return run


def test_first_look_at_events_says_what_it_waits_for(say: Say) -> None:
    say("account open u1")
    say("account grant u1 5 --reason x")
    out, err = say("events list")
    assert out.split() == ["id", "recorded", "(UTC)", "type", "delta", "reason"]
    assert "No event can be shown yet" in err
    assert "heller worker" in err
    deadline = time.monotonic() + 30
    while (
        "transaction.grant" not in out and time.monotonic() < deadline
    ):  # a second, and whoever still writes
        time.sleep(0.2)
        out, err = say("events list")
    assert "transaction.grant" in out
    assert "No event can be shown yet" not in err


def test_who_did_it_is_the_user_of_the_machine_unless_said(say: Say, heller_database: str) -> None:
    say("account open u1")
    assert json.loads(say("account grant u1 5 --reason x --json")[0])["actor"] == "ida"
    assert json.loads(say("account grant u1 5 --reason x --actor ben --json")[0])["actor"] == "ben"
    say("account freeze u1 --reason", "card stolen")
    say("account unfreeze u1 --actor ben --reason", "a mistake")
    say("account unfreeze nobody", code=1)
    with psycopg.connect(heller_database) as connection:
        told = connection.execute(
            "select action, target, actor, via, detail from heller.audit_log order by entry"
        )
        assert told.fetchall() == [
            ("account.freeze", "u1", "ida", "command_line", {"unit": "credit", "reason": "card stolen"}),
            ("account.unfreeze", "u1", "ben", "command_line", {"unit": "credit", "reason": "a mistake"}),
        ]


def test_one_round_of_the_worker_is_told_in_words(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = say("worker --once")
    assert not set("{}[]'") & set(out)
    assert {line.split("  ")[0] for line in out.splitlines()} >= {
        "job",
        "due",
        "alerts",
        "events out",
        "anchor",
    }
    monkeypatch.setenv("LEGACY_DATABASE_URL", "postgresql://heller:hunter2@127.0.0.1:1/legacy")
    out, err = say("worker --once", code=1)
    assert "failed: The database cannot be reached" in out
    assert "hunter2" not in out + err


def test_worker_prints_each_job_as_a_line_of_json(heller_database: str) -> None:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("STRIPE", "LEGACY"))}
    command = [sys.executable, "-m", "heller.cli.main", "worker", "--json", "--database", heller_database]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as worker:
        assert worker.stdout is not None
        lines = [json.loads(worker.stdout.readline()) for _ in range(3)]
        worker.send_signal(signal.SIGTERM)
        _, err = worker.communicate(timeout=30)
    assert worker.returncode == 0, err
    assert {line["job"] for line in lines} <= {"due", "alerts", "events out", "anchor", "forget"}
    assert all(line["at"] and "done" in line for line in lines)
    assert all(json.loads(line)["event"] for line in err.splitlines())  # the logs are JSON as well


def test_values_are_printed_as_people_write_them(say: Say) -> None:
    say("account open u1")
    out, _ = say("user erase u1 --dry-run")
    assert "['u1']" not in out
    assert "None" not in out
    assert any(line.split() == ["accounts", "u1"] for line in out.splitlines())
    assert say("account history u1 --kind refund")[1] == "None.\n"
    assert re.search(
        r"^opened_at +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC *$", say("account open u1")[0], flags=re.MULTILINE
    )
