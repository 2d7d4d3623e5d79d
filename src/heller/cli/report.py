"""``heller report``: figures over all accounts."""

from datetime import datetime
from typing import Annotated

import typer

from heller.cli.shared import WHEN, Where, anywhere, instant, taking

app = typer.Typer(add_completion=False, help="Reports over all accounts.", no_args_is_help=True)

MONEY = ("deferred_before", "sold", "recognised", "breakage", "taken_back", "moved", "deferred_after")


@app.callback()
def report() -> None:
    """Keep the noun, however few commands it has."""


@app.command("revenue")
@taking(anywhere)
def revenue(
    at: Where,
    since: Annotated[
        datetime, typer.Option("--from", parser=instant, metavar="WHEN", help=f"Where it begins: {WHEN}.")
    ],
    until: Annotated[datetime, typer.Option("--to", parser=instant, metavar="WHEN", help="Where it ends.")],
) -> None:
    """Recognised and deferred revenue of a period, per currency, in minor units (cents).

    before + sold - recognised - breakage - taken back + moved = after. A closed period never changes.
    """
    at.listed(
        at.ask(lambda heller: heller.revenue(since, until)),
        ("currency", *(f"{name.replace('_', ' ')}>" for name in MONEY)),
        lambda r: (r.currency, *(getattr(r, name) for name in MONEY)),
    )
