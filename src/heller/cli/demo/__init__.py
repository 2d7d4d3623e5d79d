"""``heller demo``: from a broken legacy database to a proven ledger, and from one system to the other, before your eyes."""

import time
from pathlib import Path
from typing import Annotated

import typer

from heller import embedded
from heller.cli import options, output
from heller.cli.demo.stage import fresh, say

app = typer.Typer(add_completion=False)
stop = typer.Typer(add_completion=False)

DEMO_USERS = 3_000


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Folder for the demo's server and files.")] = Path(
        "demo"
    ),
    users: Annotated[int, typer.Option(help="Users of the messy legacy database.", min=150)] = DEMO_USERS,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the server running and say how to connect.")
    ] = False,
) -> None:
    """Show the product on databases of its own, in two minutes.

    A messy database is audited, copied and proven; users move while both systems serve them; a pack is bought.

    Example: heller demo --keep
    """
    from heller.cli.demo import homes, proof, purchase  # noqa: PLC0415  # the half of heller: not for --help

    started = time.monotonic()
    say("Starting a PostgreSQL of our own", f"in {directory / 'postgres'}")
    server = embedded.start(directory / "postgres", keep=keep)
    try:
        proof.export(server, directory)
        proof.messy(server, directory, users)
        proof.tampering(server)
        options.run(
            homes.play(
                server.database_url("demo_legacy"), server.database_url("demo_heller"), directory / "legacy"
            )
        )
        say(
            "5. A purchase",
            "a pack, through a stand-in of Stripe; every delivery repeated; a quarter refunded",
        )
        options.run(purchase.purchase(fresh(server, "demo_stripe")))
        say("Done", f"in {time.monotonic() - started:.0f} seconds")
        output.out.print(
            f"The proof a founder reads and an auditor re-checks: {directory / 'legacy' / 'proof.html'}"
        )
        _how_to_go_on(server, directory, keep=keep)
    finally:
        server.stop()


def _how_to_go_on(server: embedded.EmbeddedServer, directory: Path, *, keep: bool) -> None:
    if not keep:
        output.out.print(f"The data stays in {directory}; 'heller demo --keep' leaves the server running.")
        return
    output.out.print("The server keeps running. To look around:")
    output.out.print(f"  export DATABASE_URL='{server.database_url('demo_heller')}'")
    output.out.print(f"  export LEGACY_DATABASE_URL='{server.database_url('demo_legacy')}'")
    output.out.print("  heller account show 1")
    output.out.print("  heller rollout log")
    output.out.print("  heller migrate invariants")
    output.out.print(f"  To stop it: heller demo-stop --dir {directory}")


@stop.command()
def demo_stop(
    directory: Annotated[Path, typer.Option("--dir", help="Folder of the demo.")] = Path("demo"),
) -> None:
    """Stop the server that 'heller demo --keep' left running.

    Example: heller demo-stop
    """
    embedded.stop(directory / "postgres")
