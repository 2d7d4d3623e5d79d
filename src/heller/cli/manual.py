"""What every page of help ends with: an example, and the exit codes.

A command writes them as the last lines of its docstring::

    Example: heller account spend ann 10 --reason "job analysis"
    Exit 3: something differs.

The codes that all commands have are added here. The examples are parsed, and the pages measured, by a test.
"""

import re
from typing import Any

from typer.core import TyperGroup

from heller.cli.arguments import with_negative_numbers

_EXAMPLE = re.compile(r"^Example: (.+)$", re.MULTILINE)
_EXIT = re.compile(r"^Exit (\d): (.+?)\.?$", re.MULTILINE)
_ALL = {0: "done", 1: "failed", 2: "not written right"}
_WITH_DATABASE = {5: "something else was in the way: look, then again"}


def completed(command: Any) -> Any:
    """The command with its example and exit codes under its help, reading what we read; of a group, each of its commands."""
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            completed(each)
        return command
    if command.epilog is None:
        with_negative_numbers(command)
        command.epilog = _ending(command)
        command.help = _EXIT.sub("", _EXAMPLE.sub("", command.help or "")).strip()
    return command


def examples(command: Any) -> list[str]:
    """The examples of a completed command."""
    return [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]


def _ending(command: Any) -> str:
    """Lines that are not wrapped: each begins with the mark for that, or an example would be broken in two."""
    text = command.help or ""
    codes = dict(_ALL)
    if any("--database" in parameter.opts for parameter in command.params):
        codes |= _WITH_DATABASE
    codes |= {int(code): meaning for code, meaning in _EXIT.findall(text)}
    said = "; ".join(f"{code} {meaning}" for code, meaning in sorted(codes.items()))
    shown = "".join(f"  {example}\n" for example in _EXAMPLE.findall(text))
    return f"\b\nExample:\n{shown}\nExit codes: {said}."
