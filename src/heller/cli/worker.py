"""``heller worker``: what has to happen without anybody calling."""

import asyncio
import signal
from typing import Annotated

import typer

from heller import worker as work
from heller.cli import options, output

app = typer.Typer(add_completion=False)


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
    """Do what has to happen by itself: expiries, alerts, events out, anchors; Stripe's payments; a rollout.

    Stripe where STRIPE_SECRET_KEY is set; a rollout and the handover's invariants where LEGACY_DATABASE_URL is.

    Any number of copies may run: of each job one of them does it, under a lease. It is woken by NOTIFY and looks every
    second whatever happens; behind PgBouncer in transaction mode it only looks, and says so. SIGTERM finishes what is
    under way, then ends.
    """
    with options.database_url(database, embedded) as url:
        if not once:
            options.run(_until_told(url, health_port))
            return
        done = options.run(work.once(url))
    if as_json:
        output.print_json(done)
    else:
        output.out.print(output.table(None, ("job", "done"), done.items()))


async def _until_told(url: str, health_port: int | None) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await work.run(url, stop=stop, health_port=health_port)
