"""``heller top-up``: accounts that buy credits by themselves. The worker buys; these commands keep the rules."""

from typing import Annotated, Any

import typer

from heller.cli.output import moment, out, print_json
from heller.cli.shared import Id, Where, anywhere, print_result, taking, where
from heller.database import call_many
from heller.errors import InvalidArgument

app = typer.Typer(
    add_completion=False, help="Automatic top-up: rules by which accounts buy credits.", no_args_is_help=True
)


@app.command("put")
@taking(where)
def put(
    at: Where,
    account: Id,
    threshold: Annotated[
        int, typer.Option("--threshold", help="Buy when fewer credits than this are available.")
    ],
    price: Annotated[str, typer.Option("--price", help="What to buy (heller stripe prices list).")],
    quantity: Annotated[int, typer.Option(help="How many of it.")] = 1,
    ceiling: Annotated[
        int | None,
        typer.Option(help="The most money, in minor units, within --ceiling-days (default: no ceiling)."),
    ] = None,
    ceiling_days: Annotated[int, typer.Option(help="The days the ceiling is for.")] = 30,
    cooldown_seconds: Annotated[int, typer.Option(help="The least time between two attempts.")] = 300,
    failures_max: Annotated[int, typer.Option(help="So many failures in a row pause the rule.")] = 3,
) -> None:
    """Let an account buy by itself when it runs low.

    Again changes the rule.

    Example: heller top-up put ann --threshold 20 --price small --ceiling 5000
    """
    _require_on_sale(at, price)
    at.show(
        at.ask_of(
            account,
            lambda heller, a: heller.put_top_up_rule(
                a,
                threshold=threshold,
                price=price,
                quantity=quantity,
                ceiling=ceiling,
                ceiling_days=ceiling_days,
                cooldown_seconds=cooldown_seconds,
                failures_max=failures_max,
                unit=at.unit,
            ),
        )
    )


def _require_on_sale(at: Where, name: str) -> None:
    on_sale = at.look(lambda connection: call_many(connection, "stripe_prices"))
    if not any(price["price"] == name and price["unit"] == at.unit for price in on_sale):
        raise InvalidArgument(
            f"No price {name} is on sale for the unit {at.unit}.",
            hint="'heller stripe prices list' shows them, 'heller stripe prices add' makes one.",
            argument="price",
        )


@app.command("show")
@taking(where)
def show(at: Where, account: Id) -> None:
    """Show the rule of an account.

    Whether it is paused, why, and when it last tried.

    Example: heller top-up show ann
    """
    rule = at.ask_of(account, lambda heller, a: heller.top_up_rule(a, unit=at.unit))
    if rule is not None:
        print_result(rule, as_json=at.as_json)
    elif at.as_json:
        print_json(None)
    else:
        out.print("The account has no rule.")


@app.command("remove")
@taking(where)
def remove(at: Where, account: Id) -> None:
    """End automatic top-ups of an account.

    Example: heller top-up remove ann
    """
    removed = at.ask_of(account, lambda heller, a: heller.remove_top_up_rule(a, unit=at.unit))
    if at.as_json:
        print_json({"removed": removed})
    else:
        out.print("Removed." if removed else "There was no rule.")


@app.command("resume")
@taking(where)
def resume(at: Where, account: Id) -> None:
    """End the pause after failures: the worker tries again.

    Example: heller top-up resume ann
    """
    at.show(at.ask_of(account, lambda heller, a: heller.resume_top_up(a, unit=at.unit)))


@app.command("due")
@taking(anywhere)
def due(
    at: Where, limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = 100
) -> None:
    """List the rules that the worker would act on now.

    Example: heller top-up due
    """
    found = at.ask(lambda heller: heller.due_top_ups(limit=limit))
    at.listed(found, ("account", "available>", "threshold>", "price", "spent>", "last tried (UTC)"), _cells)


def _cells(rule: Any) -> tuple[Any, ...]:
    return (
        rule.account,
        rule.available,
        rule.threshold,
        rule.price,
        rule.spent or 0,
        moment(rule.attempted_at),
    )
