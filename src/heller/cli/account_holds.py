"""``heller account``: reserve credits, spend what was reserved, or let it go."""

from typing import Annotated

import typer

from heller.cli import options
from heller.cli.output import moment
from heller.cli.shared import (
    AllowPartial,
    Amount,
    Change,
    EffectiveAt,
    Id,
    Part,
    Reason,
    Rest,
    Where,
    change,
    step,
    taking,
    where,
)
from heller.ledger.operations import DEFAULT_HOLD_SECONDS

app = typer.Typer(add_completion=False)

HoldId = Annotated[int, typer.Argument(metavar="HOLD", help="Its number (heller account holds).")]
Seconds = Annotated[int, typer.Option("--seconds", help="How long it lasts from now.")]


@app.command("hold")
@taking(change)
def hold(
    call: Change,
    account: Id,
    amount: Amount,
    reason: Reason,
    seconds: Seconds = DEFAULT_HOLD_SECONDS,
    overrun_limit: Annotated[
        int,
        typer.Option(
            "--overrun-limit", help="How many more a capture may take, so that started work is finished."
        ),
    ] = 0,
    allow_partial: AllowPartial = False,
    min_available_after: Rest = None,
) -> None:
    """Reserve credits for a while.

    They come free by themselves when the time is over.

    Example: heller account hold ann 15 --seconds 600 --reason "resume improvement"
    """
    call.do(
        account,
        lambda heller, a: heller.place_hold(
            a,
            amount,
            seconds=seconds,
            overrun_limit=overrun_limit,
            reason=reason,
            key=call.key,
            allow_partial=allow_partial,
            min_available_after=min_available_after,
            **call.common,
        ),
    )


@app.command("capture")
@taking(change)
def capture(
    call: Change,
    account: Id,
    hold_id: HoldId,
    amount: Part = None,
    keep_open: Annotated[
        bool, typer.Option("--keep-open", help="Keep the rest reserved for a further part.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Default: the hold's own.")
    ] = None,
    effective_at: EffectiveAt = None,
) -> None:
    """Spend credits that a hold reserved, all or a part.

    The rest comes free, unless it is to be kept open.

    Example: heller account capture ann 4 --amount 12
    """
    call.do(
        account,
        lambda heller, a: heller.capture(
            a,
            hold_id,
            amount,
            final=not keep_open,
            reason=reason,
            key=call.key,
            effective_at=effective_at,
            **call.common,
        ),
    )


@app.command("release")
@taking(step)
def release(call: Change, account: Id, hold_id: HoldId) -> None:
    """End a hold without spending.

    Example: heller account release ann 4
    """
    call.do(account, lambda heller, a: heller.release(a, hold_id, **call.common))


@app.command("renew")
@taking(step)
def renew(call: Change, account: Id, hold_id: HoldId, seconds: Seconds = DEFAULT_HOLD_SECONDS) -> None:
    """Make a hold last longer.

    It never ends sooner than before.

    Example: heller account renew ann 4 --seconds 1200
    """
    call.do(account, lambda heller, a: heller.renew(a, hold_id, seconds=seconds, **call.common))


@app.command("holds")
@taking(where)
def holds(
    at: Where,
    account: Id,
    closed: Annotated[
        bool, typer.Option("--all", help="Also those that were captured, released or have expired.")
    ] = False,
    after: Annotated[
        int | None, typer.Option("--after", metavar="HOLD", help="The next page: after this hold.")
    ] = None,
    limit: options.PageOption = None,
) -> None:
    """List the holds of an account.

    Example: heller account holds ann --all
    """
    found = at.ask_of(
        account,
        lambda heller, a: heller.holds(a, unit=at.unit, include_closed=closed, after=after, limit=limit),
    )
    at.listed(
        found,
        ("hold>", "state", "amount>", "captured>", "until (UTC)", "reason"),
        lambda h: (h.hold, h.state, h.amount, h.captured, moment(h.expires_at), h.reason),
    )
