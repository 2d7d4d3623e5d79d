"""Every command that a page shows, run as it stands there; every link and every command's name is looked up."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import docs_sessions as sessions
import stripe_twin
from docs_forked import CLIENT, CURL
from heller import embedded
from heller.cli import options
from heller.cli.root import app

ROOT = Path(__file__).parents[2]
GENERATED = {"reference"}
PAGES = [ROOT / "README.md", *ROOT.glob("README.*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.parent.name not in GENERATED and "_build" not in page.parts]
TRANSLATED = {
    ROOT / "README.de.md": ROOT / "README.md",
    ROOT / "docs/de/tutorial.md": ROOT / "docs/tutorial.md",
    ROOT / "docs/de/handover-day.md": ROOT / "docs/how-to/handover-day.md",
}
"""The sessions of a translation are those of its original, which is run."""
READ = {page: sessions.read(page.read_text(encoding="utf-8")) for page in PAGES}
ALL = [*PAGES, *(ROOT / "src").rglob("*.md")]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for PATH: heller (forked, so that it starts at once), python, and PostgreSQL's programs."""
    folder = tmp_path_factory.mktemp("bin")
    address = folder / "heller.socket"
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "docs_forked.py"), str(address)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stdin is not None
    assert server.stdout.readline() == b"ready\n"
    (folder / "heller").write_text(CLIENT.format(python=sys.executable, path=str(address)))
    (folder / "heller").chmod(0o755)
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    if shutil.which("curl") is None:
        (folder / "curl").write_text(CURL.format(python=sys.executable))
        (folder / "curl").chmod(0o755)
    for program in ("psql", "pg_dump", "pg_restore", "createdb"):
        (folder / program).symlink_to(embedded.program(program))
    yield folder
    server.stdin.close()
    server.wait(timeout=20)
    server.stdout.close()


@pytest.fixture
def twin() -> Iterator[stripe_twin.Twin]:
    with stripe_twin.running() as running:
        yield running


@pytest.mark.parametrize("page", [p for p in PAGES if READ[p].steps and p not in TRANSLATED], ids=name)
def test_what_a_page_shows_works(
    page: Path, programs: Path, empty_database: str, heller_database: str, tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "USER": "ann", "LANG": "C.UTF-8",
        "COLUMNS": "160", "DATABASE_URL": heller_database, "LEGACY_DATABASE_URL": empty_database,
    }  # fmt: skip
    if "twin" in READ[page].needs:
        stand_in: stripe_twin.Twin = request.getfixturevalue("twin")
        environment |= {"STRIPE_API_BASE": stand_in.url}
    try:
        sessions.run(READ[page].steps, tmp_path, environment)
    finally:
        if (tmp_path / options.DEFAULT_DIRECTORY).exists():
            embedded.stop(tmp_path / options.DEFAULT_DIRECTORY)


def gist(command: str) -> list[str]:
    """What a command is, whatever the language of its reasons and names: its verb and its options."""
    noun, verb = get_command(app), []
    words = shlex.split(command, comments=True)[1:]
    while words and hasattr(noun, "get_command"):
        verb.append(words.pop(0))
        noun = noun.get_command(typer.Context(noun), verb[-1])
    return verb + [word for word in words if word.startswith("--")]


@pytest.mark.parametrize(("page", "original"), TRANSLATED.items(), ids=lambda path: path.name)
def test_a_translation_shows_the_sessions_of_its_original(page: Path, original: Path) -> None:
    there = iter(step for step in READ[original].steps if step.text.startswith("heller "))
    shown = [step for step in READ[page].steps if step.text.startswith("heller ")]
    assert len(shown) >= 5
    for step in shown:
        same = next((s for s in there if (gist(s.text), s.code) == (gist(step.text), step.code)), None)
        assert same is not None, f"{step.text} is not in {original.name}, or not in this place"


def test_pages_show_something_to_run() -> None:
    assert sum(len(page.steps) for page in READ.values()) > 5


def test_what_is_not_run_says_why() -> None:
    for page in READ.values():
        for reason, _ in page.left_out:
            assert len(reason) > 10, reason


@pytest.mark.parametrize("page", ALL, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / link).exists(), link


def spoken(text: str) -> Iterator[list[str]]:
    """Every ``heller ...`` that a page names, in a session or in a sentence."""
    text = re.sub(r"\\\n>? *", " ", text)
    shown = [line for line in text.splitlines() if line.startswith(("$ ", "> "))]
    spans = re.findall(r"`(heller [^`\n]+)`", text)
    for found in re.findall(
        r"(?:^|[$>|;&(] ?)heller ([a-z][^`\n|;&#)]*)", "\n".join([*shown, *spans]), flags=re.MULTILINE
    ):
        yield re.split(r"\s+", found.strip())


@pytest.mark.parametrize("page", ALL, ids=name)
def test_commands_and_options_that_a_page_names_exist(page: Path) -> None:
    for words in spoken(page.read_text(encoding="utf-8")):
        command, path = get_command(app), ["heller"]
        while words and hasattr(command, "get_command"):
            if not re.fullmatch(r"[a-z]+(?:-[a-z]+)*", words[0]):
                break
            path.append(words[0])
            command = command.get_command(typer.Context(command), words.pop(0))
            assert command is not None, " ".join(path)
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        for word in words:
            option = word.split("=")[0].strip(",.[]")
            assert not re.fullmatch(r"--[a-z][a-z-]+", option) or option in known | {"--help"}, (path, option)


def test_make_targets_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"[`$] ?make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), (page, target)


def test_the_check_sees_a_wrong_output_a_wrong_code_and_a_wrong_option(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    for text in ("$ echo one\ntwo", "$ false", "$ true  # exit code 3", "$ printf 'a\\nb'\na ... c"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        with pytest.raises(AssertionError):
            sessions.run(sessions.session(text), folder, environment)
    good = tmp_path / "good"
    good.mkdir()
    sessions.run(
        sessions.session("$ printf 'one\\ntwo three'\none ... three\n$ (exit 3)  # exit code 3"),
        good,
        environment,
    )
    assert list(spoken("`heller verify --nonsense`")) == [["verify", "--nonsense"]]
    assert shutil.which("bash")
