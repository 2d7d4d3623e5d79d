"""However a command ends badly, it is one sentence, one JSON document with --json, and nothing that opens a door."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
import typer
from psycopg import sql
from typer.core import TyperGroup
from typer.main import get_command

from heller.cli import main, root
from heller.cli.manual import examples

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

PASSWORD = "geheim-4711"  # noqa: S105 - made up
NOBODY = f"postgresql://heller:{PASSWORD}@127.0.0.1:1/heller"
STAYS = {"sample app", "serve", "worker", "demo", "demo-stop", "embedded start", "embedded stop"}
ASKS_SOMETHING_ELSE_FIRST = {
    "migrate restore-check",
    "migrate archive",
    "migrate proof",
    "doctor",
    "rollout alert",
    "restore",
}
MAKES_THE_SCHEMA = {"schema apply", "migrate copy", "migrate run"}

Run = Callable[..., tuple[int, str, str]]


def leaves(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, list[str]]]:
    if isinstance(command, TyperGroup):
        for name in command.list_commands(typer.Context(command)):
            yield from leaves((*path, name), command.get_command(typer.Context(command), name))
    elif " ".join(path) not in STAYS:
        yield " ".join(path), shlex.split(examples(command)[0])[1:]


CALLS = dict(leaves((), get_command(root.app)))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """One command in this process, in a folder of its own: its exit code, output and talk."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gifts.csv").write_text("account,amount,reason\nann,1,gift\n", encoding="utf-8")
    for name, value in {
        "STRIPE_MODE": "test", "STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_API_BASE": "http://127.0.0.1:1",
        "LEGACY_DATABASE_URL": NOBODY,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def call(*words: str, database: str) -> tuple[int, str, str]:
        monkeypatch.setenv("DATABASE_URL", database)
        given = [re.sub(r"^\$\w+$", NOBODY, word) for word in words]
        monkeypatch.setattr(sys, "argv", ["heller", *given])
        with pytest.raises(SystemExit) as end:
            main.run()
        said = capsys.readouterr()
        return int(str(end.value.code)), said.out, said.err

    return call


def problems(
    run: Run, calls: Iterable[str], *more: str, database: str, expects: Callable[[int, Any], object]
) -> dict[str, Any]:
    """What is wrong with how these commands end, by command; ``expects`` takes the exit code and the JSON."""
    found: dict[str, Any] = {}
    for path in calls:
        code, out, err = run(*CALLS[path], "--json", *more, database=database)
        try:
            told = json.loads(out)
        except ValueError:
            found[path] = out + err
            continue
        secrets = [word for word in (PASSWORD, "sk_test_x") if word in out + err]
        if secrets or "Traceback" in err or "a fault in heller" in out or not expects(code, told):
            found[path] = code, told, err
    return found


def test_every_unreachable_database_is_told_as_json(run: Run) -> None:
    def expects(code: int, told: Any) -> object:
        return code == 1 and told["error"] == "database_unavailable" and "URL" in told["hint"]

    assert len(CALLS) > 100
    assert problems(run, CALLS.keys() - ASKS_SOMETHING_ELSE_FIRST, database=NOBODY, expects=expects) == {}


def test_every_unknown_option_is_told_as_json(run: Run) -> None:
    def expects(code: int, told: Any) -> object:
        return (code, told["error"]) == (2, "usage") and "--no-such-thing" in told["message"] and told["hint"]

    assert problems(run, CALLS, "--no-such-thing", database=NOBODY, expects=expects) == {}


def test_every_missing_schema_is_told_as_json(run: Run, empty_database: str) -> None:
    def expects(code: int, told: Any) -> object:
        return code in {0, 1, 3} and (code or not isinstance(told, dict) or told.get("ok", True))

    calls = CALLS.keys() - MAKES_THE_SCHEMA - ASKS_SOMETHING_ELSE_FIRST
    assert problems(run, calls, database=empty_database, expects=expects) == {}


@pytest.fixture
def stranger(heller_database: str) -> Iterator[str]:
    """The URL of a role that may connect, and nothing else."""
    name = f"stranger_{uuid4().hex[:12]}"
    parts = urlsplit(heller_database)
    with psycopg.connect(heller_database, autocommit=True) as owner:
        role = sql.Identifier(name)
        owner.execute(sql.SQL("create role {} login password {}").format(role, PASSWORD))
        yield parts._replace(netloc=f"{name}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()
        owner.execute(sql.SQL("drop role {}").format(role))


def test_every_missing_right_is_told_as_json(run: Run, stranger: str) -> None:
    def expects(code: int, told: Any) -> object:
        return code == 1 and told["error"] == "permission_missing" and told["hint"]

    calls = {
        path
        for path in CALLS.keys() - ASKS_SOMETHING_ELSE_FIRST
        if not re.match("migrate|sample|rollout evaluate", path)
    }
    assert problems(run, calls, database=stranger, expects=expects) == {}


@pytest.fixture(scope="module")
def unchanged(heller_template: str, clone: Callable[[str], AbstractContextManager[str]]) -> Iterator[str]:
    """The URL of a database with the schema, for commands that change nothing."""
    with clone(heller_template) as url:
        yield url


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("account", "spend", "ann", "1.5", "--reason", "x"), "'1.5' is no whole number."),
        (("account", "show", "ann", "--limit", "0"), "0 is too small; the least is 1."),
        (("migrate", "plan", "--truth", "x"), "'x' is not one of 'balance', 'transactions', 'ledger'."),
        (("account", "adjust", "ann", "5", "--raeson", "x"), "No such option: --raeson"),
        (("acount",), "Did you mean 'account'?"),
        (("stripe", "deliveries", "list", "--status", "foo"), "'foo' is not one of 'pending', "),
        (("stripe", "deliveries", "retry", "4"), "There is no delivery 4."),
        (("sample", "traffic", "--app", "foo"), "--app foo is no URL."),
        (("migrate", "proof", "--check", "/dev/null"), "/dev/null is no proof: "),
        (("account", "history", "ann", "--kind", "gift"), "There is no kind gift."),
        (("account", "show", "a\udcffb"), "no valid text in UTF-8"),
        (("account", "show", "a\x00b"), "contains a NUL character"),
    ],
)
def test_wrong_word_is_shown_with_what_was_expected(
    run: Run, unchanged: str, words: tuple[str, ...], says: str
) -> None:
    code, out, _ = run(*words, "--json", database=unchanged)
    assert code == 2
    assert says in json.loads(out)["message"]


