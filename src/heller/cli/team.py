"""``heller team``: who may spend from an account, how much, and who spent what."""

from typing import Annotated, Any

import typer

from heller.cli import options
from heller.cli.shared import (
    AllowPartial,
    Amount,
    EffectiveAt,
    Id,
    IfVersion,
    Metadata,
    Reason,
    Rest,
    Since,
    Until,
    Where,
    taking,
    where,
)

app = typer.Typer(
    add_completion=False,
    help="Teams: members of an account, their caps, who spent what.",
    no_args_is_help=True,
)

Member = Annotated[str, typer.Argument(metavar="MEMBER", help="Your own id of the person.")]


def _cells(member: Any) -> tuple[Any, ...]:
    no_cap = "no cap" if member.cap is None else member.cap
    left = "" if member.left is None else member.left
    return member.member, no_cap, member.period, member.spent, left, "former" if member.left_at else ""


@app.command("members")
@taking(where)
def members(
    at: Where,
    account: Id,
    former: Annotated[bool, typer.Option("--all", help="Also those who have left.")] = False,
    after: Annotated[
        str, typer.Option("--after", metavar="MEMBER", help="The next page: after this member.")
    ] = "",
    limit: options.PageOption = None,
) -> None:
    """List the members of an account.

    With what each has spent and may still spend in this period.

    Example: heller team members acme
    """
    found = at.ask_of(
        account,
        lambda heller, a: heller.members(a, unit=at.unit, include_former=former, after=after, limit=limit),
    )
    at.listed(found, ("member", "cap>", "per", "spent>", "left>", ""), _cells)


@app.command("put")
@taking(where)
def put(
    at: Where,
    account: Id,
    member: Member,
    cap: Annotated[int | None, typer.Option(help="Credits per period (default: no cap).")] = None,
    period: Annotated[str, typer.Option(help="day, week, month, year or ever.")] = "month",
) -> None:
    """Let somebody spend from an account; again changes the cap.

    Example: heller team put acme ben --cap 500 --period month
    """
    at.show(
        at.ask_of(
            account, lambda heller, a: heller.put_member(a, member, cap=cap, period=period, unit=at.unit)
        )
    )


@app.command("remove")
@taking(where)
def remove(at: Where, account: Id, member: Member) -> None:
    """End a membership; what was spent stays on record.

    Example: heller team remove acme ben
    """
    at.show(at.ask_of(account, lambda heller, a: heller.remove_member(a, member, unit=at.unit)))


@app.command("spend")
@taking(where)
def spend(
    at: Where,
    account: Id,
    member: Member,
    amount: Amount,
    reason: Reason,
    key: options.KeyOption = None,
    metadata: Metadata = None,
    allow_partial: AllowPartial = False,
    min_available_after: Rest = None,
    effective_at: EffectiveAt = None,
    if_version: IfVersion = None,
    dry_run: options.DryRunOption = False,
) -> None:
    """A member spends, within the credits and its cap.

    Example: heller team spend acme ben 10 --reason "job analysis"
    """
    at.show(
        at.ask_of(
            account,
            lambda heller, a: heller.spend_as(
                a,
                member,
                amount,
                key=key,
                reason=reason,
                unit=at.unit,
                metadata=metadata,
                allow_partial=allow_partial,
                min_available_after=min_available_after,
                effective_at=effective_at,
                if_version=if_version,
                dry_run=dry_run,
            ),
        )
    )


@app.command("spending")
@taking(where)
def spending(at: Where, account: Id, since: Since = None, until: Until = None) -> None:
    """Say who spent what of an account, the largest first.

    Example: heller team spending acme --since 30d
    """
    found = at.ask_of(
        account, lambda heller, a: heller.spending_by_member(a, since=since, until=until, unit=at.unit)
    )
    at.listed(
        found,
        ("member", "spent>", "refunded>", "spends>"),
        lambda s: (s.member or "nobody named", s.spent, s.refunded, s.count),
    )
