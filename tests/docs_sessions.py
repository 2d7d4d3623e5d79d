"""Reads what a page shows and runs it as a reader would: the same shell, the same order, the same files.

What a page may say:

- ``console`` blocks: lines from ``$ `` are commands, ``> `` goes on with one, everything else is what it prints
  (white space does not matter, ``...`` stands for anything). A comment ``# exit code 3`` says how it ends.
- a block whose first line is ``# name.toml`` (or ``# shop.py``) is a file of that name.
- other ``python`` blocks are programs that must end well and print what ``print(...)  # this`` says; ``sql`` blocks run on ``$DATABASE_URL``.
- ``<!-- not run: reason -->`` before a block: it cannot run here, and why.
- ``<!-- set up`` to ``-->``: a session that is run and not shown. ``<!-- needs: twin -->``: Stripe's stand-in.
"""

import ast
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

SECONDS_MAX = 120
_PARTS = re.compile(
    r"<!-- not run: (?P<reason>[^>]+?) -->\s*\n|<!-- set up\n(?P<hidden>.*?)-->|<!-- needs: (?P<needs>[^>]+?) -->"
    r"|^(?P<indent> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^ *```\s*?$",
    re.DOTALL | re.MULTILINE,
)
_FILE = re.compile(r"# ([\w.-]+\.(?:toml|py|json|yaml))\n")
_CODE = re.compile(r"#.*\bexit code (\d+)")


@dataclass
class Command:
    """One command of a session, what it should print and how it should end."""

    text: str
    expected: str = ""
    code: int = 0


@dataclass
class Page:
    """What a page shows, in its order."""

    steps: list[Command] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)


def read(text: str) -> Page:
    """The steps of a page."""
    page, reason = Page(), None
    for part in _PARTS.finditer(text):
        if part["reason"]:
            reason = part["reason"]
        elif part["needs"]:
            page.needs |= set(part["needs"].split())
        elif part["hidden"] is not None:
            page.steps += session(part["hidden"])
        else:
            _block(page, part["language"], _dedented(part["text"], len(part["indent"])), reason)
            reason = None
    return page


def _dedented(text: str, by: int) -> str:
    return "".join(line[by:] if line[:by].isspace() else line for line in text.splitlines(keepends=True))


def _block(page: Page, language: str, text: str, reason: str | None) -> None:
    steps = []
    if language in ("console", "bash", "sh"):
        steps = session(text)
        page.commands += [step.text for step in steps]
    elif name := _FILE.match(text):
        steps = [Command(f"cat > {name[1]} <<'END OF FILE'\n{text}END OF FILE")]
    elif language == "python":
        steps = [Command(f"python - <<'END OF PROGRAM'\n{text}END OF PROGRAM", _printed(text))]
    elif language == "sql":
        steps = [
            Command(f"psql --quiet -v ON_ERROR_STOP=1 \"$DATABASE_URL\" <<'END OF SQL'\n{text}END OF SQL")
        ]
    if reason is None:
        page.steps += steps
    elif steps:
        page.left_out.append((reason, text))
        if language == "python":
            ast.parse(text)  # a fragment is Python at least


def _printed(program: str) -> str:
    """What its ``print(...)  # lines`` say that they print."""
    return " ... ".join(re.findall(r"^\s*print\(.*\)  # (.+)$", program, flags=re.MULTILINE))


def session(block: str) -> list[Command]:
    """The commands of a console block."""
    steps: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Command(line[2:]))
        elif line.startswith("> ") and steps:
            steps[-1].text += "\n" + line[2:]
        elif line.strip() and steps:
            steps[-1].expected += line + "\n"
    for step in steps:
        if code := _CODE.search(step.text):
            step.code = int(code[1])
    return steps


def run(steps: list[Command], folder: Path, environment: dict[str, str]) -> None:
    """Run the steps in one shell; AssertionError names the first one that does otherwise than the page says."""
    marks = folder / ".marks"
    marks.mkdir()
    script = ["set -o pipefail"]
    for place, step in enumerate(steps):
        script.append(f"{{ {step.text}\n}} >{marks}/{place}.out 2>&1\necho $? >{marks}/{place}.code")
        script.append(f'[ "$(cat {marks}/{place}.code)" = {step.code} ] || exit 99')
    shell = subprocess.Popen(
        ["bash", "-c", "\n".join(script)],
        cwd=folder, env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        shell.wait(timeout=SECONDS_MAX)
    finally:
        _end(shell)
    for place, step in enumerate(steps):
        printed = _text(marks / f"{place}.out")
        ended = _text(marks / f"{place}.code").strip()
        assert ended == str(step.code), f"$ {step.text}\nexit code {ended}, not {step.code}:\n{printed}"
        if step.expected:
            assert _pattern(step.expected).search(_flat(printed)), (
                f"$ {step.text}\nprints:\n{printed}\nthe page says:\n{step.expected}"
            )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else "(not reached)"


def _end(shell: subprocess.Popen[str]) -> None:
    """End the shell and what it left in the background."""
    subprocess.run(["kill", "-TERM", "--", f"-{shell.pid}"], check=False, capture_output=True)
    try:
        shell.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        subprocess.run(["kill", "-KILL", "--", f"-{shell.pid}"], check=False, capture_output=True)
        shell.communicate()


def _flat(text: str) -> str:
    return " ".join(re.sub(r"[─━│┃┏┓┗┛┡┩└┘├┤┬┴┼╇╈╞╡╪═]+", " ", text).split())


def _pattern(expected: str) -> re.Pattern[str]:
    pieces = (re.escape(_flat(piece)) for piece in expected.split("..."))
    return re.compile(r"\s*.*?\s*".join(pieces), re.DOTALL)
