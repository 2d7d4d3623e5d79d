"""Every command's page of help: one line of what it does, an example that can be run, its exit codes, each option's meaning."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from heller.cli import main, root
from heller.cli.manual import examples

COLUMNS = 80
SECONDS_MAX = 5.0


def commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    if isinstance(command, TyperGroup):
        for name in command.list_commands(typer.Context(command)):
            yield from commands((*path, name), command.get_command(typer.Context(command), name))


ALL = {" ".join(path): command for path, command in commands(("heller",), get_command(root.app))}
GROUPS = {path: command for path, command in ALL.items() if isinstance(command, TyperGroup)}
LEAVES = {path: command for path, command in ALL.items() if path not in GROUPS}


def page(path: str) -> str:
    command = ALL[path]
    text: str = command.get_help(typer.Context(command, info_name=path, terminal_width=COLUMNS))
    return text


def test_all_pages_are_there_at_once() -> None:
    started = time.monotonic()
    assert len(LEAVES) > 100
    assert all(page(path) for path in ALL)
    assert time.monotonic() - started < SECONDS_MAX


@pytest.mark.parametrize("path", ALL)
def test_page_is_readable_at_eighty_columns(path: str) -> None:
    for line in page(path).splitlines():
        assert len(line) <= COLUMNS, line
        assert not re.search(r"[^\].]\.\.\.$", line), f"{path}: shorten the summary of {line.split()[0]}"


@pytest.mark.parametrize("path", ALL)
def test_every_option_says_what_it_is(path: str) -> None:
    for parameter in ALL[path].params:
        assert len(getattr(parameter, "help", None) or "") > 3, f"{path} {parameter.opts[0]}"


@pytest.mark.parametrize("path", LEAVES)
def test_page_has_a_summary_an_example_and_exit_codes(path: str) -> None:
    command = LEAVES[path]
    summary = command.help.splitlines()[0]
    assert re.match(r"^[A-Z].{8,}[.:]$", summary), summary
    assert "Exit codes: 0 done; 1 " in page(path).replace("\n  ", " ")
    assert not re.search(r"Exit \d", command.help), "written as its own line: Exit 3: ..."
    assert examples(command)


@pytest.mark.parametrize("path", LEAVES)
def test_example_is_understood(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere/heller")
    monkeypatch.setenv("LEGACY_DATABASE_URL", "postgresql://nowhere/legacy")
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:12111")
    for example in examples(LEAVES[path]):
        words = shlex.split(re.sub(r'^eval "\$\((.*)\)"$', r"\1", example))
        assert " ".join(words).startswith(f"{path} ") or words == path.split(), example
        given = words[len(path.split()) :]
        LEAVES[path].make_context(path, given)  # raises where an argument or an option is wrong


def test_negative_number_is_read_as_a_number() -> None:
    context = LEAVES["heller account adjust"].make_context("adjust", ["ann", "-5", "--reason", "x"])
    assert context.params["amount"] == -5


def test_first_page_lists_every_command_and_where_to_start() -> None:
    first = page("heller")
    for name in root.COMMANDS:
        assert re.search(rf"^  {name} +[A-Z'h]", first, flags=re.MULTILINE), name
    assert first.index("Start here") < first.index("Options:")
    for shown in re.findall(r"^    (?:eval \"\$\()?(heller(?: [a-z]+)+)", first, flags=re.MULTILINE):
        assert shown.strip() in LEAVES, shown


def test_line_of_the_first_page_is_the_one_of_the_command() -> None:
    for section in root.SECTIONS.values():
        for name, (_, summary) in section.items():
            assert ALL[f"heller {name}"].help.startswith(summary), name


def test_first_page_and_version_load_no_driver_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    for asked in ("--help", "--version", ""):
        code = "import sys; sys.argv = ['heller', *filter(None, [sys.argv[1]])]\nfrom heller.cli.main import run\ntry: run()\n"
        code += "except SystemExit as end: assert end.code == 0\nprint(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code, asked], capture_output=True, text=True, timeout=60, check=True
        )
        loaded = set(done.stdout.splitlines()[-1].split())
        assert not loaded & {"psycopg", "httpx", "structlog", "rich.console", "fastapi", "stripe", "asyncio"}


def test_nothing_asked_is_answered_with_the_first_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["heller"])
    with pytest.raises(SystemExit) as end:
        main.run()
    assert end.value.code == 0
    assert "Start here" in capsys.readouterr().out
