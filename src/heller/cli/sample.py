"""``heller sample``: databases to try heller on."""

import re
import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import legacy_sample
from heller.cli import options, output
from heller.errors import InvalidArgument, MigrationError

EXIT_FINDINGS = 3

LegacyArgument = Annotated[
    str, typer.Argument(metavar="URL", envvar="LEGACY_DATABASE_URL", help="The legacy database.")
]

app = typer.Typer(add_completion=False, help="Legacy databases to try heller on.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Hold the sub-commands."""


@app.command("legacy")
def legacy(
    url: Annotated[str, typer.Argument(metavar="URL", help="An empty PostgreSQL database to fill.")],
    shape: Annotated[str, typer.Option(help="production, documented or drifted.")] = "production",
    users: Annotated[int, typer.Option(help="How many user rows.", min=0)] = 1_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.", min=0)] = 1,
    clean: Annotated[bool, typer.Option("--clean", help="Plant none of the messes.")] = False,
    truth: Annotated[
        Path | None,
        typer.Option(help="Where to write what was planted (default: legacy-truth-SHAPE-SEED.json)."),
    ] = None,
    from_export: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Load this folder of *_export.json files instead.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop an older sample that is there.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Build a legacy credit database, with every kind of mess.

    Realistic people, purchases, spends; a file says what was planted.

    Example: heller sample legacy "$LEGACY_DATABASE_URL" --users 200 --seed 7
    """
    if shape not in legacy_sample.SHAPES:
        raise InvalidArgument(
            f"There is no shape {shape}.",
            hint=f"Known are {', '.join(legacy_sample.SHAPES)}.",
            argument="shape",
        )
    options.answers(url)
    path = truth or Path(f"legacy-truth-{shape}-{seed}.json")
    try:
        with output.progress(quiet=as_json) as progress:
            if from_export is not None:
                summary = options.run(legacy_sample.load_export(url, from_export, replace=replace))
            else:
                summary = options.run(
                    legacy_sample.build(
                        url,
                        shape=shape,
                        users=users,
                        seed=seed,
                        clean=clean,
                        truth=path,
                        replace=replace,
                        progress=progress,
                    )
                )
    except legacy_sample.LegacySampleError as error:
        raise MigrationError(error.message, hint=error.hint) from None
    written = None if from_export is not None else str(path)
    if as_json:
        output.print_json(
            {
                "shape": summary.shape,
                "seed": summary.seed,
                "users": summary.users,
                "rows": dict(summary.rows),
                "credits": {
                    "balance": summary.credits.balance,
                    "transactions": summary.credits.transactions,
                    "ledger": summary.credits.ledger,
                },
                "planted": dict(summary.planted),
                "truth": written,
            }
        )
        return
    output.out.print(output.table("Rows", ("table", "rows>"), summary.rows.items()))
    if summary.planted:
        output.out.print(output.table("Planted", ("finding", "cases>"), summary.planted.items()))
    if written:
        output.talk.print(f"What was planted is in {written}")


@app.command("app")
def application(
    url: LegacyArgument,
    webhook_secret: Annotated[
        str,
        typer.Option(
            envvar="LEGACY_WEBHOOK_SECRET", show_envvar=True, help="Signing secret of its Stripe endpoint."
        ),
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of 127.0.0.1; it listens nowhere else.")
    ] = 8010,
    session_secret: Annotated[
        str | None,
        typer.Option(
            envvar="LEGACY_SESSION_SECRET",
            help="Signs the cookies (default: a new one, so a restart signs all out).",
        ),
    ] = None,
    stripe_key: Annotated[
        str, typer.Option(envvar="LEGACY_STRIPE_KEY", help="Its key of Stripe's test mode.")
    ] = "sk_test_legacy",
    stripe_api: Annotated[
        str | None,
        typer.Option(envvar="STRIPE_API_BASE", help="A stand-in of Stripe, such as 'python -m stripe_twin'."),
    ] = None,
    faults: Annotated[
        str,
        typer.Option(
            help="Its old defects to switch on, comma between: all, or a wrong name to see the list."
        ),
    ] = "",
    elsewhere: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Put heller's router in front: users who moved are sent here."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            envvar="DATABASE_URL",
            metavar="URL",
            help="heller's database: outcomes count there as the control arm.",
        ),
    ] = None,
) -> None:
    """Run the legacy application on such a database.

    Of the production shape: sign in, spend, buy, webhook.

    Example: heller sample app "$LEGACY_DATABASE_URL" --webhook-secret whsec_x
    """
    from heller.cli.living import legacy as process  # noqa: PLC0415  # FastAPI and SQLAlchemy are for this command alone
    from legacy_sample.app import Settings, faults_of  # noqa: PLC0415  # as above

    try:
        settings = Settings(
            database_url=url, session_secret=session_secret or secrets.token_hex(32), webhook_secret=webhook_secret,
            stripe_key=stripe_key, stripe_api=stripe_api, faults=faults_of(faults),
        )  # fmt: skip
        output.talk.print(f"The legacy application listens on http://{process.LOOPBACK}:{port}")
        options.run(process.serve(settings, port=port, database=database or None, elsewhere=elsewhere))
    except legacy_sample.LegacySampleError as error:
        raise MigrationError(error.message, hint=error.hint) from None


@app.command("traffic")
def traffic(
    url: LegacyArgument,
    application_url: Annotated[str, typer.Option("--app", metavar="URL", help="The legacy application.")],
    stripe_api: Annotated[
        str,
        typer.Option(
            envvar="STRIPE_API_BASE", metavar="URL", help="The stand-in of Stripe that both applications use."
        ),
    ],
    database: options.DatabaseOption = None,
    customers: Annotated[int, typer.Option(min=1, help="How many customers take part.")] = 100,
    rate: Annotated[float, typer.Option(min=0.1, max=1_000, help="Operations a second.")] = 20,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same customers do the same.")] = 1,
    record: Annotated[Path, typer.Option(help="Every acknowledged operation, as JSON lines.")] = Path(
        "traffic.jsonl"
    ),
    as_json: options.JsonOption = False,
) -> None:
    """Let customers use both systems; then compare every balance.

    They sign in, spend, undo, buy and get money back. Without --database they use the legacy application alone.

    Example: heller sample traffic --app http://127.0.0.1:8010 --seconds 60
    Exit 3: a balance is not what was acknowledged.
    """
    for option, address in (("--app", application_url), ("--stripe-api", stripe_api)):
        if not re.match(r"https?://[^/]", address):
            raise InvalidArgument(
                f"{option} {address} is no URL.",
                hint="It looks like http://127.0.0.1:8010.",
                argument=option[2:],
            )
    from heller.cli.living.visit import visit  # noqa: PLC0415  # as above

    told, who, wrong = options.run(
        visit(
            url, application_url, stripe_api, database, customers=customers, rate=rate, seconds=seconds, seed=seed, path=record
        )
    )  # fmt: skip
    if as_json:
        output.print_json(told.as_json() | {"customers": who, "ok": not wrong, "wrong": wrong})
    else:
        output.out.print(output.table("Acknowledged", ("what", "times>"), sorted(told.counts.items())))
        for sentence in wrong:
            output.talk.print(f"[bold red]Wrong:[/] {escape(sentence)}", markup=True)
    if wrong:
        raise typer.Exit(EXIT_FINDINGS)
