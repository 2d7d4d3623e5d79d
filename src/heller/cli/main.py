"""The root of the command line, and how errors end a command."""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from heller import errors, logs
from heller.cli import options, output

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_FINDINGS = 3
EXIT_BLOCKED = 4
EXIT_CONFLICT = 5
EXIT_INTERRUPTED = 130

COMMANDS = {
    "account": "account:app",
    "team": "team:app",
    "alerts": "alerts:app",
    "top-up": "top_up:app",
    "events": "events:app",
    "anchors": "anchors:app",
    "report": "report:app",
    "migrate": "migrate:app",
    "rollout": "rollout:app",
    "stripe": "stripe:app",
    "verify": "verify:app",
    "worker": "worker:app",
    "serve": "serve:app",
    "keys": "keys:app",
    "schema": "schema:app",
    "checklist": "checklist:app",
    "user": "user:app",
    "backup": "backup:app",
    "restore": "backup:restoring",
    "embedded": "embedded:app",
    "sample": "sample:app",
    "doctor": "doctor:app",
    "demo": "demo:app",
    "demo-stop": "demo:stop",
}
"""Each command's module in this package and the Typer in it; imported when it is called, so that each starts fast."""


class Commands(TyperGroup):
    """The commands by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the help page."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        its: typer.Typer = getattr(import_module(f"heller.cli.{module}"), attribute)
        its.rich_markup_mode = None
        command = get_command(its)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="heller",
    cls=Commands,
    help="Prepaid credits on PostgreSQL, accounted to the last credit.\n\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 findings or mismatches, 4 blocked (a decision is needed), "
    "5 conflict or stale plan, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        output.out.print(f"heller {version('heller')}")
        raise typer.Exit


@app.callback()
def root(
    _version_wanted: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Hold the options that come before the noun."""


def exit_code(error: errors.HellerError) -> int:
    """The exit code that says what kind of end it was."""
    if isinstance(error, errors.UsageError):
        return EXIT_USAGE
    if isinstance(error, errors.DecisionsNeeded):
        return EXIT_BLOCKED
    if isinstance(error, errors.Conflict | errors.StalePlan):
        return EXIT_CONFLICT
    if isinstance(error, errors.IntegrityError):
        return EXIT_FINDINGS
    return EXIT_FAILED


def run() -> None:
    """Run one command; the entry point of the ``heller`` program."""
    arguments = sys.argv[1:]
    as_json = "--json" in arguments
    logs.configure()
    try:
        app(args=options.with_directory(arguments), prog_name="heller")
    except errors.HellerError as error:
        output.print_error(error, as_json=as_json)
        raise SystemExit(exit_code(error)) from None
    except SystemExit as end:  # Typer has turned the interruption into its exit code already
        if end.code == EXIT_INTERRUPTED:
            output.talk.print(
                f"\nInterrupted. What was committed stays. To go on: heller {' '.join(arguments)}"
            )
        raise
    except BrokenPipeError:
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    run()
