"""``heller verify``: recompute everything from the rows."""

import typer

from heller import verify as verify_ledger
from heller.cli import options, output

app = typer.Typer(add_completion=False)


@app.command()
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
