"""``heller recurring``: credits that an account gets anew every period. The ledger gives them; these commands keep the settings."""

from datetime import datetime
from typing import Annotated, Any

import typer

from heller.cli import options
from heller.cli.output import moment
from heller.cli.shared import WHEN, Amount, Id, Metadata, Where, instant, taking, where

app = typer.Typer(
    add_completion=False,
    help="Recurring grants: credits an account gets every period.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Which of the account's; your own text.")]


def _when(option: str, says: str) -> Any:
    return typer.Option(option, parser=instant, metavar="WHEN", help=says)


@app.command("put")
@taking(where)
def put(
    at: Where,
    account: Id,
    name: Name,
    amount: Amount,
    period: Annotated[str, typer.Option(help="day, week, month, quarter or year.")] = "month",
    rollover: Annotated[int, typer.Option(help="So many at most live on for one more period.")] = 0,
    expires: Annotated[
        bool, typer.Option("--expires/--no-expiry", help="Whether the rest is forfeited at a period's end.")
    ] = True,
    anchor: Annotated[
        datetime | None,
        _when("--anchor", f"When a period begins: {WHEN} (default: when the first does)."),
    ] = None,
    time_zone: Annotated[
        str,
        typer.Option(help="By whose calendar and clock periods follow the anchor, such as Europe/Berlin."),
    ] = "UTC",
    starts_at: Annotated[
        datetime | None, _when("--starts-at", "No period begins before (default: now).")
    ] = None,
    ends_at: Annotated[datetime | None, _when("--ends-at", "No period begins then or later.")] = None,
    source: Annotated[
        str, typer.Option(help="purchase, promotion, subscription, adjustment, migration.")
    ] = "subscription",
    priority: Annotated[int, typer.Option(help="Smaller burns first.")] = 100,
    cost: Annotated[int, typer.Option(help="What is paid for one period, in minor units (cents).")] = 0,
    currency: Annotated[str | None, typer.Option(help="Of the cost, such as eur.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why (default: the name).")
    ] = None,
    metadata: Metadata = None,
    dry_run: options.DryRunOption = False,
) -> None:
    """Give an account credits every period, from now on.

    Again changes it, from the next period on. A period is given once, however often this is run.

    Example: heller recurring put ann free 50 --anchor 2026-01-01
    """
    at.show(
        at.ask_of(
            account,
            lambda heller, a: heller.put_recurring_grant(
                a,
                name,
                amount,
                period=period,
                rollover=rollover,
                expires=expires,
                anchor=anchor,
                time_zone=time_zone,
                starts_at=starts_at,
                ends_at=ends_at,
                source=source,
                priority=priority,
                cost=cost,
                currency=currency,
                reason=reason,
                metadata=metadata,
                unit=at.unit,
                dry_run=dry_run,
            ),
        )
    )


@app.command("list")
@taking(where)
def list_recurring(
    at: Where,
    account: Id,
    ended: Annotated[
        bool, typer.Option("--all", help="Also those of which no period begins any more.")
    ] = False,
) -> None:
    """List what an account gets every period, and when it gets it next.

    Example: heller recurring list ann
    """
    found = at.ask_of(
        account, lambda heller, a: heller.recurring_grants(a, unit=at.unit, include_ended=ended)
    )
    at.listed(found, ("name", "amount>", "every", "rest", "next (UTC)", "until (UTC)"), _cells)


def _cells(grant: Any) -> tuple[Any, ...]:
    rest = "stays" if not grant.expires else f"{grant.rollover:,} roll over" if grant.rollover else "expires"
    return grant.name, grant.amount, grant.period, rest, moment(grant.next_at), moment(grant.ends_at)


@app.command("remove")
@taking(where)
def remove(at: Where, account: Id, name: Name) -> None:
    """Give no further period; the credits of the one in progress stay.

    To take those back as well: heller account void.

    Example: heller recurring remove ann free
    """
    at.show(at.ask_of(account, lambda heller, a: heller.remove_recurring_grant(a, name, unit=at.unit)))
