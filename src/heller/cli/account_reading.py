"""``heller account``: what there is to read of an account, as tables, JSON and CSV."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape

from heller import Heller
from heller.cli import options
from heller.cli.output import moment, out, print_json, table
from heller.cli.shared import (
    WHEN,
    Id,
    Kinds,
    Metadata,
    Since,
    Until,
    Where,
    anywhere,
    find,
    instant,
    plain,
    taking,
    where,
)
from heller.errors import InvalidArgument
from heller.ledger.results import Grant, Transaction
from heller.ledger.statements import StatementHead

app = typer.Typer(add_completion=False)

EXPIRING_DAYS = 30


@app.command("find")
@taking(anywhere)
def find_accounts(
    at: Where,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            help="The beginning of an id or of any name of its user; a whole payment or order id (default: all).",
        ),
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only those that are frozen, or quarantined.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)] = 100,
    after: Annotated[
        str, typer.Option("--after", metavar="ID", help="The next page: the last account of this one.")
    ] = "",
) -> None:
    """List accounts with their balances, or find one.

    By the beginning of any name, in order of their ids.

    Example: heller account find ann@
    """
    found = at.ask(lambda heller: heller.find_accounts(text, state=state, limit=limit, after=after))
    at.listed(
        found,
        ("account", "unit", "user", "posted>", "held>", "available>", "frozen", "home", "found by"),
        lambda a: (
            a.account,
            a.unit,
            a.user or "",
            a.posted,
            a.held,
            a.available,
            a.frozen_reason or "",
            a.home,
            a.matched or "",
        ),
    )


@app.command("history")
@taking(where)
def history(
    at: Where,
    account: Id,
    kind: Kinds = None,
    text: Annotated[str | None, typer.Option("--text", help="Only reasons that contain this.")] = None,
    metadata: Metadata = None,
    since: Since = None,
    until: Until = None,
    before: Annotated[
        int | None, typer.Option("--before", metavar="SEQ", help="The next page: before this transaction.")
    ] = None,
    limit: options.LimitOption = 100,
) -> None:
    """List transactions, newest first.

    By kind, time, reason or metadata; all where nothing is given.

    Example: heller account history ann --kind spend --since 30d --limit 20
    """
    found = at.ask_of(
        account,
        lambda heller, a: heller.history(
            a,
            unit=at.unit,
            before_seq=before,
            limit=limit,
            kinds=kind or None,
            since=since,
            until=until,
            text=text,
            metadata=metadata,
        ),
    )
    at.listed(
        found,
        ("seq>", "when (UTC)", "kind", "delta>", "balance>", "actor", "reason"),
        lambda t: (
            t.seq,
            moment(t.effective_at),
            t.kind,
            f"{t.delta:+,}",
            t.balance_after,
            t.actor or "",
            t.reason,
        ),
    )


@app.command("statement")
@taking(where)
def statement(
    at: Where,
    account: Id,
    since: Annotated[
        datetime, typer.Option("--from", parser=instant, metavar="WHEN", help=f"Where it begins: {WHEN}.")
    ],
    until: Annotated[
        datetime | None,
        typer.Option("--to", parser=instant, metavar="WHEN", help="Where it ends (default: now)."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV.")] = False,
) -> None:
    """Print a period of an account.

    The opening balance, every transaction with the balance after it, the closing balance.

    Example: heller account statement ann --from 2026-10-01 --to 2026-11-01
    """
    end = until or datetime.now(UTC)
    if as_csv and at.as_json:
        raise InvalidArgument("--csv and --json exclude each other.", argument="csv")
    if as_csv:
        at.ask(lambda heller: _write_csv(heller, account, at.unit, since, end))
        return
    head, lines = at.ask(lambda heller: _statement(heller, account, at.unit, since, end))
    if at.as_json:
        print_json(asdict(head) | {"lines": [plain(t) | {"balance": balance} for t, balance in lines]})
        return
    out.print(
        f"[bold]{escape(head.account)}[/] from {moment(head.since)} to {moment(head.until)} UTC", markup=True
    )
    rows: list[tuple[Any, ...]] = [("", moment(head.since), "opening", "", head.opening, "")]
    rows += [
        (t.seq, moment(t.effective_at), t.kind, f"{t.delta:+,}", balance, t.reason) for t, balance in lines
    ]
    rows.append(("", moment(head.until), "closing", "", head.closing, ""))
    out.print(table(None, ("seq>", "when (UTC)", "kind", "delta>", "balance>", "reason"), rows))


@app.command("usage")
@taking(where)
def usage(
    at: Where,
    account: Id,
    since: Annotated[
        datetime, typer.Option("--from", parser=instant, metavar="WHEN", help=f"Where it begins: {WHEN}.")
    ] = "30d",  # type: ignore[assignment]  # typer parses a default as it parses what is given
    until: Annotated[
        datetime | None,
        typer.Option("--to", parser=instant, metavar="WHEN", help="Where it ends (default: now)."),
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", help="The time zone of the days, such as Europe/Berlin.")
    ] = "UTC",
    features: Annotated[int, typer.Option("--features", help="So many, the largest, by name.", min=1)] = 6,
) -> None:
    """List what an account spent, by day and feature.

    Less what of it was refunded. A feature is the metadata's, else the reason.

    Example: heller account usage ann --from 2026-10-01 --to 2026-11-01
    """
    end = until or datetime.now(UTC)
    found = at.ask_of(
        account,
        lambda heller, a: heller.usage(a, since, end, unit=at.unit, zone=zone, features=features),
    )
    at.listed(
        found,
        ("day", "feature", "spent>", "spends>"),
        lambda u: (u.day, "(the rest)" if u.feature is None else u.feature, u.spent, u.count),
    )


async def _write_csv(heller: Heller, name: str, unit: str, since: datetime, until: datetime) -> None:
    account = (await find(heller, name, unit)).account
    async for line in heller.statement_csv(account, since, until, unit=unit):
        sys.stdout.write(line)


async def _statement(
    heller: Heller, name: str, unit: str, since: datetime, until: datetime
) -> tuple[StatementHead, list[tuple[Transaction, int]]]:
    account = (await find(heller, name, unit)).account
    lines: list[tuple[Transaction, int]] = []
    head: StatementHead | None = None
    async for part in heller.statement(account, since, until, unit=unit):
        if isinstance(part, StatementHead):
            head = part
        else:
            lines.append((part.transaction, part.balance))
    if head is None:
        raise AssertionError  # a statement always begins with its head
    return head, lines


@app.command("grants")
@taking(where)
def grants(
    at: Where,
    account: Id,
    ended: Annotated[
        bool, typer.Option("--all", help="Also those that are used up, expired or void.")
    ] = False,
    after: Annotated[
        int | None, typer.Option("--after", metavar="GRANT", help="The next page: after this grant.")
    ] = None,
    limit: options.PageOption = None,
) -> None:
    """List grants in burn-down order, with what is left of each.

    Example: heller account grants ann
    """
    found = at.ask_of(
        account,
        lambda heller, a: heller.grants(a, unit=at.unit, include_ended=ended, after=after, limit=limit),
    )
    _print_grants(at, found)


@app.command("expiring")
@taking(where)
def expiring(
    at: Where,
    account: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only this account (default: all).")
    ] = None,
    days: Annotated[
        int, typer.Option("--days", help="Within so many days.", min=0, max=36500)
    ] = EXPIRING_DAYS,
    limit: Annotated[int, typer.Option(help="Of so many accounts at most.", min=1, max=1000)] = 1000,
    after: Annotated[
        str, typer.Option("--after", metavar="ID", help="The next page: the last account of this one.")
    ] = "",
) -> None:
    """List grants that expire soon, and what is left of them now.

    Example: heller account expiring --days 14
    """
    before = datetime.now(UTC) + timedelta(days=days)

    async def work(heller: Heller) -> list[Grant]:
        named = None if account is None else (await find(heller, account, at.unit)).account
        return await heller.expiring(before, account=named, limit=limit, after=after)

    _print_grants(at, at.ask(work))


def _print_grants(at: Where, found: list[Grant]) -> None:
    at.listed(
        found,
        ("account", "grant>", "source", "amount>", "left>", "expires (UTC)", "reason"),
        lambda g: (g.account, g.grant, g.source, g.amount, g.remaining, moment(g.expires_at), g.reason),
    )
