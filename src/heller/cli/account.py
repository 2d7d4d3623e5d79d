"""``heller account``: look at accounts; open, freeze and unfreeze them. The verbs are in modules beside this one."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from psycopg import AsyncConnection
from rich.markup import escape

from heller import Heller, within
from heller.cli import account_holds, account_many, account_reading, account_verbs, options, output
from heller.cli.shared import WHEN, Id, IfVersion, Metadata, Reason, Where, find, instant, taking, where
from heller.database import call
from heller.ledger.heller import Ledger
from heller.ledger.results import Account

app = typer.Typer(
    add_completion=False, help="Accounts: look at them, change them by hand.", no_args_is_help=True
)


@app.command("open")
@taking(where)
def open_account(
    at: Where,
    account: Annotated[str, typer.Argument(metavar="ID", help="The new account's id: your own text.")],
    user: Annotated[
        str | None, typer.Option("--user", help="The user it belongs to (default: the same id).")
    ] = None,
    email: Annotated[str | None, typer.Option("--email", help="An e-mail the user is known by.")] = None,
    overdraft_limit: Annotated[int, typer.Option(help="How far spends may go below zero, in credits.")] = 0,
    metadata: Metadata = None,
    dry_run: options.DryRunOption = False,
) -> None:
    """Open an account; again with the same properties: no change.

    Example: heller account open ann --email ann@example.org
    """

    async def work(heller: Heller) -> Account:
        opened = await heller.open_account(
            account,
            user=user or account,
            overdraft_limit=overdraft_limit,
            metadata=metadata,
            unit=at.unit,
            dry_run=dry_run,
        )
        if email is not None and not dry_run:
            await heller.add_identity(user or account, "email", email)
        return opened

    at.show(at.ask(work))


@app.command("show")
@taking(where)
def show(
    here: Where,
    account: Id,
    limit: Annotated[int, typer.Option(help="How many of the newest transactions.", min=1, max=1000)] = 1000,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at", parser=instant, metavar="WHEN", help=f"Also the balance as it was then: {WHEN}."
        ),
    ] = None,
) -> None:
    """Show balance, grants, holds and transactions of one account.

    Example: heller account show ann@example.org --limit 20
    """

    async def work(heller: Heller) -> dict[str, Any]:
        found = await find(heller, account, here.unit)
        history = await heller.history(found.account, unit=here.unit, limit=limit)
        shown = asdict(found) | {
            "identities": await heller.identities_of(found.user) if found.user else [],
            "grants": [asdict(grant) for grant in await heller.grants(found.account, unit=here.unit)],
            "holds": [asdict(hold) for hold in await heller.holds(found.account, unit=here.unit)],
            "transaction_count": found.transactions,
            "transactions": [asdict(line) for line in reversed(history)],
        }
        if at is not None:
            shown["posted_at"] = await heller.balance_at(found.account, at, unit=here.unit)
        return shown

    shown = here.ask(work)
    if here.as_json:
        output.print_json(shown)
    else:
        _print_account(shown, at)


def _print_account(shown: dict[str, Any], at: datetime | None) -> None:
    output.out.print(
        f"[bold]{escape(shown['account'])}[/]  posted {shown['posted']:,}  held {shown['held']:,}  "
        f"available {shown['available']:,} {shown['unit']}"
        + (f"  FROZEN: {escape(shown['frozen_reason'])}" if shown["frozen"] else ""),
        markup=True,
    )
    if at is not None:
        output.out.print(f"posted at {output.moment(at)} UTC: {shown['posted_at']:,}")
    if shown["identities"]:
        output.out.print("known as " + ", ".join(f"{i['name']} ({i['kind']})" for i in shown["identities"]))
    rows = [
        (
            t["seq"],
            output.moment(t["effective_at"]),
            t["kind"],
            f"{t['delta']:+,}",
            t["balance_after"],
            t["reason"],
        )
        for t in shown["transactions"]
    ]
    output.out.print(output.table(None, ("seq>", "when (UTC)", "kind", "delta>", "balance>", "reason"), rows))


@app.command("change")
@taking(where)
def change_account(
    at: Where,
    account: Id,
    reason: Reason,
    overdraft_limit: Annotated[
        int | None, typer.Option("--overdraft-limit", help="How far spends may go below zero, in credits.")
    ] = None,
    metadata: Metadata = None,
    if_version: IfVersion = None,
    actor: options.ActorOption = "cli",
) -> None:
    """Change an account's overdraft limit or metadata; the rest stays.

    Example: heller account change ann --overdraft-limit 500 --reason "pays by invoice"
    """

    async def do(ledger: Ledger, found: str) -> Account:
        return await ledger.change_account(
            found, overdraft_limit=overdraft_limit, metadata=metadata, unit=at.unit, if_version=if_version
        )

    at.show(_audited(at, "change", account, reason, actor, do))


@app.command("freeze")
@taking(where)
def freeze(at: Where, account: Id, reason: Reason, actor: options.ActorOption = "cli") -> None:
    """Take no change of an account until unfreeze.

    Example: heller account freeze ann --reason "card reported stolen"
    """
    at.show(
        _audited(
            at, "freeze", account, reason, actor, lambda heller, a: heller.freeze(a, reason, unit=at.unit)
        )
    )


@app.command("unfreeze")
@taking(where)
def unfreeze(
    at: Where,
    account: Id,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit log for ever.")
    ] = "",
    actor: options.ActorOption = "cli",
) -> None:
    """Let changes through again.

    Example: heller account unfreeze ann --reason "the bank cleared it"
    """
    at.show(
        _audited(at, "unfreeze", account, reason, actor, lambda heller, a: heller.unfreeze(a, unit=at.unit))
    )


def _audited(
    at: Where, verb: str, name: str, reason: str, actor: str, do: Callable[[Ledger, str], Awaitable[Account]]
) -> Account:
    """Do it and write down in the audit log who did it and why, in one transaction."""

    async def work(connection: AsyncConnection) -> Account:
        ledger = within(connection)
        account = (await find(ledger, name, at.unit)).account
        async with connection.transaction():
            done = await do(ledger, account)
            detail = {"unit": at.unit} | ({"reason": reason} if reason else {})
            await call(connection, "note_audit", actor=actor, via="command_line", action=f"account.{verb}",
                       target=done.account, detail=detail)  # fmt: skip
            return done

    return at.look(work)


app.add_typer(account_verbs.app)
app.add_typer(account_holds.app)
app.add_typer(account_reading.app)
app.add_typer(account_many.app)
