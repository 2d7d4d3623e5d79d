"""``heller alerts``: be told when an account runs low."""

from typing import Annotated

import typer

from heller.cli.output import moment, out, print_json
from heller.cli.shared import Id, Where, taking, where

app = typer.Typer(
    add_completion=False, help="Alerts: be told once when an account runs low.", no_args_is_help=True
)

Threshold = Annotated[int, typer.Argument(metavar="THRESHOLD", help="In credits available.")]


@app.command("list")
@taking(where)
def list_alerts(at: Where, account: Id) -> None:
    """List the alerts of an account, and whether they were told.

    Example: heller alerts list ann
    """
    found = at.ask_of(account, lambda heller, a: heller.alerts(a, unit=at.unit))
    at.listed(
        found,
        ("below>", "again after>", "armed", "told (UTC)"),
        lambda alert: (alert.threshold, alert.rearm_at, alert.armed, moment(alert.fired_at)),
    )


@app.command("put")
@taking(where)
def put(
    at: Where,
    account: Id,
    threshold: Threshold,
    rearm_at: Annotated[
        int | None,
        typer.Option("--rearm-at", help="Tell again only after it has been here (default: the threshold)."),
    ] = None,
) -> None:
    """Ask to be told when available falls below a threshold.

    The worker tells HELLER_ALERT_URLS.

    Example: heller alerts put ann 20
    """
    at.show(
        at.ask_of(account, lambda heller, a: heller.put_alert(a, threshold, rearm_at=rearm_at, unit=at.unit))
    )


@app.command("remove")
@taking(where)
def remove(at: Where, account: Id, threshold: Threshold) -> None:
    """End an alert.

    Example: heller alerts remove ann 20
    """
    removed = at.ask_of(account, lambda heller, a: heller.remove_alert(a, threshold, unit=at.unit))
    if at.as_json:
        print_json({"removed": removed})
    else:
        out.print("Removed." if removed else "There was no such alert.")
