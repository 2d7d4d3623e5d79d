"""``heller stripe deliveries``: the inbox, and its one-command remedies."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from heller.cli import options, output
from heller.cli.stripe_shared import Reason, Since, plain, say, when, with_database, with_stripe
from heller.database import Database
from heller.stripe import deliveries
from heller.stripe.api import StripeApi

app = typer.Typer(
    add_completion=False, help="The inbox: each event of Stripe, and what became of it.", no_args_is_help=True
)

NUMBER = "Its number (heller stripe deliveries list)."
Number = Annotated[int, typer.Argument(metavar="NO", help=NUMBER)]


@app.command("list")
def list_deliveries(
    status: Annotated[
        Literal["pending", "processing", "done", "ignored", "parked", "dead"] | None,
        typer.Option("--status", help="Only those that are so."),
    ] = None,
    payment: Annotated[str | None, typer.Option(help="Only this payment's.")] = None,
    event_type: Annotated[str | None, typer.Option("--type", help="Only this type of event.")] = None,
    since: Since = None,
    before: Annotated[int | None, typer.Option(help="The last number of the page before.")] = None,
    limit: options.LimitOption = 50,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show the inbox, newest first.

    Example: heller stripe deliveries list --status parked
    """
    at = when(since)

    async def work(opened_database: Database) -> list[deliveries.Delivery]:
        return await deliveries.deliveries(
            opened_database,
            status=status,
            payment_key=payment,
            event_type=event_type,
            since=at,
            before=before,
            limit=limit,
        )

    found = with_database(database, embedded, work)
    if as_json:
        output.print_json([asdict(row) for row in found])
        return
    rows = [
        (
            r.inbox_id,
            r.received_at[:19],
            r.type,
            r.status,
            r.reason or "",
            r.payment_key or "",
            r.deliveries,
            r.attempts,
        )
        for r in found
    ]
    columns = ("no>", "received (UTC)", "type", "status", "reason", "payment", "deliveries>", "attempts>")
    output.out.print(output.table(None, columns, rows))


@app.command("show")
def show_delivery(
    number: Number,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show one event as it came, and its payment.

    Example: heller stripe deliveries show 17
    """
    found = with_database(database, embedded, lambda d: deliveries.delivery(d, number))
    shown = {k: v for k, v in asdict(found).items() if v is not None}
    if found.body is not None:
        shown["body"] = found.body.decode(errors="replace")
    if as_json:
        output.print_json(shown)
    else:
        output.out.print(output.table(None, ("field", "value"), shown.items()))


@app.command("retry")
def retry_delivery(
    number: Annotated[int | None, typer.Argument(metavar="NO", help=NUMBER)] = None,
    payment: Annotated[str | None, typer.Option(help="All events of this payment instead.")] = None,
    actor: options.ActorOption = "cli",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Put events back into the queue, whatever became of them.

    The worker looks at Stripe anew.

    Example: heller stripe deliveries retry 17
    """

    async def work(opened_database: Database) -> int:
        if number is not None:
            await deliveries.delivery(opened_database, number)  # says so where there is none
        return await deliveries.retry(opened_database, inbox_id=number, payment_key=payment, actor=actor)

    count = with_database(database, embedded, work)
    say({"queued": count}, as_json, lambda r: f"{r['queued']} back in the queue")


@app.command("ignore")
def ignore_delivery(
    number: Number,
    reason: Reason,
    actor: options.ActorOption = "cli",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Decide that nothing is to be done about an event.

    Example: heller stripe deliveries ignore 17 --reason "a test of ours"
    """
    with_database(database, embedded, lambda d: deliveries.ignore(d, number, actor=actor, reason=reason))
    say({"ignored": number}, as_json, lambda r: f"delivery {r['ignored']} is ignored")


@app.command("assign")
def assign_payment(
    payment: Annotated[
        str, typer.Argument(metavar="PAYMENT", help="The payment's key (pi_..., cs_..., in_...).")
    ],
    account: Annotated[str, typer.Option("--account", help="Whose it is.")],
    credits: Annotated[int, typer.Option("--credits", help="What it is worth.")],  # the word of the glossary
    reason: Reason,
    actor: options.ActorOption = "cli",
    unit: options.UnitOption = "credit",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say whose a parked payment is.

    It is credited if Stripe says that it was paid.

    Example: heller stripe deliveries assign pi_1 --account ann --credits 9 --reason mail
    """

    async def work(opened_database: Database, api: StripeApi) -> Any:
        await deliveries.assign(
            opened_database, payment, account=account, credits=credits, actor=actor, reason=reason, unit=unit
        )
        return (await deliveries.replay(opened_database, api, payment=payment))[0]

    result = with_stripe(database, embedded, work)
    say(plain(result), as_json, lambda r: f"{r['payment_key']}: {r['outcome']}, {r['delta']:+,} credits")
