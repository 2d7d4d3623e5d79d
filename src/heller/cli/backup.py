"""``heller backup`` and ``heller restore``: heller's own tables in a folder, and back, proven."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from heller import backup as work
from heller.cli import options, output

app = typer.Typer(add_completion=False)
restoring = typer.Typer(add_completion=False)

EXIT_FINDINGS = 3

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The backup's folder.")]


@app.command()
def backup(
    folder: Folder,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Then restore it into a PostgreSQL that is thrown away, and verify it there."
        ),
    ] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Write everything into a new folder, with its digests.

    PostgreSQL's dump, and a manifest with counts and digests of that very instant. Nothing waits for it.

    Example: heller backup backups/monday --check
    Exit 3: it does not come back whole (--check).
    """
    with options.database_url(database, embedded) as url:
        manifest = options.run(work.backup(url, folder))
        restored = options.run(work.check(folder, url)) if check else None
    if as_json:
        output.print_json(asdict(manifest) | ({} if restored is None else {"check": restored.as_json()}))
    else:
        output.out.print(
            f"{folder}: {output.counted(manifest.tables['accounts'], 'account')}, "
            f"{output.counted(manifest.tables['transactions'], 'transaction')}, "
            f"{manifest.dump_bytes:,} bytes, SHA-256 {manifest.dump_sha256}"
        )
        if restored is not None:
            _print(restored)
    if restored is not None and not restored.is_ok:
        raise typer.Exit(EXIT_FINDINGS)


@restoring.command()
def restore(
    folder: Folder,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Bring a backup into a new database, and verify it.

    It is upgraded if it is older, and every row is verified.

    Example: heller restore backups/monday --database postgresql://heller@db/new
    Exit 3: something differs.
    """
    with options.database_url(database, embedded, as_it_is=True) as url:
        result = options.run(work.restore(folder, url))
    if as_json:
        output.print_json(result.as_json())
    else:
        _print(result)
    if not result.is_ok:
        raise typer.Exit(EXIT_FINDINGS)


def _print(result: work.Restored) -> None:
    for name, (due, here) in result.differs.items():
        output.out.print(f"{name}: {here:,} and should be {due:,}")
    found = result.verification
    output.out.print(
        f"restored from {result.manifest.taken_at}: {output.counted(found.accounts, 'account')}, "
        f"{output.counted(found.transactions, 'transaction')}: "
        + ("everything is there and adds up." if result.is_ok else "it is NOT whole.")
    )
