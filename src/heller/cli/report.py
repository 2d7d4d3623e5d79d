"""``heller report``: figures over all accounts."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from heller.cli import output
from heller.cli.shared import WHEN, Where, anywhere, instant, taking, where
from heller.errors import InvalidArgument
from heller.ledger.statements import csv_row
from heller.success import Success, write_parquet
from heller.success import as_csv as figures_csv
from heller.success import success as figures_of

app = typer.Typer(add_completion=False, help="Reports over all accounts.", no_args_is_help=True)

EXIT_FINDINGS = 3
USAGE = ("begin", "name", "spent", "refunded", "count", "accounts")
MONEY = ("deferred_before", "sold", "recognised", "breakage", "taken_back", "moved", "deferred_after")


@app.command("revenue")
@taking(anywhere)
def revenue(
    at: Where,
    since: Annotated[
        datetime, typer.Option("--from", parser=instant, metavar="WHEN", help=f"Where it begins: {WHEN}.")
    ],
    until: Annotated[datetime, typer.Option("--to", parser=instant, metavar="WHEN", help="Where it ends.")],
) -> None:
    """Recognised and deferred revenue of a period.

    Per currency, in minor units (cents): before + sold - recognised - breakage - taken back + moved = after. A closed
    period never changes.

    Example: heller report revenue --from 2026-10-01 --to 2026-11-01
    """
    at.listed(
        at.ask(lambda heller: heller.revenue(since, until)),
        ("currency", *(f"{name.replace('_', ' ')}>" for name in MONEY)),
        lambda r: (r.currency, *(getattr(r, name) for name in MONEY)),
    )


@app.command("usage")
@taking(where)
def usage(
    at: Where,
    since: Annotated[
        datetime, typer.Option("--from", parser=instant, metavar="WHEN", help=f"Where it begins: {WHEN}.")
    ] = "30d",  # type: ignore[assignment]  # typer parses a default as it parses what is given
    until: Annotated[
        datetime | None,
        typer.Option("--to", parser=instant, metavar="WHEN", help="Where it ends (default: now)."),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            help="feature (metadata's feature, else the reason), reason, account or metadata.NAME.",
        ),
    ] = "feature",
    per: Annotated[
        str | None, typer.Option("--per", help="day, week, month or year (default: the period is one).")
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", help="The time zone of the days, such as Europe/Berlin.")
    ] = "UTC",
    names: Annotated[int, typer.Option("--names", help="So many, the largest, by name.", min=1)] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV.")] = False,
) -> None:
    """List what credits are spent on, over all accounts.

    By the time of recording, so that a closed period never changes; a refund counts in the period in which it was
    given, against what it refunds.

    Example: heller report usage --from 90d --by metadata.model --per month
    """
    if as_csv and at.as_json:
        raise InvalidArgument("--csv and --json exclude each other.", argument="csv")
    end = until or datetime.now(UTC)
    found = at.ask(
        lambda heller: heller.usage_report(since, end, by=by, per=per, unit=at.unit, zone=zone, names=names)
    )
    if as_csv:
        sys.stdout.write(csv_row(USAGE))
        for line in found:
            sys.stdout.write(csv_row([getattr(line, name) for name in USAGE]))
        return
    at.listed(
        found,
        ("from", by, "spent>", "refunded>", "spends>", "accounts>"),
        lambda u: (
            u.begin or "",
            "(the rest)" if u.name is None else u.name,
            u.spent,
            u.refunded,
            u.count,
            "" if u.accounts is None else u.accounts,
        ),
    )


@app.command("success")
@taking(anywhere)
def success(
    at: Where,
    since: Annotated[
        datetime, typer.Option("--from", parser=instant, metavar="WHEN", help=f"Where it begins: {WHEN}.")
    ] = "30d",  # type: ignore[assignment]  # typer parses a default as it parses what is given
    until: Annotated[
        datetime | None,
        typer.Option("--to", parser=instant, metavar="WHEN", help="Where it ends (default: now)."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every figure as CSV.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="Write every figure as Parquet.")
    ] = None,
) -> None:
    """Whether the move succeeded, and how credits are used.

    Before and after: credits lost, times of credit operations, error rate, webhooks; then purchases, buyers, credits,
    revenue, features by spend, and how many buyers of each month still spend.

    Example: heller report success --from 30d --csv
    Exit 3: a figure is out of bounds.
    """
    end = until or datetime.now(UTC)
    found = at.look(lambda connection: figures_of(connection, since, end))
    if parquet is not None:
        write_parquet(found.rows(), parquet)
    if as_csv:
        sys.stdout.write(figures_csv(found.rows()))
    elif at.as_json:
        output.print_json(found.as_json())
    else:
        _print_success(found)
    if not found.is_ok:
        raise typer.Exit(EXIT_FINDINGS)


def _print_success(found: Success) -> None:
    verdict = {True: "good", False: "BAD", None: ""}
    rows = [
        (f.name, "" if f.value is None else f"{f.value:g}", f.bound, verdict[f.ok]) for f in found.figures
    ]
    output.out.print(output.table(None, ("figure", "value>", "wanted", ""), rows))
    usage = found.usage
    output.out.print(
        f"{output.counted(usage['purchases'], 'purchase')} by {output.counted(usage['active_buyers'], 'buyer')}; "
        f"{output.counted(usage['active_spenders'], 'account')} spent"
    )
    features = [(f["feature"], f["spends"], f["credits"], f["accounts"]) for f in usage["features"]]
    output.out.print(output.table(None, ("feature", "spends>", "credits>", "accounts>"), features))
    cohorts = [
        (c["cohort"], c["buyers"], "  ".join(f"{month} {n:,}" for month, n in sorted(c["active"].items())))
        for c in usage["cohorts"]
    ]
    output.out.print(output.table(None, ("first bought", "buyers>", "of them spending in"), cohorts))
