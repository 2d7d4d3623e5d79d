"""``heller worker``: what has to happen without anybody calling."""

import asyncio
import signal
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from heller import worker as work
from heller.cli import options, output

app = typer.Typer(add_completion=False)

EXIT_FAILED = 1
NOTHING = "nothing: it is not its turn, or another worker does it"


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="One round of everything, then end.")] = False,
    health_port: Annotated[
        int | None,
        typer.Option(
            "--health-port",
            envvar="HELLER_HEALTH_PORT",
            show_envvar=True,
            min=1,
            max=65535,
            help="Serve /health, /ready and /metrics (Prometheus) on this port.",
        ),
    ] = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Do what has to happen by itself.

    Expiries, alerts, events out, anchors; Stripe's payments where STRIPE_SECRET_KEY is set; a rollout and the handover's
    invariants where LEGACY_DATABASE_URL is.

    Any number of copies may run: of each job one of them does it, under a lease. It is woken by NOTIFY and looks every
    second whatever happens; behind PgBouncer in transaction mode it only looks, and says so. SIGTERM finishes what is
    under way, then ends.

    --json prints what each job did as a line of JSON; with --once, all of them as one document.

    Example: heller worker --health-port 9100
    Exit 1: failed, or a job did (--once).
    """
    with options.database_url(database, embedded) as url:
        if not once:
            options.run(_until_told(url, health_port, as_json=as_json))
            return
        done = options.run(work.once(url))
    if as_json:
        output.print_json(done)
    else:
        output.out.print(
            output.table(
                None,
                ("job", "done"),
                [(job, NOTHING if what is None else what) for job, what in done.items()],
            )
        )
    if any(str(answer).startswith(work.FAILED) for answer in done.values()):
        raise typer.Exit(EXIT_FAILED)


async def _until_told(url: str, health_port: int | None, *, as_json: bool) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await work.run(url, stop=stop, health_port=health_port, told=_print_line if as_json else None)


def _print_line(job: str, answer: Any) -> None:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    output.print_json_line({"at": at, "job": job, "done": answer})
