"""Write docs/reference from the code and the measurements. ``--check`` fails where a page is not current."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from library_page import library_page
from man_page import man_page
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from typer.core import TyperGroup
from typer.main import get_command

from heller import errors, metrics
from heller.cli.ending import exit_code
from heller.cli.root import app
from heller.database import REFUSALS
from heller.schema import files
from heller.settings import Settings
from heller.stripe import settings as stripe
from heller.web.app import create_app
from heller.web.principal import ROLE_SCOPES, SCOPES, Role
from heller.web.settings import WebSettings

REFERENCE = Path(__file__).parent / "reference"
METHODS = ("get", "post", "put", "patch", "delete")


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
        "SQLSTATE is what a caller of the SQL functions sees; the detail of the error is a JSON object with the fields. `heller.refusal_of` makes the error of it.",
        "",
        "| error | code | SQLSTATE | exit | meaning |",
        "|---|---|---|---|---|",
    ]
    states = {kind: state for state, kind in REFUSALS.items()}
    for kind in _errors(errors.HellerError):
        meaning = (kind.__doc__ or "").strip().splitlines()[0]
        lines.append(
            f"| `{kind.__name__}` | `{kind.code}` | {states.get(kind, '')} | {exit_code(kind('x'))} | {meaning} |"
        )
    return "\n".join([*lines, ""])


def _errors(kind: type[errors.HellerError]) -> Iterator[type[errors.HellerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _errors(child)


def settings_table() -> str:
    """Every variable of the environment, with its default and meaning."""
    lines = ["# Settings", "", "Generated from the code by `make docs`.", ""]
    lines += [
        "All are read from the environment at the start. Secrets never show in a log. One that is wrong stops the program, and is named.",
        "",
    ]
    for title, kind in (("All programs", Settings), ("`heller serve`", WebSettings)):
        lines += [f"## {title}", "", "| variable | default | meaning |", "|---|---|---|", *_fields(kind), ""]
    lines += ["## Stripe", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in stripe.VARIABLES.items()]
    lines += [
        "",
        "## Variables of commands",
        "",
        "Each stands for an option, which wins over it.",
        "",
        "| variable | option | meaning |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{name}` | `{option}` | {meaning} |" for name, (option, meaning) in sorted(_variables().items())
    ]
    return "\n".join([*lines, ""])


def _fields(kind: type[BaseSettings]) -> Iterator[str]:
    prefix = kind.model_config.get("env_prefix", "")
    for name, field in kind.model_fields.items():
        variable = str(field.validation_alias or f"{prefix}{name}".upper())
        if not field.description:
            raise SystemExit(f"{kind.__name__}.{name} has no description")
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = (
            ""
            if default in ("", ())
            else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        )
        yield f"| `{variable}` | {shown} | {field.description} |"


def _variables() -> dict[str, tuple[str, str]]:
    """The variables that stand for options, by name."""
    found: dict[str, tuple[str, str]] = {}
    for _, command in _walk(("heller",), get_command(app)):
        for parameter in command.params:
            name, said = getattr(parameter, "envvar", None), str(getattr(parameter, "help", ""))
            if isinstance(name, str) and name.startswith(("HELLER_", "DATABASE_", "LEGACY_DATABASE_")):
                found[name] = max(
                    found.get(name, ("", "")), (parameter.opts[0], said), key=lambda seen: len(seen[1])
                )
    return found


def capacity() -> str:
    """What docs/performance.md measured, multiplied out: cores for a number of spends a second."""
    measured = (REFERENCE.parent / "performance.md").read_text(encoding="utf-8")
    lines = [
        "| | spends a second, measured | CPU a spend, us (client + server) | server cores for 1,000/s | for 100,000/s | for 10,000,000/s |",
        "|---|---|---|---|---|---|",
    ]
    for row in (
        "single calls, uniform",
        "single calls, one hot account",
        "batches of 2,000, uniform",
        "batches of 2,000, one hot account",
    ):
        found = re.search(rf"^\| {row} \| ([\d,]+) \|.*?\| ([\d.]+) \+ ([\d.,]+) \|", measured, re.MULTILINE)
        if found is None:
            raise SystemExit(f"docs/performance.md has no row '{row}' that docs/generate.py can read")
        spends, client, server = found[1], found[2], float(found[3].replace(",", ""))
        needed = [server * rate / 1_000_000 for rate in (1_000, 100_000, 10_000_000)]
        cores = [f"{one:,.0f}" if one > 1 else f"{one:.2f}" for one in needed]
        if "hot" in row:
            cores[1:] = ["one account is one row: see below"] * 2
        lines.append(f"| {row} | {spends} | {client} + {found[3]} | {' | '.join(cores)} |")
    return "\n".join([*lines, ""])


def metrics_table() -> str:
    """Every metric, as /metrics of `heller serve` and of `heller worker --health-port` gives it."""
    lines = [
        "# Metrics",
        "",
        "Generated from the code by `make docs`. `/metrics` of `heller serve` and of `heller worker --health-port PORT`,",
        "read from the database when it is asked for, and the process's own (`process_...`, `python_...`).",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for figure in (metrics.UP, *metrics.FIGURES.values()):
        name = f"{figure.name}_total" if figure.kind == "counter" else figure.name
        labels = ", ".join(figure.labels)
        lines.append(f"| `{name}` | {figure.kind} | {labels} | {figure.meaning} |")
    return "\n".join([*lines, ""])


def http() -> str:
    """Every request of the API by what it is about, and what its scope opens."""
    document = create_app(WebSettings(), url="postgresql://nowhere").openapi()
    lines = [
        "# HTTP",
        "",
        "Generated from the code by `make docs`. `heller serve` gives the whole document, with every field and error, at `/v1/openapi.json`.",
        "",
    ]
    lines += [document["info"]["description"], ""]
    sections: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                scope = ", ".join(
                    f"`{name}`"
                    for need in operation.get("security", [])
                    for names in need.values()
                    for name in names
                )
                said = " ".join(
                    operation.get("description", operation["summary"]).split("\n\n")[0].split()
                ).replace("|", "\\|")
                sections.setdefault(operation["tags"][0], []).append(
                    f"| {method.upper()} | `{path}` | {scope} | {said} |"
                )
    for tag, rows in sections.items():
        lines += [f"## {tag.capitalize()}", "", "| | path | scope | |", "|---|---|---|---|", *rows, ""]
    lines += ["## Scopes", "", "| scope | opens | roles that have it |", "|---|---|---|"]
    for scope, opens in SCOPES.items():
        lines.append(
            f"| `{scope}` | {opens} | {', '.join(role.name for role in Role if scope in ROLE_SCOPES[role])} |"
        )
    return "\n".join([*lines, ""])


PAGES = {
    "cli.md": command_line,
    "library.md": library_page,
    "sql.md": sql,
    "errors.md": error_table,
    "http.md": http,
    "settings.md": settings_table,
    "metrics.md": metrics_table,
    "capacity.inc": capacity,
    "heller.1": man_page,
}


def main() -> int:
    """Write the pages, or compare them."""
    is_check = "--check" in sys.argv
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if is_check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not is_check:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.stderr.write(f"docs/reference is not current: {', '.join(stale)}. Run 'make docs'.\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
