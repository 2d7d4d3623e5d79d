"""Commands without a noun: ``verify``, ``worker``, ``doctor`` and ``demo``."""

import asyncio
import signal
from typing import Annotated

import typer

from heller import verify as verify_ledger
from heller import worker as work
from heller.cli import demo, doctor, options, output


def add_to(app: typer.Typer) -> None:
    """Put the commands at the root of the command line."""
    app.command("verify")(verify)
    app.command("worker")(worker)
    app.command("doctor")(doctor.doctor)
    app.command("demo")(demo.demo)
    app.command("demo-stop")(demo.demo_stop)


def verify(
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Recompute everything from the rows: hash chains, balances, holds, grants, trial balance. Exit 3 if a row is wrong."""
    with options.database_url(database, embedded) as url, output.progress(quiet=as_json) as progress:
        result = options.run(verify_ledger(url, progress=progress))
    if as_json:
        output.print_json(result.as_json())
    else:
        for row in result.broken:
            output.out.print(
                f"account {row['account']}"
                + (f" transaction {row['seq']}" if row["seq"] is not None else "")
                + f": {row['what']} is {row['found']} and should be {row['expected']}"
            )
        output.out.print(
            f"{result.accounts:,} accounts, {result.transactions:,} transactions, "
            f"trial balance {result.trial_balance['difference']:,}: "
            + ("everything adds up." if result.is_ok else f"{len(result.broken):,} rows are wrong.")
        )
    if not result.is_ok:
        raise typer.Exit(3)


def worker(
    once: Annotated[bool, typer.Option("--once", help="One round of everything, then end.")] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Expire what is due, let scheduled grants arrive, and credit Stripe's payments (where STRIPE_SECRET_KEY is set).

    Any number of copies may run. SIGTERM finishes what is under way, then ends.
    """
    with options.database_url(database, embedded) as url:
        if not once:
            options.run(_until_told(url))
            return
        done = options.run(work.once(url))
    if as_json:
        output.print_json({"pages": done.pages, "payments": done.payments})
    else:
        output.out.print(
            f"{done.pages:,} pages of accounts had something due; {done.payments:,} payments converged."
        )


async def _until_told(url: str) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await work.run(url, stop=stop)
