"""``heller stripe``: what is sold, what Stripe told us, and how to set right what differs."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from heller.cli import options, output, stripe_deliveries, stripe_prices
from heller.cli.stripe_shared import Reason, Since, plain, say, when, with_database, with_stripe
from heller.database import Database
from heller.stripe import deliveries
from heller.stripe.api import StripeApi
from heller.stripe.doctor import doctor as examine
from heller.stripe.reconcile import discrepancies as found_discrepancies
from heller.stripe.reconcile import reconcile as compare

EXIT_FINDINGS = 3

app = typer.Typer(
    add_completion=False,
    help="Stripe: prices, deliveries, reconcile. Its settings are STRIPE_... variables of the environment.",
    no_args_is_help=True,
)
app.add_typer(stripe_prices.app, name="prices")
app.add_typer(stripe_deliveries.app, name="deliveries")


@app.command("reconcile")
def reconcile(
    since: Since = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Compare Stripe's balance transactions as well.")
    ] = False,
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Compare Stripe with the ledger, and heal what differs.

    Its events and its objects.

    Example: heller stripe reconcile --since 35d
    Exit 3: something differed.
    """
    at = when(since)
    result = with_stripe(
        database, embedded, lambda d, a: compare(d, a, since=at, balance=balance, dry_run=dry_run)
    )
    if as_json:
        output.print_json({"clean": result.is_clean, **asdict(result)})
    else:
        output.out.print(
            f"{result.events_missed} missed events fetched; {result.looked_at} payments looked at: "
            f"{len(result.healed)} healed, {len(result.parked)} parked, {len(result.failed)} failed"
        )
        for word in ("healed", "parked", "failed", "unbooked"):
            for name in getattr(result, word):
                output.out.print(f"{word} {name}")
    if not result.is_clean:
        raise typer.Exit(EXIT_FINDINGS)


@app.command("replay")
def replay(
    event: Annotated[str | None, typer.Option("--event", metavar="EVT", help="This event (evt_...).")] = None,
    payment: Annotated[
        str | None, typer.Option("--payment", metavar="KEY", help="This payment (pi_..., cs_..., in_...).")
    ] = None,
    since: Since = None,
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Look at Stripe again; always safe.

    For one event, one payment, or all that had an event since an instant.

    Example: heller stripe replay --payment pi_3PqXyZ
    """
    at = when(since)

    async def work(opened_database: Database, api: StripeApi) -> Any:
        return await deliveries.replay(
            opened_database, api, event=event, payment=payment, since=at, dry_run=dry_run
        )

    results = [plain(result) for result in with_stripe(database, embedded, work)]
    if as_json:
        output.print_json(results)
        return
    for result in results:
        words = "would be " if result["dry_run"] else ""
        output.out.print(
            f"{result['payment_key']}: {words}{result['outcome']} {result['reason'] or ''} {result['delta']:+,}"
        )


@app.command("discrepancies")
def discrepancies(
    state: Annotated[
        Literal["open", "healed", "closed"] | None, typer.Option("--state", help="Only those that are so.")
    ] = None,
    since: Since = None,
    before: Annotated[int | None, typer.Option(help="The last number of the page before.")] = None,
    limit: options.LimitOption = 100,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show the differences that reconcile found, newest first.

    Example: heller stripe discrepancies --state open
    """
    at = when(since)
    found = with_database(
        database,
        embedded,
        lambda d: found_discrepancies(d, state=state, since=at, before=before, limit=limit),
    )
    if as_json:
        output.print_json(found)
        return
    rows = [
        (
            d["discrepancy_id"],
            d["found_at"][:19],
            d["kind"],
            d["state"],
            d["payment_key"] or "",
            d["note"] or "",
        )
        for d in found
    ]
    output.out.print(output.table(None, ("no>", "found (UTC)", "kind", "state", "payment", "note"), rows))


@app.command("doctor")
def doctor(
    url: Annotated[
        str | None, typer.Option("--url", help="Our webhook's address, if the account has several.")
    ] = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Look at endpoint, secrets, versions, clock and queue.

    What is wrong is said, and how to mend it.

    Example: heller stripe doctor
    Exit 1: something fails.
    """
    checks = with_stripe(database, embedded, lambda d, a: examine(d, a, webhook_url=url))
    is_ok = all(check.status != "failed" for check in checks)
    if as_json:
        output.print_json({"ok": is_ok, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            output.out.print(f"{check.status:8}{check.name}: {check.found}")
            if check.mend:
                output.out.print(f"        {check.mend}")
    if not is_ok:
        raise typer.Exit(1)


@app.command("adjust")
def adjust(
    account: Annotated[str, typer.Argument(metavar="ID", help="The account.")],
    amount: Annotated[int, typer.Argument(metavar="AMOUNT", help="Whole credits, up (50) or down (-50).")],
    payment: Annotated[str, typer.Option("--payment", help="The payment this answers.")],
    reason: Reason,
    actor: options.ActorOption = "cli",
    even_unseen: Annotated[
        bool, typer.Option("--even-unseen", help="Also a payment that nothing is known of here.")
    ] = False,
    key: options.KeyOption = None,
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Credit by hand in answer to a payment, once.

    The payment itself is never credited after it.

    Example: heller stripe adjust ann 50 --payment pi_3PqXyZ --reason "paid by wire"
    """

    async def work(opened_database: Database) -> Any:
        return await deliveries.adjust(
            opened_database,
            account,
            amount,
            payment_key=payment,
            actor=actor,
            reason=reason,
            unit=unit,
            key=key,
            dry_run=dry_run,
            even_unseen=even_unseen,
        )

    result = with_database(database, embedded, work)
    say(
        result, as_json, lambda r: f"adjust {r['delta']:+,} on {r['account']}; balance {r['balance_after']:,}"
    )
