"""``heller sample``: databases to try heller on."""

from pathlib import Path
from typing import Annotated

import typer

import legacy_sample
from heller.cli import options, output
from heller.errors import InvalidArgument, MigrationError

app = typer.Typer(add_completion=False, help="Databases to try heller on.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Hold the sub-commands, of which there is one so far."""


@app.command("legacy")
def legacy(
    url: Annotated[str, typer.Argument(metavar="URL", help="An empty PostgreSQL database to fill.")],
    shape: Annotated[str, typer.Option(help="production, documented or drifted.")] = "production",
    users: Annotated[int, typer.Option(help="How many user rows.", min=0)] = 1_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.", min=0)] = 1,
    clean: Annotated[bool, typer.Option("--clean", help="Plant none of the messes.")] = False,
    truth: Annotated[
        Path | None,
        typer.Option(help="Where to write what was planted (default: legacy-truth-SHAPE-SEED.json)."),
    ] = None,
    from_export: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Load this folder of *_export.json files instead.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop an older sample that is there.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Build a legacy credit database: realistic people, purchases, spends and every kind of mess."""
    if shape not in legacy_sample.SHAPES:
        raise InvalidArgument(
            f"There is no shape {shape}.",
            hint=f"Known are {', '.join(legacy_sample.SHAPES)}.",
            argument="shape",
        )
    path = truth or Path(f"legacy-truth-{shape}-{seed}.json")
    try:
        with output.progress(quiet=as_json) as progress:
            if from_export is not None:
                summary = options.run(legacy_sample.load_export(url, from_export, replace=replace))
            else:
                summary = options.run(
                    legacy_sample.build(
                        url,
                        shape=shape,
                        users=users,
                        seed=seed,
                        clean=clean,
                        truth=path,
                        replace=replace,
                        progress=progress,
                    )
                )
    except legacy_sample.LegacySampleError as error:
        raise MigrationError(error.message, hint=error.hint) from None
    written = None if from_export is not None else str(path)
    if as_json:
        output.print_json(
            {
                "shape": summary.shape,
                "seed": summary.seed,
                "users": summary.users,
                "rows": dict(summary.rows),
                "credits": {
                    "balance": summary.credits.balance,
                    "transactions": summary.credits.transactions,
                    "ledger": summary.credits.ledger,
                },
                "planted": dict(summary.planted),
                "truth": written,
            }
        )
        return
    output.out.print(output.table("Rows", ("table", "rows>"), summary.rows.items()))
    if summary.planted:
        output.out.print(output.table("Planted", ("finding", "cases>"), summary.planted.items()))
    if written:
        output.talk.print(f"What was planted is in {written}")