def heller(command: str, *, database: str = NOBODY, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as a shell runs it, with what the shell does to its streams."""
    program = f"{shlex.quote(sys.executable)} -m heller.cli.main"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("heller", program, 1)],
        capture_output=True, text=True, errors="replace", timeout=60, check=False,
        env=os.environ | {"DATABASE_URL": database} | environment,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("heller --help >&-", 0, ""),
        ("heller account spend --help | true", 1, ""),
        ("heller account show ann --json | true", 1, ""),
        ("heller --version >/dev/full", 1, "No space left on device"),
        ("heller account show ann --json >/dev/full", 1, "The output could not be written"),
        ("heller account show ann 2>&-", 1, ""),
        ("heller user erase ann --confirm ann <&-", 1, "cannot be reached"),
    ],
)
def test_stream_that_is_closed_or_full_is_no_traceback(command: str, code: int, says: str) -> None:
    done = heller(command)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert says in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_interruption_while_loading_says_how_to_go_on() -> None:
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in the background deaf to it
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "heller.cli.root": os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Slow())
sys.argv = ["heller", "verify", "--database", sys.argv[1]]
from heller.cli.main import run
run()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, NOBODY], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.endswith(
        "To go on: heller verify --database postgresql://heller:...@127.0.0.1:1/heller\n"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}], ids=str
)
def test_any_letter_is_printed_in_any_locale(heller_database: str, environment: dict[str, str]) -> None:
    opened = heller("heller account open Jürgen-Łukasz --json", database=heller_database, **environment)
    assert json.loads(opened.stdout)["account"] == "Jürgen-Łukasz", opened.stderr
    shown = heller("heller account show Jürgen-Łukasz", database=heller_database, **environment)
    assert (shown.returncode, shown.stdout[0]) == (0, "J"), shown.stderr


def test_draft_of_a_mapping_is_never_written_over_silently(run: Run, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text("corrected = true\n")
    code, out, _ = run("migrate", "map", "--json", database=NOBODY)
    assert (code, mapping.read_text()) == (2, "corrected = true\n")
    assert "--replace" in json.loads(out)["hint"]
    assert (
        json.loads(run("migrate", "map", "--replace", "--json", database=NOBODY)[1])["error"]
        == "database_unavailable"
    )


def test_error_that_nobody_foresaw_is_told_without_its_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(*_: object, **__: object) -> None:
        raise ZeroDivisionError(f"at {NOBODY}")

    monkeypatch.setattr("heller.cli.options.answers", fall)
    code, out, err = run("sample", "legacy", NOBODY, "--json", database=NOBODY)
    told = json.loads(out)
    assert (code, told["error"]) == (1, "error")
    assert (
        told["message"]
        == "This is a fault in heller: ZeroDivisionError: at postgresql://heller:...@127.0.0.1:1/heller"
    )
    assert PASSWORD not in out + err
    assert "HELLER_TRACEBACK" in told["hint"]


def test_serve_without_schema_or_port_says_so_before_it_starts(
    run: Run, empty_database: str, heller_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRIPE_SECRET_KEY")
    code, out, err = run("serve", "--port", "0", database=empty_database)
    assert (code, out) == (1, "")
    assert "heller schema apply" in err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, err = run("serve", "--port", port, database=heller_database)
    assert (code, out) == (2, "")
    assert f"Port {port} of 127.0.0.1 cannot be had: Address already in use." in err


def test_stripe_that_cannot_be_reached_is_told_without_its_makers_address(
    run: Run, heller_database: str
) -> None:
    """And without the secrets of webhooks, which these commands do not take."""
    for words in (("reconcile",), ("prices", "sync"), ("replay", "--payment", "pi_1"), ("doctor",)):
        code, out, err = run("stripe", *words, "--json", database=heller_database)
        said = out + err
        assert code == 1, said
        assert "Stripe cannot be reached (" in said
        assert "support@" not in said
