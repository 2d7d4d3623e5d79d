"""``heller-resume-matcher``: the application with heller's portal, on one address."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from heller import Heller
from heller.errors import HellerError
from resume_matcher import store
from resume_matcher.errors import MatcherError
from resume_matcher.esco import aliases_of
from resume_matcher.matching import aliases
from resume_matcher.web.site import create_site

SHUTDOWN_SECONDS = 20
EXIT_FAILED = 1

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at.")] = 8080,
    database: Annotated[
        str,
        typer.Option(metavar="URL", envvar="DATABASE_URL", help="The database, which has heller's schema."),
    ] = "",
    demo: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Start all that is needed in this folder: PostgreSQL, Stripe's stand-in, packs, a worker.",
        ),
    ] = None,
) -> None:
    """Serve Resume Matcher. Settings of heller and of Stripe are those of 'heller serve'; its tables are brought up to date first."""
    if context.invoked_subcommand is not None:
        return
    os.environ |= {"HELLER_HOST": host, "HELLER_PORT": str(port)}
    if demo is not None:
        from resume_matcher.demo import demonstrated  # noqa: PLC0415  # Stripe's stand-in is for the demo only

        with demonstrated(demo, address=f"http://{host}:{port}"):
            run(host, port)
        return
    if not database:
        raise typer.BadParameter(
            "Give the database by --database or DATABASE_URL, or try --demo demo/resume-matcher."
        )
    os.environ["DATABASE_URL"] = database
    run(host, port)


@app.command()
def esco(
    files: Annotated[
        list[Path],
        typer.Argument(help="ESCO's skills_en.csv, skills_de.csv, ...: the first gives the names."),
    ],
    to: Annotated[Path, typer.Option(metavar="FILE", help="The alias file to write.")] = Path("esco.json"),
) -> None:
    """Make an alias file of ESCO's published skills, for RESUME_MATCHER_ALIASES."""
    made = aliases_of(files)
    aliases.write(made, to)
    names = len(made.skills) + sum(map(len, made.skills.values()))
    typer.echo(
        f"{to}: {len(made.skills):,} skills with {names:,} names. Set {aliases.VARIABLE}={to.resolve()} and start again."
    )


def run(host: str, port: int) -> None:
    """Bring the tables up to date and serve until told to stop.

    Raises:
        DatabaseUnavailable, SchemaMissing, SchemaMismatch: as ``Heller.connect``.
    """
    asyncio.run(_look(os.environ["DATABASE_URL"]))
    store.migrate(os.environ["DATABASE_URL"])
    site = create_site()
    sys.stderr.write(f"Resume Matcher at {site.ours.state.settings.address}\n")
    uvicorn.run(
        site,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


async def _look(url: str) -> None:
    async with Heller.connect(url, pool_max=1):
        pass  # it answers, and has the schema that this program knows


def main() -> None:
    """Run the program; an error is one sentence and what to do."""
    try:
        app(prog_name="heller-resume-matcher")
    except (HellerError, MatcherError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    main()
