"""``heller doctor``: what is wrong with a set-up, and how to mend it."""

import platform
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from heller import embedded as server
from heller import schema
from heller.cli import options, output
from heller.database import connect
from heller.errors import HellerError

app = typer.Typer(add_completion=False)

FREE_BYTES_MIN = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ``status`` is ok, warning or failed; ``mend`` says what to do."""

    name: str
    status: str
    found: str
    mend: str = ""


@app.command()
def doctor(
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    source: Annotated[
        str | None,
        typer.Option("--source", envvar="LEGACY_DATABASE_URL", metavar="URL", help="The legacy database."),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say what is wrong with this set-up, and how to mend it.

    Example: heller doctor --database "$DATABASE_URL"
    Exit 1: something fails.
    """
    checks = [*_machine()]
    if database or embedded is not None:
        try:
            with options.database_url(database, embedded) as url:
                checks += options.run(_all(_database(url)))
        except HellerError as error:
            checks.append(Check("database", "failed", error.message, error.hint))
    else:
        checks.append(
            Check(
                "database",
                "warning",
                "none was named",
                "Give --database URL or --embedded, or set DATABASE_URL.",
            )
        )
    if source and Path(source).is_dir():
        checks.append(Check("source", "ok", f"the folder {source}"))
    elif source:
        checks += options.run(_all(_source(source)))
    is_ok = all(check.status != "failed" for check in checks)
    if as_json:
        output.print_json({"ok": is_ok, "checks": [asdict(check) for check in checks]})
    else:
        colours = {"ok": "green", "warning": "yellow", "failed": "red"}
        for check in checks:
            output.out.print(
                f"[{colours[check.status]}]{check.status:8}[/]{check.name}: {escape(check.found)}",
                markup=True,
            )
            if check.mend:
                output.out.print(f"        {check.mend}")
    if not is_ok:
        raise typer.Exit(1)


async def _all(checks: AsyncIterator[Check]) -> list[Check]:
    return [check async for check in checks]


def _machine() -> list[Check]:
    checks = [
        Check("heller", "ok", version("heller")),
        Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
    ]
    try:
        checks.append(Check("embedded PostgreSQL", "ok", str(server.program("postgres").name)))
    except HellerError as error:
        checks.append(Check("embedded PostgreSQL", "warning", error.message, error.hint))
    free = shutil.disk_usage(Path.cwd()).free
    checks.append(
        Check("disk", "ok", f"{free >> 30} GiB free here")
        if free >= FREE_BYTES_MIN
        else Check(
            "disk", "warning", f"{free >> 20} MiB free here", "Backups and embedded databases need room."
        )
    )
    if sys.flags.optimize:
        checks.append(
            Check("python -O", "warning", "assertions are off", "heller does not need them; your tests may.")
        )
    return checks


async def _database(url: str) -> AsyncIterator[Check]:
    try:
        connection = await connect(url)
    except HellerError as error:
        yield Check("database", "failed", error.message, error.hint)
        return
    async with connection:
        cursor = await connection.execute(
            "select current_setting('server_version_num')::int, current_setting('server_version'), current_user,"
            " current_setting('synchronous_commit'), current_setting('fsync'), pg_is_in_recovery(),"
            " extract(epoch from clock_timestamp())::float8 - extract(epoch from %s::timestamptz)::float8,"
            " current_setting('max_connections')::int, current_setting('server_encoding')",
            [_now()],
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  # a select without from has one row
        number, name, user, synchronous, fsync, is_replica, skew_seconds, connections_max, encoding = row
        yield Check("database", "ok", f"PostgreSQL {name} as {user}, {connections_max} connections at most")
        if number < schema.POSTGRESQL_MIN:
            yield Check("version", "failed", f"PostgreSQL {name}", "heller needs PostgreSQL 15 or newer.")
        if encoding != "UTF8":
            yield Check(
                "encoding",
                "warning",
                f"the database is in {encoding}, which cannot hold every letter of a reason or a name",
                "Make one with: create database ... encoding 'UTF8' template template0",
            )
        if fsync != "on" or synchronous == "off":
            yield Check(
                "durability",
                "warning",
                f"fsync is {fsync}, synchronous_commit is {synchronous}",
                "Turn both on: a crash of the server can lose acknowledged credits otherwise.",
            )
        if is_replica:
            yield Check("role of the server", "failed", "a read replica", "Name the primary.")
        if abs(skew_seconds) > 5:  # noqa: PLR2004  # seconds that matter to expiries and signatures
            yield Check(
                "clock",
                "warning",
                f"the server is {skew_seconds:+.1f} s off this machine",
                "Set the clocks (NTP).",
            )
    try:
        problems = await schema.verify(url)
    except HellerError as error:
        yield Check("schema", "failed", error.message, error.hint)
        return
    if problems:
        yield Check("schema", "failed", "; ".join(problems[:5]), "Run 'heller schema apply'.")
    else:
        yield Check("schema", "ok", "as this program brings it")


async def _source(url: str) -> AsyncIterator[Check]:
    try:
        connection = await connect(url)
    except HellerError as error:
        yield Check("source", "failed", error.message, error.hint)
        return
    async with connection:
        cursor = await connection.execute("select current_setting('server_version'), current_user")
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  # a select without from has one row
        yield Check("source", "ok", f"PostgreSQL {row[0]} as {row[1]}; 'heller migrate audit' looks further")


def _now() -> str:
    return datetime.now(UTC).isoformat()
