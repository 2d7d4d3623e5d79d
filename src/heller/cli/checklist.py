"""``heller checklist``: what is done and what is open, before, during and after the move."""

from typing import Annotated

import typer
from rich.markup import escape

from heller import checklist as lists
from heller.cli import options, output

app = typer.Typer(add_completion=False)

EXIT_FINDINGS = 3
MARKS = {
    "ok": "[green]ok     [/]",
    "open": "[yellow]open   [/]",
    "failed": "[red]FAILED [/]",
    "unknown": "[dim]unknown[/]",
}


@app.command()
def checklist(
    legacy: Annotated[
        str | None,
        typer.Option(
            "--source",
            envvar="LEGACY_DATABASE_URL",
            show_envvar=True,
            metavar="URL",
            help="The legacy database.",
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            envvar="HELLER_PUBLIC_URL",
            show_envvar=True,
            metavar="URL",
            help="Where heller serve is reached.",
        ),
    ] = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """What is done and what is open of the move's three lists.

    Before, during and after it: each item is looked at now, and the open ones say what would satisfy them.

    Example: heller checklist --public-url https://credits.example.org
    Exit 3: an item is not ok.
    """
    with options.database_url(database, embedded) as url:
        items = options.run(lists.checklist(url, legacy_url=legacy, public_url=public_url))
    result = lists.as_json(items)
    if as_json:
        output.print_json(result)
    else:
        phase = ""
        for item in items:
            if item.phase != phase:
                phase = item.phase
                output.out.print(f"[bold]{phase.capitalize()}[/]", markup=True)
            output.out.print(f"  {MARKS[item.state]} {item.title}: {escape(item.evidence)}", markup=True)
            if item.state != "ok":
                output.out.print(f"          [dim]{escape(item.command)}[/]", markup=True)
    if not result["ok"]:
        raise typer.Exit(EXIT_FINDINGS)
