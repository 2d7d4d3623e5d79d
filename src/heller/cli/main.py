"""The root of the command line, and how errors end a command."""

import sys
from importlib.metadata import version

import typer

from heller import errors
from heller.cli import account, migrate, options, output, sample, schema, stripe, system

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_FINDINGS = 3
EXIT_BLOCKED = 4
EXIT_CONFLICT = 5
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="heller",
    help="Prepaid credits on PostgreSQL, accounted to the last credit.\n\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 findings or mismatches, 4 blocked (a decision is needed), "
    "5 conflict or stale plan, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(account.app, name="account")
app.add_typer(migrate.app, name="migrate")
app.add_typer(sample.app, name="sample")
app.add_typer(schema.app, name="schema")
app.add_typer(stripe.app, name="stripe")
app.add_typer(stripe.app, name="stripe")
system.add_to(app)


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
    try:
        app(args=options.with_directory(arguments), prog_name="heller")
    except errors.HellerError as error:
        output.print_error(error, as_json=as_json)
        raise SystemExit(exit_code(error)) from None
    except KeyboardInterrupt:
        output.talk.print(f"\nInterrupted. What was committed stays. To go on: heller {' '.join(arguments)}")
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    run()
