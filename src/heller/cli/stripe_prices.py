"""``heller stripe prices``: what can be bought."""

from dataclasses import asdict
from typing import Annotated

import typer

from heller.cli import options, output
from heller.cli.stripe_shared import say, with_database, with_stripe
from heller.database import Database
from heller.stripe import catalogue

app = typer.Typer(add_completion=False, help="What can be bought.", no_args_is_help=True)


@app.command("list")
def list_prices(
    include_retired: Annotated[bool, typer.Option("--all", help="What was sold earlier, too.")] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show what can be bought.

    Example: heller stripe prices list --all
    """
    found = with_database(database, embedded, lambda d: catalogue.prices(d, include_retired=include_retired))
    if as_json:
        output.print_json([asdict(price) for price in found])
        return
    rows = [
        (
            p.price,
            p.product,
            p.pack,
            p.credits,
            p.unit,
            f"{p.amount:,} {p.currency}",
            p.period or "",
            p.stripe_price or "",
            p.active,
        )
        for p in found
    ]
    columns = ("price", "product", "pack", "credits>", "unit", "minor units>", "every", "at Stripe", "sold")
    output.out.print(output.table(None, columns, rows))


@app.command("add")
def add_price(
    price: Annotated[str, typer.Argument(metavar="NAME", help="Your own name for it.")],
    credits: Annotated[
        int, typer.Option("--credits", help="Whole credits it gives.")
    ],  # the word of the glossary
    amount: Annotated[int, typer.Option("--amount", help="What it costs, in minor units (cents).")],
    currency: Annotated[str, typer.Option("--currency", help="Three letters.")],
    product: Annotated[str, typer.Option("--product", help="What is sold.")] = "Credits",
    pack: Annotated[str | None, typer.Option("--pack", help="Which size of it (default: the name).")] = None,
    period: Annotated[
        str | None, typer.Option("--every", help="day, week, month or year: a subscription.")
    ] = None,
    carry: Annotated[
        str | None, typer.Option("--carry", help="Unused credits of a period: roll_over or expire.")
    ] = None,
    valid_days: Annotated[
        int | None, typer.Option("--valid-days", help="How long the credits are good.")
    ] = None,
    stripe_price: Annotated[
        str | None, typer.Option("--stripe-price", help="Its price_... at Stripe.")
    ] = None,
    unit: options.UnitOption = "credit",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sell something.

    What a name costs and gives never changes: retire it and add another.

    Example: heller stripe prices add small --credits 100 --amount 500 --currency eur
    """

    async def work(opened_database: Database) -> catalogue.Price:
        return await catalogue.add_price(
            opened_database,
            price,
            product=product,
            pack=pack or price,
            credits=credits,
            currency=currency,
            amount=amount,
            unit=unit,
            period=period,
            carry=carry,
            valid_days=valid_days,
            stripe_price=stripe_price,
        )

    say(
        with_database(database, embedded, work),
        as_json,
        lambda p: f"{p.price}: {p.credits:,} {p.unit} for {p.amount:,} {p.currency}",
    )


@app.command("retire")
def retire_price(
    price: Annotated[
        str, typer.Argument(metavar="NAME", help="Your own name for it (heller stripe prices list).")
    ],
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sell it no more.

    Orders that were placed keep what they promised.

    Example: heller stripe prices retire small
    """
    say(
        with_database(database, embedded, lambda d: catalogue.retire_price(d, price)),
        as_json,
        lambda p: f"{p.price} is retired",
    )


@app.command("sync")
def sync_prices(
    push: Annotated[
        bool, typer.Option("--push/--pull", help="Make ours at Stripe, or take over Stripe's.")
    ] = False,
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Bring the catalogue and Stripe's prices together.

    Stripe's say their credits in metadata.

    Example: heller stripe prices sync --push
    """
    step = catalogue.push if push else catalogue.pull
    synced = with_stripe(database, embedded, lambda d, a: step(d, a, dry_run=dry_run))
    if as_json:
        output.print_json(asdict(synced))
        return
    for word in ("pulled", "pushed", "retired"):
        for name in getattr(synced, word):
            output.out.print(f"{word} {name}")
    for name, reason in synced.skipped.items():
        output.talk.print(f"skipped {name}: {reason}")
    if not any(asdict(synced).values()):
        output.talk.print("Nothing to pull." if not push else "Nothing to push.")
