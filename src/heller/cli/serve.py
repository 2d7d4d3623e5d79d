"""``heller serve``: the API, the portal and the console."""

import os
import signal
from typing import Annotated, Any

import structlog
import typer
import uvicorn

from heller.cli import options
from heller.errors import SettingsError
from heller.stripe import load as stripe_settings
from heller.web.app import create_app
from heller.web.settings import load

app = typer.Typer(add_completion=False)

KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 20

log = structlog.get_logger("heller.serve")


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen at (HELLER_HOST; 127.0.0.1).")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen at (HELLER_PORT; 8000).")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes.")] = 1,
    development: Annotated[
        bool,
        typer.Option("--development", help="Sign in as anybody by a click; only bound to this machine."),
    ] = False,
    legacy: Annotated[
        str | None,
        typer.Option(
            "--source",
            envvar="LEGACY_DATABASE_URL",
            show_envvar=True,
            metavar="URL",
            help="The legacy database.",
        ),
    ] = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
) -> None:
    """Serve the API, the portal and the console.

    At /v1, /portal and /console; Stripe where STRIPE_SECRET_KEY is set. Any number of processes may run. SIGTERM finishes
    what is under way, then ends.

    Example: heller serve --embedded --development
    """
    settings = load(host=host, port=port, development_sign_in=development or None)
    if workers > 1 and not settings.secret_key.get_secret_value():
        raise SettingsError(
            "Several processes must sign sessions with one key.", hint="Set HELLER_SECRET_KEY."
        )
    stripe = stripe_settings() if "STRIPE_SECRET_KEY" in os.environ else None
    with options.database_url(database, embedded) as url:
        options.answers(url)
        log.info("heller serves", url=settings.address, processes=workers)
        if settings.development_sign_in:
            log.warning("development sign-in: whoever reaches this address can be anybody")
        common = {
            "host": settings.host,
            "port": settings.port,
            "loop": "uvloop",
            "http": "httptools",
            "log_config": None,
            "log_level": "warning",
            "access_log": False,
            "server_header": False,
            "timeout_keep_alive": KEEP_ALIVE_SECONDS,
            "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
        }
        signal.signal(signal.SIGTERM, _end)
        if workers == 1:
            uvicorn.run(create_app(settings, url=url, stripe=stripe, legacy_url=legacy), **common)  # type: ignore[arg-type]  # as named
            return
        os.environ |= {"DATABASE_URL": url, "HELLER_HOST": settings.host, "HELLER_PORT": str(settings.port)}
        if settings.development_sign_in:
            os.environ["HELLER_DEVELOPMENT_SIGN_IN"] = "1"
        if legacy:
            os.environ["LEGACY_DATABASE_URL"] = legacy
        uvicorn.run("heller.web.app:from_environment", factory=True, workers=workers, **common)  # type: ignore[arg-type]  # as named


def _end(*_: Any) -> None:
    """Uvicorn raises the signal again when all is answered: then a good end, after which an embedded server stops too."""
    raise SystemExit(0)
