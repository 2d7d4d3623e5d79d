"""``heller demo``: from a broken legacy database to a proven ledger, before your eyes."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg import sql

import legacy_sample
from heller import embedded, migration, schema
from heller import verify as verify_ledger
from heller.cli import options, output
from heller.cli.migrate import print_audit, print_outcome
from heller.errors import IntegrityError

app = typer.Typer(add_completion=False)
stop = typer.Typer(add_completion=False)

SEED = 7
DEMO_USERS = 3_000


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Folder for the demo's server and files.")] = Path(
        "demo"
    ),
    users: Annotated[int, typer.Option(help="Users of the messy legacy database.", min=50)] = DEMO_USERS,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the server running and say how to connect.")
    ] = False,
) -> None:
    """Show the product: a messy legacy database is audited, backed up, copied, verified and proven. Under two minutes."""
    started = time.monotonic()
    _say("Starting a PostgreSQL of our own", f"in {directory / 'postgres'}")
    server = embedded.start(directory / "postgres", keep=keep)
    try:
        _first(server, directory)
        _second(server, directory, users)
        _tamper(server)
        _say("Done", f"in {time.monotonic() - started:.0f} seconds")
        output.out.print(
            f"The proof a founder reads and an auditor re-checks: {directory / 'legacy' / 'proof.html'}"
        )
        if keep:
            output.out.print("The server keeps running. To look around:")
            output.out.print(f"  export DATABASE_URL='{server.database_url('demo_heller')}'")
            output.out.print(f"  export LEGACY_DATABASE_URL='{server.database_url('demo_legacy')}'")
            output.out.print("  heller account show 1")
            output.out.print(f"  To stop it: heller demo-stop --dir {directory}")
        else:
            output.out.print(
                f"The data stays in {directory}; 'heller demo --keep' leaves the server running."
            )
    finally:
        server.stop()


@stop.command()
def demo_stop(
    directory: Annotated[Path, typer.Option("--dir", help="Folder of the demo.")] = Path("demo"),
) -> None:
    """Stop the server that ``heller demo --keep`` left running."""
    embedded.stop(directory / "postgres")


def _first(server: embedded.EmbeddedServer, directory: Path) -> None:
    _say("1. The real export", "one user: the page says 0, the history 100, the user row 200")
    source, target = _fresh(server, "demo_export"), _fresh(server, "demo_export_heller")
    options.run(legacy_sample.load_export(source, legacy_sample.LIVE_EXPORT))
    _migrate(source, target, _empty(directory / "export"))


def _second(server: embedded.EmbeddedServer, directory: Path, users: int) -> None:
    _say("2. A messy legacy database", f"{users:,} users, every kind of mess planted")
    source, target = _fresh(server, "demo_legacy"), _fresh(server, "demo_heller")
    out = _empty(directory / "legacy")
    options.run(
        legacy_sample.build(source, shape="production", users=users, seed=SEED, truth=out / "planted.json")
    )
    _migrate(source, target, out)
    _say("Again", "the same run changes nothing")
    again = options.run(migration.run(source, target, out, decide="recommended"))
    print_outcome(again.as_json())


def _migrate(source: str, target: str, out: Path) -> None:
    options.run(schema.apply(target))
    result = options.run(migration.run(source, target, out, decide="recommended"))
    print_audit(result.audit)
    output.out.print(f"backup: {sum(result.backup.tables.values()):,} rows in {result.backup.folder}")
    print_outcome(result.as_json())
    if not result.ok:
        raise IntegrityError(
            "The demo's migration does not add up.", hint="This is a defect: please report it."
        )


def _tamper(server: embedded.EmbeddedServer) -> None:
    _say(
        "3. Somebody changes history",
        "a superuser switches the guard off and makes one spend 100 credits smaller",
    )
    copy = _fresh(server, "demo_tampered", template="demo_heller")
    with psycopg.connect(copy, autocommit=True) as connection:
        try:
            connection.execute("update heller.transactions set delta = delta + 1")
        except psycopg.Error as refusal:
            output.out.print(f"The guard refuses: {str(refusal).splitlines()[0]}")
        connection.execute("alter table heller.transactions disable trigger transactions_append_only")
        connection.execute(
            "update heller.transactions set delta = delta + 100 where (account_id, unit, seq) ="
            " (select account_id, unit, seq from heller.transactions where kind = 'spend'"
            "  order by account_id, unit, seq limit 1)"
        )
    found = options.run(verify_ledger(copy))
    if found.is_ok:
        raise IntegrityError("verify did not see a tampered row.", hint="This is a defect: please report it.")
    for row in found.broken[:3]:
        output.out.print(
            f"[red]verify:[/] account {row['account']}"
            + (f" transaction {row['seq']}" if row["seq"] is not None else "")
            + f": {row['what']} is {row['found'][:20]}, "
            f"should be {row['expected'][:20]}"
        )


def _fresh(server: embedded.EmbeddedServer, name: str, *, template: str = "template1") -> str:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return server.database_url(name)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _say(title: str, rest: str) -> None:
    output.out.print(f"\n[bold]{title}[/]: {rest}")
