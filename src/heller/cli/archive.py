"""``heller migrate archive``: close the legacy database and keep it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from psycopg.conninfo import conninfo_to_dict

from heller.cli import options, output
from heller.migration.archive import archive as close


def archive(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder for the dump and its manifest.")
    ],
    source: options.SourceOption,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="The application keeps other things in this database: leave it writable; the fence goes on refusing changes of credits.",
        ),
    ] = False,
    confirm: options.ConfirmOption = None,
    actor: options.ActorOption = "cli",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Make the legacy database read-only and keep a dump of it.

    The whole database: where it also serves the rest of your application, give --shared, and it stays writable.

    Once nobody is at home there; with a manifest. New connections to it can only read from then on; its owner can take
    that back.

    Example: heller migrate archive attic --confirm legacy
    """
    options.confirmed(
        str(conninfo_to_dict(source).get("dbname")), confirm, what="the name of the legacy database"
    )
    with options.database_url(database, embedded) as url:
        done = options.run(close(source, url, folder, shared=shared, actor=actor))
    if as_json:
        output.print_json(asdict(done))
    else:
        output.out.print(
            f"{done.database} {'is read-only' if done.read_only else 'stays open, its credits fenced'}; {sum(done.tables.values()):,} rows in {folder}, "
            f"{done.dump_bytes:,} bytes, SHA-256 {done.dump_sha256}"
        )
