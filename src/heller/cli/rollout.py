"""``heller rollout``: the gradual change of homes, by stages and under guardrails."""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import AsyncConnection
from rich.markup import escape

from heller.cli import options, output
from heller.database import call, connect
from heller.errors import HellerError, InvalidArgument
from heller.migration.handover.runs import open_sides
from heller.rollout import state
from heller.rollout.alerts import Alerts
from heller.rollout.controller import tick
from heller.rollout.state import Rollout

app = typer.Typer(
    add_completion=False,
    help="The gradual change of homes, by stages, under guardrails.",
    no_args_is_help=True,
)

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the log for ever.")]
AlertOption = Annotated[
    str | None,
    typer.Option(
        "--alert", envvar="HELLER_ALERT_URLS", metavar="URLS", help="Apprise URLs, separated by blanks."
    ),
]


def _do(
    database: str | None, embedded: Path | None, verb: Callable[[AsyncConnection], Awaitable[Any]]
) -> Any:
    async def work(url: str) -> Any:
        connection = await connect(url)
        async with connection:
            return await verb(connection)

    with options.database_url(database, embedded) as url:
        return options.run(work(url))


def _print(rollout: Rollout | None, *, as_json: bool) -> None:
    if as_json:
        output.print_json(None if rollout is None else rollout.as_json())
        return
    if rollout is None:
        output.out.print("No rollout was started.")
        return
    rows = [
        ("state", rollout.state), ("stage", f"{rollout.stage} of {len(rollout.stages)}: {rollout.percent} %"),
        ("since", output.moment(rollout.stage_since)), ("by", rollout.actor), ("reason", rollout.reason),
        ("legacy fallback", rollout.legacy_fallback), ("gate passed", output.moment(rollout.gate_passed_at) or "not yet"),
        ("evaluated", output.moment(rollout.evaluated_at) or "never"), ("verdict", rollout.verdict.get("reason", "")),
    ]  # fmt: skip
    output.out.print(output.table("Rollout", ["what", "value"], rows))
    for item in rollout.verdict.get("waiting_for", []):
        output.talk.print(f"waits for {item}")
    if rollout.breach:
        output.talk.print(
            f"[bold red]Breach:[/] {escape(json.dumps(rollout.breach, ensure_ascii=False)[:2000])}",
            markup=True,
        )


