"""Write docs/reference from the code: command line, SQL, errors. ``--check`` fails where a page is not current."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperGroup
from typer.main import get_command

from heller import errors
from heller.cli.main import app, exit_code
from heller.schema import files

REFERENCE = Path(__file__).parent / "reference"


def command_line() -> str:
    """Every command with its help, as a stranger reads it."""
    root = get_command(app)
    lines = ["# Command line", "", "Generated from the code by `make docs`.", ""]
    for path, command in _walk(("heller",), root):
        context = typer.Context(command, info_name=" ".join(path), terminal_width=100)
        lines += [f"## {' '.join(path)}", "", "```text", _plain(command.get_help(context)), "```", ""]
    return "\n".join(lines)


def _walk(
    path: tuple[str, ...], command: object
) -> Iterator[tuple[tuple[str, ...], typer.core.TyperCommand]]:
    yield path, command  # type: ignore[misc]  # a group is a command
    if isinstance(command, TyperGroup):
        for name in sorted(command.list_commands(None)):  # type: ignore[arg-type]  # needs no context
            yield from _walk((*path, name), command.get_command(None, name))  # type: ignore[arg-type]  # as above


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()).strip()


def sql() -> str:
    """The public functions and views, with their comments."""
    lines = [
        "# SQL",
        "",
        "Generated from the code by `make docs`. Each function may be called inside your own transaction.",
        "",
    ]
    for folder in ("functions", "views"):
        lines += [f"## {folder.capitalize()}", ""]
        for file in files(folder):
            for what, name, comment in re.findall(
                r"comment on (function|view) heller\.([a-z]\w*(?:\([^)]*\))?) is\s*'((?:[^']|'')*)'",
                file.text,
            ):
                if what == folder.removesuffix("s"):
                    lines += [f"`{name}`", f": {comment.replace(chr(39) * 2, chr(39))}", ""]
    return "\n".join(lines)


def error_table() -> str:
    """Every error: its stable code, meaning, and the exit code of the command line."""
    lines = [
        "# Errors",
        "",
        "Generated from the code by `make docs`.",
        "",
        "| error | code | exit | meaning |",
        "|---|---|---|---|",
    ]
    for kind in _errors(errors.HellerError):
        meaning = (kind.__doc__ or "").strip().splitlines()[0]
        lines.append(f"| `{kind.__name__}` | `{kind.code}` | {exit_code(kind('x'))} | {meaning} |")
    return "\n".join([*lines, ""])


def _errors(kind: type[errors.HellerError]) -> Iterator[type[errors.HellerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _errors(child)


def main() -> int:
    """Write the pages, or compare them."""
    is_check = "--check" in sys.argv
    stale = []
    for name, text in (("cli.md", command_line()), ("sql.md", sql()), ("errors.md", error_table())):
        path = REFERENCE / name
        if is_check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not is_check:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.stderr.write(f"docs/reference is not current: {', '.join(stale)}. Run 'make docs'.\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
