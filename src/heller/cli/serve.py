"""``heller serve``: the API, the portal and the console."""

import os
import signal
import socket
from collections.abc import Callable
from typing import Annotated, Any

import structlog
import typer

from heller.cli import options
from heller.errors import SettingsError

app = typer.Typer(add_completion=False)

KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 20
EXIT_FAILED = 1

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
    from heller.stripe import load as stripe_settings  # noqa: PLC0415  # a second of imports: not for --help
    from heller.web import serving  # noqa: PLC0415  # as above
    from heller.web.app import create_app  # noqa: PLC0415  # as above
    from heller.web.settings import load  # noqa: PLC0415  # as above

    settings = load(host=host, port=port, development_sign_in=development or None)
    if workers > 1 and not settings.secret_key.get_secret_value():
        raise SettingsError(
            "Several processes must sign sessions with one key.", hint="Set HELLER_SECRET_KEY."
        )
    stripe = stripe_settings() if "STRIPE_SECRET_KEY" in os.environ else None
    with options.database_url(database, embedded) as url:
        options.answers(url, has_schema=True)
        _can_listen(settings.host, settings.port)
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
            _run(serving.run, create_app(settings, url=url, stripe=stripe, legacy_url=legacy), **common)
            return
        os.environ |= {"DATABASE_URL": url, "HELLER_HOST": settings.host, "HELLER_PORT": str(settings.port)}
        if settings.development_sign_in:
            os.environ["HELLER_DEVELOPMENT_SIGN_IN"] = "1"
        if legacy:
            os.environ["LEGACY_DATABASE_URL"] = legacy
        _run(serving.run_many, "heller.web.app:from_environment", workers=workers, **common)


def _can_listen(host: str, port: int) -> None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]
        raise SettingsError(
            f"Port {port} of {host} cannot be had: {why}.",
            hint="Choose another --port or --host, or stop who has it.",
        ) from None


def _run(serve_app: Callable[..., None], app: Any, **how: Any) -> None:
    """Serve until told to stop. The web server's own exit codes are none of ours: it has said why."""
    try:
        serve_app(app, **how)
    except SystemExit as end:
        raise typer.Exit(EXIT_FAILED if end.code else 0) from None


def _end(*_: Any) -> None:
    """Uvicorn raises the signal again when all is answered: then a good end, after which an embedded server stops too."""
    raise SystemExit(0)
