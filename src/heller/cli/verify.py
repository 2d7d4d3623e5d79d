"""``heller verify``: recompute everything from the rows."""

import contextlib
from typing import Annotated, Any

import psycopg
import typer

from heller import Heller
from heller import verify as verify_ledger
from heller.cli import options, output
from heller.cli.anchors import NEWEST, read_anchor
from heller.database import call, connect
from heller.errors import HellerError
from heller.ledger import Anchor, Verification, VerificationSince, verify_since

app = typer.Typer(add_completion=False)

EXIT_FINDINGS = 3
JOBS = 2


@app.command()
def verify(
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="ANCHOR",
            help=f"Check this anchor (a file, or '{NEWEST}'), then only the accounts that have changed since.",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", help="Connections that share the work.", min=1, max=64)
    ] = JOBS,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Recompute everything from the rows.

    Hash chains, balances, holds, grants, trial balance. A row that is wrong is named.

    Example: heller verify --jobs 4
    Exit 3: a row is wrong.
    """
    with options.database_url(database, embedded) as url, output.progress(quiet=as_json) as progress:
        result: Any
        if since is None:
            result = options.run(_whole(url, progress, jobs))
        else:
            anchor = options.run(_anchor(url, since))
            result = options.run(verify_since(url, anchor, workers=jobs))
    if as_json:
        output.print_json(result.as_json())
    else:
        _print(result)
    if not result.is_ok:
        raise typer.Exit(EXIT_FINDINGS)


async def _whole(url: str, progress: Any, jobs: int) -> Verification:
    """Verify everything, and write down that it was done (heller checklist); a database that only reads takes no note."""
    result = await verify_ledger(url, progress=progress, workers=jobs)
    detail = {"accounts": result.accounts, "transactions": result.transactions, "broken": len(result.broken)}
    with contextlib.suppress(HellerError, psycopg.Error):
        async with await connect(url) as connection:
            await call(connection, "record_evidence", kind="verify", ok=result.is_ok, detail=detail)
    return result


async def _anchor(url: str, name: str) -> Anchor:
    async with Heller.connect(url, pool_max=1) as heller:
        return await read_anchor(heller, name)


def _print(result: Verification | VerificationSince) -> None:
    for row in result.broken:
        output.out.print(
            f"account {row['account']}"
            + (f" transaction {row['seq']}" if row["seq"] is not None else "")
            + f": {row['what']} is {row['found']} and should be {row['expected']}"
        )
    counted = (
        f"{output.counted(result.accounts, 'account')}, {output.counted(result.transactions, 'transaction')}"
    )
    if isinstance(result, Verification):
        counted += f", trial balance {result.trial_balance['difference']:,}"
    else:
        counted += f" since {result.anchor.at}, the anchor {'holds' if result.anchor.ok else 'DOES NOT HOLD'}"
    output.out.print(
        f"{counted}: "
        + ("everything adds up." if result.is_ok else f"{output.counted(len(result.broken), 'wrong row')}.")
    )