@app.command()
def start(
    reason: Reason,
    actor: options.ActorOption = "cli",
    stages: Annotated[str, typer.Option("--stages", help="Shares in percent, ascending.")] = "10,50,100",
    plan_buckets: Annotated[
        bool,
        typer.Option(
            "--plan-buckets", help="Bucket by the plan's hash of the e-mail, not by a keyed hash of the id."
        ),
    ] = False,
    soak_seconds: Annotated[
        int, typer.Option("--soak", min=0, help="Least time a stage lasts, in seconds.")
    ] = 86_400,
    settings: Annotated[
        str, typer.Option("--limits", metavar="JSON", help='Other limits, such as {"users_min": 10}.')
    ] = "{}",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Begin at the first stage; the worker moves the homes.

    Example: heller rollout start --stages 10,50,100 --reason "release 2.0"
    """
    try:
        shares, limits = [int(share) for share in stages.split(",")], json.loads(settings)
    except ValueError as error:
        raise InvalidArgument(
            f"--stages are numbers and --limits is JSON: {error}", argument="stages"
        ) from error
    _print(
        _do(
            database, embedded,
            lambda c: state.start(c, actor=actor, reason=reason, stages=shares, bucketing="plan" if plan_buckets else "keyed",
                                  soak_seconds=soak_seconds, settings=limits),
        ),
        as_json=as_json,
    )  # fmt: skip


def _change(
    event: str, actor: str, reason: str, database: str | None, embedded: Path | None, *, as_json: bool
) -> None:
    _print(
        _do(database, embedded, lambda c: state.change(c, event, actor=actor, reason=reason)), as_json=as_json
    )


@app.command()
def promote(
    reason: Reason,
    actor: options.ActorOption = "cli",
    even_unproven: Annotated[
        bool, typer.Option("--even-unproven", help="Although the gate of this stage is not passed.")
    ] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Go to the next stage.

    Refused while the guardrails have not passed this one.

    Example: heller rollout promote --reason "a quiet day at 10 %"
    """

    async def work(connection: AsyncConnection) -> Rollout:
        return await state.promote(connection, actor=actor, reason=reason, even_unproven=even_unproven)

    _print(_do(database, embedded, work), as_json=as_json)


@app.command()
def halt(
    reason: Reason,
    actor: options.ActorOption = "cli",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Stop moving; everybody stays where they are.

    Example: heller rollout halt --reason "support sees complaints"
    """
    _change("halt", actor, reason, database, embedded, as_json=as_json)


@app.command()
def resume(
    reason: Reason,
    actor: options.ActorOption = "cli",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Clear a halt; the stage begins its evidence anew.

    Example: heller rollout resume --reason "the index is built"
    """
    _change("resume", actor, reason, database, embedded, as_json=as_json)


@app.command()
def rollback(
    reason: Reason,
    actor: options.ActorOption = "cli",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Return everyone; the worker moves the homes back.

    Example: heller rollout rollback --reason "spends are slow"
    """
    _change("rollback", actor, reason, database, embedded, as_json=as_json)


@app.command()
def fallback(
    reason: Reason,
    actor: options.ActorOption = "cli",
    off: Annotated[bool, typer.Option("--off", help="Back to the stage.")] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Send everyone home whatever the stage, or end that.

    Example: heller rollout fallback --reason "the payments team asked"
    """
    _change("fallback_off" if off else "fallback_on", actor, reason, database, embedded, as_json=as_json)


@app.command()
def status(
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show the state, the stage, and what the guardrails say.

    Example: heller rollout status
    """
    _print(_do(database, embedded, state.rollout_of), as_json=as_json)


@app.command()
def log(
    before: Annotated[
        int | None, typer.Option("--before", metavar="ENTRY", help="The next page: before this entry.")
    ] = None,
    limit: options.LimitOption = 20,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show what was done, by whom and why, newest first.

    Example: heller rollout log --limit 50
    """
    entries = _do(database, embedded, lambda c: state.log_of(c, before=before, limit=limit))
    if as_json:
        output.print_json(entries)
        return
    rows = [(e.entry, output.moment(e.at), e.event, e.state, e.stage, e.actor, e.reason) for e in entries]
    output.out.print(output.table(None, ["entry>", "at", "event", "state", "stage>", "by", "reason"], rows))


@app.command()
def evaluate(
    source: options.SourceOption,
    alert: AlertOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="As for 'heller migrate invariants'.")] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Do once what the worker does every ten seconds.

    Judge, act, and move homes towards the stage.

    Example: heller rollout evaluate --source "$LEGACY_DATABASE_URL"
    """

    async def work(url: str) -> Any:
        async with open_sides(source, url) as sides:
            return await tick(sides, alerts=Alerts.of(alert), strict=strict)

    with options.database_url(database, embedded) as url:
        done = options.run(work(url))
    if as_json:
        output.print_json(done.as_json())
    else:
        decision = done.decision.reason if done.decision else "nothing to judge"
        output.out.print(f"{done.state}, {done.percent} %: {decision}; {dict(done.moves.counts)}")


@app.command("alert")
def alert_test(
    urls: AlertOption = None,
    test: Annotated[bool, typer.Option("--test", help="Send one now.")] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Check where alerts go; with --test, send one.

    Where a database is named, it is written down there whether the test was taken.

    Example: heller rollout alert --alert json://127.0.0.1:9000 --test
    """
    alerts = Alerts.of(urls)
    if not alerts.urls:
        raise InvalidArgument(
            "No receiver is named.", hint="Give --alert or set HELLER_ALERT_URLS.", argument="alert"
        )
    if test and not _send_test(alerts, database, embedded):
        raise HellerError("Not every receiver took the alert.", hint="Look at the URL and at the receiver.")
    if as_json:
        output.print_json({"receivers": len(alerts.urls), "sent": test})
    else:
        output.out.print(f"{len(alerts.urls)} receivers" + (", the test was sent." if test else "."))


def _send_test(alerts: Alerts, database: str | None, embedded: Path | None) -> bool:
    words = f"Alerts of the rollout arrive here (sent by {os.environ.get('USER', 'someone')})."
    is_sent = options.run(alerts.send("heller: a test", words))

    async def note(url: str) -> None:
        async with await connect(url) as connection:
            await call(connection, "record_evidence", kind="alert", ok=is_sent, detail={"title": "a test"})

    if database or embedded:
        with options.database_url(database, embedded) as url:
            options.run(note(url))
    return is_sent
