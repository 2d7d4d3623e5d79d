"""``heller migrate fence``: the guard in the legacy database, and what every command of two living systems needs."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from heller.cli import options, output
from heller.migration.handover import fence as fences
from heller.migration.handover.runs import open_sides

EXIT_FINDINGS = 3

MappingOption = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        metavar="FILE",
        help="The mapping of a schema that is not recognised; the fence keeps it.",
    ),
]

app = typer.Typer(help="The guard in the legacy database.", no_args_is_help=True)


def run(work: Callable[[str], Coroutine[Any, Any, Any]], database: AbstractContextManager[str]) -> Any:
    """Do it with heller's own database."""
    with database as url:
        return options.run(work(url))


@app.command()
def install(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    capture: Annotated[
        bool,
        typer.Option(
            "--capture", help="Keep purchases for moved users in an outbox instead of refusing them."
        ),
    ] = False,
    reseal: Annotated[
        bool,
        typer.Option("--reseal", help="The legacy database was restored: close it for users who have moved."),
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Build the fence, or what is missing of it, and test it.

    Every write path of a made-up user is tried.

    Example: heller migrate fence install --source "$LEGACY_DATABASE_URL"
    Exit 3: there is a hole.
    """

    async def work(url: str) -> fences.FenceStatus:
        async with open_sides(source, url, mapping=mapping, needs_fence=False) as sides:
            return await fences.install(
                sides.legacy.connection,
                sides.ours.connection,
                sides.layout,
                fence_mode="capture" if capture else "refuse",
                reseal=reseal,
            )

    _print(run(work, options.database_url(database, embedded)), as_json=as_json)


@app.command("status")
def status(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say how the fence stands, with the same test.

    Example: heller migrate fence status --source "$LEGACY_DATABASE_URL"
    Exit 3: there is a hole.
    """

    async def work(url: str) -> fences.FenceStatus:
        async with open_sides(source, url, mapping=mapping, needs_fence=False) as sides:
            return await fences.status(sides.legacy.connection, sides.layout, test=True)

    _print(run(work, options.database_url(database, embedded)), as_json=as_json)


@app.command()
def remove(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    even_moved: Annotated[
        bool, typer.Option("--even-moved", help="Although users are away: the legacy system is off for good.")
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Take the fence down.

    Example: heller migrate fence remove --even-moved
    """

    async def work(url: str) -> None:
        async with open_sides(source, url, mapping=mapping, needs_fence=False) as sides:
            await fences.remove(
                sides.legacy.connection, sides.ours.connection, sides.layout, even_moved=even_moved
            )

    run(work, options.database_url(database, embedded))
    if as_json:
        output.print_json({"removed": True})
    else:
        output.out.print("The fence is gone.")


def _print(result: fences.FenceStatus, *, as_json: bool) -> None:
    if as_json:
        output.print_json(result.as_json())
    else:
        rows = [("shape", result.shape), ("truth", result.truth), ("mode", result.fence_mode), ("users", result.users), ("away", result.away),
                ("guarded tables", ", ".join(result.tables)), ("captured purchases", result.outbox)]  # fmt: skip
        output.out.print(output.table("Fence", ["what", "value"], rows))
        for problem in result.problems:
            output.talk.print(f"[bold red]Hole:[/] {escape(problem)}", markup=True)
        if result.ok:
            output.talk.print("Every write path of a user who is away is refused.")
    if not result.ok:
        raise typer.Exit(EXIT_FINDINGS)
