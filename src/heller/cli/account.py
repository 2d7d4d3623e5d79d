"""``heller account``: look at accounts and change them by hand."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from heller import Heller
from heller.cli import options, output
from heller.errors import InvalidArgument, UnknownAccount
from heller.ledger.results import Account, Transaction

app = typer.Typer(
    add_completion=False, help="Accounts: look at them, change them by hand.", no_args_is_help=True
)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The account, or any name of its user (e-mail, auth0, ...).")
]
Amount = Annotated[int, typer.Argument(metavar="AMOUNT", help="Whole credits.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the ledger for ever.")]
Actor = Annotated[str, typer.Option("--actor", help="Who does it.")]


async def find(heller: Heller, name: str, unit: str) -> Account:
    """The account meant by an account id or by any identity of its user.

    Raises:
        UnknownAccount: nobody is known by that name.
        InvalidArgument: several users, or several accounts, are.
    """
    try:
        return await heller.balance(name, unit=unit)
    except UnknownAccount as unknown:
        users = await heller.resolve(name)
        accounts = [a for user in users for a in await heller.accounts_of(user) if a.unit == unit]
        if not accounts:
            raise unknown from None
        if len(accounts) > 1:
            raise InvalidArgument(
                f"{name} means several accounts: {', '.join(a.account for a in accounts)}.",
                hint="Name one of them.",
                argument="id",
            ) from None
        return accounts[0]


def _do(
    database: str | None,
    embedded: Any,
    name: str,
    unit: str,
    verb: Callable[[Heller, str], Awaitable[Any]],
    as_json: bool,
) -> None:
    async def work(url: str) -> Any:
        async with Heller.connect(url, pool_max=2) as heller:
            account = await find(heller, name, unit)
            return await verb(heller, account.account)

    with options.database_url(database, embedded) as url:
        result = options.run(work(url))
    _print(result, as_json)


def _print(result: Any, as_json: bool) -> None:
    if as_json:
        output.print_json({name: value for name, value in asdict(result).items() if value is not None})
    elif isinstance(result, Transaction):
        prefix = "Would be: " if result.dry_run else "Known already: " if result.replayed else ""
        output.out.print(
            f"{prefix}{result.kind} {result.delta:+,} on {result.account}; "
            f"balance {result.balance_before:,} -> {result.balance_after:,} (transaction {result.seq})"
        )
    else:
        output.out.print(
            output.table(
                None, ("field", "value"), [(k, v) for k, v in asdict(result).items() if v is not None]
            )
        )


@app.command("open")
def open_account(
    account: Annotated[str, typer.Argument(metavar="ID", help="The new account's id: your own text.")],
    user: Annotated[
        str | None, typer.Option("--user", help="The user it belongs to (default: the same id).")
    ] = None,
    email: Annotated[str | None, typer.Option("--email", help="An e-mail the user is known by.")] = None,
    overdraft_limit: Annotated[int, typer.Option(help="How far spends may go below zero, in credits.")] = 0,
    unit: options.UnitOption = "credit",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Open an account; again with the same properties changes nothing."""

    async def work(url: str) -> Account:
        async with Heller.connect(url, pool_max=2) as heller:
            opened = await heller.open_account(
                account, user=user or account, overdraft_limit=overdraft_limit, unit=unit
            )
            if email is not None:
                await heller.add_identity(user or account, "email", email)
            return opened

    with options.database_url(database, embedded) as url:
        _print(options.run(work(url)), as_json)


