"""``heller migrate``: from a legacy credit database to a proven ledger."""

import typer

app = typer.Typer(help="From a legacy credit database to a proven ledger.", no_args_is_help=True)
