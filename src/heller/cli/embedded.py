"""``heller embedded``: a PostgreSQL of one's own that stays up between commands."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from heller import embedded
from heller.cli import options, output

app = typer.Typer(
    add_completion=False,
    help="A PostgreSQL of your own for trying things out. It stays up between commands.",
    no_args_is_help=True,
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The server's folder.")]


@app.command()
def start(
    directory: Directory = options.DEFAULT_DIRECTORY,
    legacy: Annotated[
        bool, typer.Option("--legacy", help="Also make a database 'legacy', and set LEGACY_DATABASE_URL.")
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Start it, or join it, and print the variables to set.

    Example: eval "$(heller embedded start --legacy)"
    """
    server = embedded.start(directory, keep=True)
    try:
        addresses = {"DATABASE_URL": server.url}
        if legacy:
            addresses["LEGACY_DATABASE_URL"] = server.ensure_database("legacy")
    finally:
        server.stop()
    if as_json:
        output.print_json(addresses)
        return
    for name, url in addresses.items():
        typer.echo(f"export {name}={shlex.quote(url)}")
    output.talk.print(f"It runs until: heller embedded stop {directory}")


@app.command()
def stop(directory: Directory = options.DEFAULT_DIRECTORY, as_json: options.JsonOption = False) -> None:
    """Stop it; its data stays in the folder.

    Example: heller embedded stop
    """
    is_down = embedded.stop(directory)
    if as_json:
        output.print_json({"directory": str(directory), "stopped": is_down})
    elif not is_down:
        output.talk.print("Others use it; it stops with the last of them.")
