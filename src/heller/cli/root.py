"""The root of the command line: its commands by what they are for, and how one is run."""

from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from typing import Any

import typer
from typer._click.exceptions import ClickException  # typer gives no other name to it
from typer._click.shell_completion import CompletionItem  # as above
from typer.core import TyperGroup
from typer.main import get_command

from heller.cli.arguments import reworded
from heller.cli.manual import completed

SECTIONS = {
    "Credits": {
        "account": ("account:app", "Accounts: look at them, change them by hand."),
        "recurring": ("recurring:app", "Recurring grants: credits an account gets every period."),
        "team": ("team:app", "Teams: members of an account, their caps, who spent what."),
        "alerts": ("alerts:app", "Alerts: be told once when an account runs low."),
        "top-up": ("top_up:app", "Automatic top-up: rules by which accounts buy credits."),
        "events": ("events:app", "Events out: every transaction, in order, read or sent."),
    },
    "Proof": {
        "verify": ("verify:app", "Recompute everything from the rows."),
        "anchors": ("anchors:app", "Anchors: a digest over all accounts, to be kept elsewhere."),
        "report": ("report:app", "Reports over all accounts."),
        "audit-log": ("audit_log:app", "The audit log: who did what, over HTTP or by hand."),
        "user": ("user:app", "Data protection: export or erase one person."),
    },
    "Payments": {
        "stripe": ("stripe:app", "Stripe: prices, deliveries, reconcile."),
    },
    "From a legacy database": {
        "migrate": ("migrate:app", "From a legacy credit database to a proven ledger."),
        "rollout": ("rollout:app", "The gradual change of homes, by stages, under guardrails."),
        "checklist": ("checklist:app", "What is done and what is open of the move's three lists."),
    },
    "Running it": {
        "schema": ("schema:app", "heller's tables and functions in the database."),
        "serve": ("serve:app", "Serve the API, the portal and the console."),
        "worker": ("worker:app", "Do what has to happen by itself."),
        "keys": ("keys:app", "API keys: what programs show to the API."),
        "backup": ("backup:app", "Write everything into a new folder, with its digests."),
        "restore": ("backup:restoring", "Bring a backup into a new database, and verify it."),
        "doctor": ("doctor:app", "Say what is wrong with this set-up, and how to mend it."),
    },
    "Trying it": {
        "demo": ("demo:app", "Show the product on databases of its own, in two minutes."),
        "demo-stop": ("demo:stop", "Stop the server that 'heller demo --keep' left running."),
        "embedded": ("embedded:app", "A PostgreSQL of your own for trying things out."),
        "sample": ("sample:app", "Legacy databases to try heller on."),
    },
}
"""Each command by its section: its module in this package with the Typer in it, imported when it is called so that each
starts fast, and its line on the first page."""

COMMANDS = {name: command[0] for section in SECTIONS.values() for name, command in section.items()}

FIRST_PAGE = """Prepaid credits on PostgreSQL, accounted to the last credit.

\b
Start here:
  heller demo                        everything at work, in two minutes
  eval "$(heller embedded start)"    a PostgreSQL of your own, until stopped;
  heller schema apply                then: heller account open ann
  heller doctor                      what is missing here, and how to mend it

Each command has --help, with an example. Data goes to standard output, talk to standard error; --json makes the
result, or the error, one JSON document.

Exit codes: 0 ok, 1 failed, 2 usage, 3 findings or mismatches, 4 blocked (a decision is needed),
5 conflict or stale plan, 130 interrupted."""


class Commands(TyperGroup):
    """The commands by name, in sections."""

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
        return completed(command)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """A command by what was typed; one that is not there names those that are like it."""
        if args[0] not in COMMANDS and (near := get_close_matches(args[0], COMMANDS)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, near))}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The sections of the first page; no command is loaded for it."""
        del ctx
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:9}", summary) for name, (_, summary) in section.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The names that begin so, with their lines; no command is loaded for it."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=summary)
            for section in SECTIONS.values()
            for name, (_, summary) in section.items()
            if name.startswith(incomplete)
        ]


app = typer.Typer(
    name="heller",
    cls=Commands,
    help=FIRST_PAGE,
    no_args_is_help=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"heller {version('heller')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    _version_wanted: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Hold the options that come before the noun."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        return
    from heller import logs  # noqa: PLC0415  # help and version log nothing

    logs.configure()


def call(arguments: list[str]) -> int:
    """Run one command; its exit code. An error is printed: in words, or with --json as JSON."""
    as_json = "--json" in arguments
    try:
        return _called(arguments, as_json=as_json)
    except Exception as error:  # noqa: BLE001  # whatever it is, the reader gets a sentence
        from heller.cli import ending  # noqa: PLC0415  # a command that goes well does not need it

        return ending.told(error, as_json=as_json)


def _called(arguments: list[str], *, as_json: bool) -> int:
    if "--embedded" in arguments:
        from heller.cli.options import with_directory  # noqa: PLC0415  # the others need no server

        arguments = with_directory(arguments)
    try:
        code = get_command(app)(args=arguments, prog_name="heller", standalone_mode=False)
    except ClickException as error:
        reworded(error)
        if as_json:
            raise
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0
