"""The manual page heller(1), made from the commands themselves."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from heller.cli.manual import examples
from heller.cli.root import app

EXIT_CODES = {
    "0": "It is done.",
    "1": "It failed; the error says why, and what to do.",
    "2": "The command was not written right.",
    "3": "There are findings or mismatches.",
    "4": "A decision is needed first.",
    "5": "Something else has changed meanwhile; look again.",
    "130": "Interrupted. What was committed stays.",
}
FILES = {
    "heller-migration/": "What a migration leaves: findings, decisions, plan, backup, proof.",
    ".heller/postgres/": "The PostgreSQL of --embedded.",
}
COMMON = {
    "--database": "heller's own database, postgresql://user:password@host:5432/name; without it DATABASE_URL.",
    "--embedded": "heller's own PostgreSQL in this folder instead.",
    "--json": "The result as one JSON document.",
    "--dry-run": "Say what would happen and change nothing.",
    "--help": "What the command does, and all its options.",
}
SEE_ALSO = "psql(1), systemctl(1). The documentation is in docs/ of the source."


def man_page() -> str:
    """The page, in man(7)."""
    root: Any = get_command(app)
    lines = [
        f'.TH HELLER 1 "" "heller {version("heller")}" "heller"',
        ".SH NAME",
        "heller \\- prepaid credits on PostgreSQL, accounted to the last credit",
        ".SH SYNOPSIS",
        ".B heller",
        ".I NOUN VERB",
        "[options]",
        ".SH DESCRIPTION",
        _text(root.help.split("\n")[0]),
        "Data goes to standard output, talk to standard error. Most commands take",
        ".B \\-\\-json",
        "and find their database by",
        ".BR DATABASE_URL .",
        ".SH COMMON OPTIONS",
        *_list(COMMON),
        ".SH COMMANDS",
    ]
    for path, command in _commands((), root):
        lines += [f".SS {_text(' '.join(path))}", *_command(command)]
    lines += [
        ".SH EXIT STATUS",
        *_list(EXIT_CODES),
        ".SH FILES",
        *_list(FILES),
        ".SH SEE ALSO",
        _text(SEE_ALSO),
    ]
    return "\n".join(lines) + "\n"


def _commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name in command.list_commands(None):  # type: ignore[arg-type]  # needs no context
        yield from _commands((*path, name), command.get_command(None, name))  # type: ignore[arg-type]  # as above


def _command(command: Any) -> Iterator[str]:
    yield _text(" ".join((command.help or "").split()))
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield from (
                ".TP",
                f".I {_text(parameter.metavar or parameter.name.upper())}",
                _text(getattr(parameter, "help", None) or "."),
            )
        elif not COMMON.keys() & {*parameter.opts}:
            names = ", ".join((*parameter.opts, *parameter.secondary_opts))
            yield from (".TP", f".B {_text(names)}", _text(" ".join((parameter.help or ".").split())))
    for example in examples(command):
        yield from (".PP", "Example:", ".br", f".B {_text(example)}")
    yield from (".PP", _text(command.epilog.rpartition("\n")[2]))


def _list(items: dict[str, str]) -> Iterator[str]:
    for name, meaning in items.items():
        yield from (".TP", f".B {_text(name)}", _text(meaning))


def _text(text: str) -> str:
    """Plain text: nothing in it is a request or an escape."""
    text = re.sub(r"``([^`]*)``", r"\1", text).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text
