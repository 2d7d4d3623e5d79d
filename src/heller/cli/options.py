"""Options that many commands share, and the database they name."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from heller import embedded as server
from heller import schema
from heller.database import connect, translating
from heller.errors import InvalidArgument, SettingsError

T = TypeVar("T")

DEFAULT_DIRECTORY = Path(".heller/postgres")

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="heller's own database, postgresql://user:password@host:5432/name.",
    ),
]
EmbeddedOption = Annotated[
    Path | None,
    typer.Option(
        "--embedded",
        metavar="[DIR]",
        help=f"Run heller's own PostgreSQL in this folder instead (without DIR: {DEFAULT_DIRECTORY}).",
    ),
]
SourceOption = Annotated[
    str,
    typer.Option(
        "--source",
        envvar="LEGACY_DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="The legacy database, or a folder with its tables as CSV or JSON. Only fence, handover and return write to it.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
UnitOption = Annotated[str, typer.Option("--unit", help="The kind of credits.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")]
ConfirmOption = Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="WORD",
        help="What would otherwise be asked for: type it to show that you mean it.",
    ),
]
ActorOption = Annotated[
    str, typer.Option("--actor", envvar="USER", show_envvar=True, help="Who does it; kept with it.")
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key", help="Name of this intent: repeating the command with the same key has one effect."
    ),
]


LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")]
PageOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, max=1000, help="How many at most (default: all).", show_default=False),
]


def with_directory(arguments: list[str]) -> list[str]:
    """Let ``--embedded`` stand without a folder."""
    completed: list[str] = []
    for place, argument in enumerate(arguments):
        completed.append(argument)
        following = arguments[place + 1] if place + 1 < len(arguments) else "-"
        if argument == "--embedded" and following.startswith("-"):
            completed.append(str(DEFAULT_DIRECTORY))
    return completed


@contextmanager
def database_url(
    database: str | None,
    embedded: Path | None,
    *,
    apply_schema: bool = False,
    scratch: bool = False,
    as_it_is: bool = False,
) -> Iterator[str]:
    """The URL of the database a command works on; an embedded server runs for the length of the block.

    Args:
        apply_schema: bring the schema up to date first (an embedded database always is).
        scratch: without either option, work in a temporary embedded database.
        as_it_is: leave an embedded database without the schema.

    Raises:
        SettingsError: neither option was given.
    """
    if embedded is not None or (scratch and not database):
        with server.running(embedded) as running:
            if not as_it_is:
                asyncio.run(schema.apply(running.url))
            yield running.url
    elif database:
        if apply_schema:
            asyncio.run(schema.apply(database))
        yield database
    else:
        raise SettingsError(
            "No database was named.",
            hint="Give --database URL or --embedded, or set DATABASE_URL.",
        )


def confirmed(word: str, given: str | None, *, what: str) -> None:
    """Go on only when somebody typed ``word``, with --confirm or when asked on a terminal.

    Raises:
        InvalidArgument: it is another word, or nobody can be asked.
    """
    if given is None and sys.stdin.isatty():
        given = typer.prompt(f"This cannot be undone. Type {what} ({word}) to go on", err=True)
    if given != word:
        raise InvalidArgument(
            "This cannot be undone, and it was not confirmed.",
            hint=f"Give {what} with --confirm.",
            argument="confirm",
        )


def answers(url: str, *, has_schema: bool = False) -> None:
    """Open a database and close it again, so that a wrong URL ends a command at once and in a sentence.

    Raises:
        DatabaseUnavailable: nothing answers there, or the password is wrong.
        InvalidArgument: the URL is not one.
        SchemaMissing, SchemaMismatch: it has not the schema of this program, and ``has_schema`` asks for that.
    """

    async def work() -> None:
        async with await connect(url) as connection:
            if has_schema:
                await schema.require(connection)

    run(work())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run the asynchronous part of a command. A database that goes away meanwhile is told as one that is not there."""
    with translating():
        return asyncio.run(work)