@app.command("show")
def show(
    account: Id,
    limit: Annotated[int, typer.Option(help="How many of the newest transactions.", min=1, max=1000)] = 1000,
    at: Annotated[
        datetime | None, typer.Option("--at", help="Also the balance as of this UTC instant.")
    ] = None,
    unit: options.UnitOption = "credit",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show balance, grants, holds and transactions of one account."""

    async def work(url: str) -> dict[str, Any]:
        async with Heller.connect(url, pool_max=2) as heller:
            found = await find(heller, account, unit)
            history = await heller.history(found.account, unit=unit, limit=limit)
            shown = asdict(found) | {
                "identities": await heller.identities_of(found.user) if found.user else [],
                "grants": [asdict(grant) for grant in await heller.grants(found.account, unit=unit)],
                "holds": [asdict(hold) for hold in await heller.holds(found.account, unit=unit)],
                "transaction_count": found.transactions,
                "transactions": [asdict(line) for line in reversed(history)],
            }
            if at is not None:
                shown["posted_at"] = await heller.balance_at(found.account, at, unit=unit)
            return shown

    with options.database_url(database, embedded) as url:
        shown = options.run(work(url))
    if as_json:
        output.print_json(shown)
        return
    output.out.print(
        f"[bold]{shown['account']}[/]  posted {shown['posted']:,}  held {shown['held']:,}  "
        f"available {shown['available']:,} {shown['unit']}"
        + (f"  FROZEN: {shown['frozen_reason']}" if shown["frozen"] else "")
    )
    if at is not None:
        output.out.print(f"posted at {output.moment(at)} UTC: {shown['posted_at']:,}")
    if shown["identities"]:
        output.out.print("known as " + ", ".join(f"{i['name']} ({i['kind']})" for i in shown["identities"]))
    output.out.print(
        output.table(
            None,
            ("seq>", "when (UTC)", "kind", "delta>", "balance>", "reason"),
            [
                (
                    t["seq"],
                    output.moment(t["effective_at"]),
                    t["kind"],
                    f"{t['delta']:+,}",
                    t["balance_after"],
                    t["reason"],
                )
                for t in shown["transactions"]
            ],
        )
    )


@app.command("spend")
def spend(
    account: Id,
    amount: Amount,
    reason: Reason,
    key: options.KeyOption = None,
    actor: Actor = "cli",
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Take credits for something."""
    _do(
        database,
        embedded,
        account,
        unit,
        lambda heller, a: heller.spend(
            a, amount, reason=reason, key=key, actor=actor, unit=unit, dry_run=dry_run
        ),
        as_json,
    )


@app.command("grant")
def grant(
    account: Id,
    amount: Amount,
    reason: Reason,
    source: Annotated[
        str, typer.Option(help="purchase, promotion, subscription or adjustment.")
    ] = "promotion",
    expires_at: Annotated[
        datetime | None, typer.Option(help="UTC instant at which the rest is forfeited.")
    ] = None,
    available_at: Annotated[datetime | None, typer.Option(help="UTC instant from which they count.")] = None,
    priority: Annotated[int, typer.Option(help="Smaller burns first.")] = 100,
    key: options.KeyOption = None,
    actor: Actor = "cli",
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Give credits, for ever or until a date."""
    _do(
        database,
        embedded,
        account,
        unit,
        lambda heller, a: heller.grant(
            a,
            amount,
            source=source,
            reason=reason,
            key=key,
            actor=actor,
            unit=unit,
            priority=priority,
            expires_at=_utc(expires_at),
            available_at=_utc(available_at),
            dry_run=dry_run,
        ),
        as_json,
    )


@app.command("adjust", context_settings={"ignore_unknown_options": True})
def adjust(
    account: Id,
    amount: Annotated[int, typer.Argument(metavar="AMOUNT", help="Whole credits, up (50) or down (-50).")],
    reason: Reason,
    allow_debt: Annotated[bool, typer.Option(help="Let the balance go below zero.")] = False,
    key: options.KeyOption = None,
    actor: Actor = "cli",
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Correct a balance by hand, up or down."""
    policy = "debt" if allow_debt else "refuse"
    _do(
        database,
        embedded,
        account,
        unit,
        lambda heller, a: heller.adjust(
            a, amount, reason=reason, key=key, actor=actor, unit=unit, policy=policy, dry_run=dry_run
        ),
        as_json,
    )


@app.command("refund")
def refund(
    account: Id,
    seq: Annotated[int, typer.Argument(metavar="SEQ", help="The spend to undo.")],
    reason: Reason,
    amount: Annotated[int | None, typer.Option(help="Only so many credits of it.")] = None,
    key: options.KeyOption = None,
    actor: Actor = "cli",
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Undo a spend, wholly or in part."""
    _do(
        database,
        embedded,
        account,
        unit,
        lambda heller, a: heller.refund(
            a, seq, amount, reason=reason, key=key, actor=actor, unit=unit, dry_run=dry_run
        ),
        as_json,
    )


@app.command("transfer")
def transfer(
    account: Id,
    amount: Amount,
    reason: Reason,
    to: Annotated[str, typer.Option("--to", metavar="ID", help="The account that receives them.")],
    key: options.KeyOption = None,
    actor: Actor = "cli",
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Move credits to another account, all or nothing."""

    async def verb(heller: Heller, giver: str) -> Transaction:
        taker = await find(heller, to, unit)
        return await heller.transfer(
            giver, taker.account, amount, reason=reason, key=key, actor=actor, unit=unit, dry_run=dry_run
        )

    _do(database, embedded, account, unit, verb, as_json)


@app.command("freeze")
def freeze(
    account: Id,
    reason: Reason,
    unit: options.UnitOption = "credit",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Take no change of an account until unfreeze."""
    _do(database, embedded, account, unit, lambda heller, a: heller.freeze(a, reason, unit=unit), as_json)


@app.command("unfreeze")
def unfreeze(
    account: Id,
    unit: options.UnitOption = "credit",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Let changes through again."""
    _do(database, embedded, account, unit, lambda heller, a: heller.unfreeze(a, unit=unit), as_json)


def _utc(value: datetime | None) -> datetime | None:
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
