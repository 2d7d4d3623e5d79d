"""``heller account``: the verbs that change credits, each with the options that all of them share."""

from datetime import datetime
from typing import Annotated

import typer

from heller import Heller
from heller.cli.shared import (
    AllowPartial,
    Amount,
    Change,
    EffectiveAt,
    Id,
    Part,
    Reason,
    Rest,
    Seq,
    change,
    find,
    instant,
    taking,
)
from heller.ledger.results import Transaction

app = typer.Typer(add_completion=False)

AllowDebt = Annotated[bool, typer.Option("--allow-debt", help="Let the balance go below zero.")]


@app.command("spend")
@taking(change)
def spend(
    call: Change,
    account: Id,
    amount: Amount,
    reason: Reason,
    allow_partial: AllowPartial = False,
    min_available_after: Rest = None,
    effective_at: EffectiveAt = None,
) -> None:
    """Take credits for something.

    Example: heller account spend ann 10 --reason "job analysis" --key analysis-42
    """
    call.do(
        account,
        lambda heller, a: heller.spend(
            a,
            amount,
            reason=reason,
            key=call.key,
            allow_partial=allow_partial,
            min_available_after=min_available_after,
            effective_at=effective_at,
            **call.common,
        ),
    )


@app.command("grant")
@taking(change)
def grant(
    call: Change,
    account: Id,
    amount: Amount,
    reason: Reason,
    source: Annotated[
        str, typer.Option(help="purchase, promotion, subscription or adjustment.")
    ] = "promotion",
    expires_at: Annotated[
        datetime | None,
        typer.Option(
            "--expires-at", parser=instant, metavar="WHEN", help="When the rest is forfeited, in UTC."
        ),
    ] = None,
    available_at: Annotated[
        datetime | None,
        typer.Option("--available-at", parser=instant, metavar="WHEN", help="From when they count, in UTC."),
    ] = None,
    priority: Annotated[int, typer.Option(help="Smaller burns first.")] = 100,
    cost: Annotated[int, typer.Option(help="What was paid for all of them, in minor units (cents).")] = 0,
    currency: Annotated[str | None, typer.Option(help="Of the cost, such as eur.")] = None,
    payment: Annotated[str | None, typer.Option(help="The payment that bought them.")] = None,
    effective_at: EffectiveAt = None,
) -> None:
    """Give credits, for ever or until a date.

    Example: heller account grant ann 100 --reason welcome --expires-at 2027-12-31
    """
    call.do(
        account,
        lambda heller, a: heller.grant(
            a,
            amount,
            source=source,
            reason=reason,
            key=call.key,
            priority=priority,
            expires_at=expires_at,
            available_at=available_at,
            cost=cost,
            currency=currency,
            payment=payment,
            effective_at=effective_at,
            **call.common,
        ),
    )


@app.command("adjust")
@taking(change)
def adjust(
    call: Change,
    account: Id,
    amount: Annotated[int, typer.Argument(metavar="AMOUNT", help="Whole credits, up (50) or down (-50).")],
    reason: Reason,
    allow_debt: AllowDebt = False,
    effective_at: EffectiveAt = None,
) -> None:
    """Correct a balance by hand, up or down.

    Example: heller account adjust ann -50 --reason "booked twice in March"
    """
    call.do(
        account,
        lambda heller, a: heller.adjust(
            a,
            amount,
            reason=reason,
            key=call.key,
            policy="debt" if allow_debt else "refuse",
            effective_at=effective_at,
            **call.common,
        ),
    )


@app.command("refund")
@taking(change)
def refund(
    call: Change, account: Id, seq: Seq, reason: Reason, amount: Part = None, effective_at: EffectiveAt = None
) -> None:
    """Undo a spend, wholly or in part, into the grants that paid it.

    Example: heller account refund ann 7 --amount 5 --reason "half of it failed"
    """
    call.do(
        account,
        lambda heller, a: heller.refund(
            a, seq, amount, reason=reason, key=call.key, effective_at=effective_at, **call.common
        ),
    )


@app.command("reverse")
@taking(change)
def reverse(
    call: Change,
    account: Id,
    seq: Seq,
    reason: Reason,
    allow_debt: AllowDebt = False,
    effective_at: EffectiveAt = None,
) -> None:
    """Undo what is left of any transaction as a whole.

    A spend, a grant, an expiry, a transfer, a correction.

    Example: heller account reverse ann 7 --reason "wrong account"
    """
    call.do(
        account,
        lambda heller, a: heller.reverse(
            a,
            seq,
            reason=reason,
            key=call.key,
            policy="debt" if allow_debt else "refuse",
            effective_at=effective_at,
            **call.common,
        ),
    )


@app.command("transfer")
@taking(change)
def transfer(
    call: Change,
    account: Id,
    amount: Amount,
    reason: Reason,
    to: Annotated[str, typer.Option("--to", metavar="ID", help="The account that receives them.")],
    allow_partial: AllowPartial = False,
    min_available_after: Rest = None,
    effective_at: EffectiveAt = None,
) -> None:
    """Move credits to another account.

    Example: heller account transfer ann 25 --to ben --reason gift
    """

    async def verb(heller: Heller, giver: str) -> Transaction:
        taker = await find(heller, to, call.unit)
        return await heller.transfer(
            giver,
            taker.account,
            amount,
            reason=reason,
            key=call.key,
            allow_partial=allow_partial,
            min_available_after=min_available_after,
            effective_at=effective_at,
            **call.common,
        )

    call.do(account, verb)


@app.command("void")
@taking(change)
def void(
    call: Change,
    account: Id,
    grant_id: Annotated[int, typer.Argument(metavar="GRANT", help="Its number (heller account grants).")],
    reason: Reason,
    effective_at: EffectiveAt = None,
) -> None:
    """Take back the unused rest of a grant.

    Credits under a hold stay.

    Example: heller account void ann 3 --reason "the promotion was a mistake"
    """
    call.do(
        account,
        lambda heller, a: heller.void(
            a, grant_id, reason=reason, key=call.key, effective_at=effective_at, **call.common
        ),
    )


@app.command("clawback")
@taking(change)
def clawback(
    call: Change,
    account: Id,
    amount: Amount,
    reason: Reason,
    payment: Annotated[
        str | None, typer.Option(help="The payment that was taken back: its grant pays first.")
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            help="What if they are spent: debt (below zero), clamp (only what is free), grant (only what is left of that purchase)."
        ),
    ] = "debt",
    effective_at: EffectiveAt = None,
) -> None:
    """Take credits because a payment was taken back.

    Example: heller account clawback ann 100 --payment pi_1 --reason dispute
    """
    call.do(
        account,
        lambda heller, a: heller.clawback(
            a,
            amount,
            payment=payment,
            policy=policy,
            reason=reason,
            key=call.key,
            effective_at=effective_at,
            **call.common,
        ),
    )


@app.command("reinstate")
@taking(change)
def reinstate(
    call: Change, account: Id, seq: Seq, reason: Reason, amount: Part = None, effective_at: EffectiveAt = None
) -> None:
    """Undo a clawback: the dispute was won.

    Example: heller account reinstate ann 9 --reason "the dispute was won"
    """
    call.do(
        account,
        lambda heller, a: heller.reinstate(
            a, seq, amount, reason=reason, key=call.key, effective_at=effective_at, **call.common
        ),
    )
