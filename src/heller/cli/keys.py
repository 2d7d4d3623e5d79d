"""``heller keys``: what programs show to the API."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from psycopg import AsyncConnection

from heller.cli import options, output
from heller.cli.shared import instant, seconds
from heller.database import connect
from heller.web import audit, keys
from heller.web.principal import ROLE_SCOPES, Principal, Role

app = typer.Typer(add_completion=False, help="API keys: what programs show to the API.", no_args_is_help=True)


def _do(
    database: str | None, embedded: Path | None, work: Callable[[AsyncConnection], Awaitable[Any]]
) -> Any:
    async def run(url: str) -> Any:
        async with await connect(url) as connection, connection.transaction():
            return await work(connection)

    with options.database_url(database, embedded) as url:
        return options.run(run(url))


async def _note(
    connection: AsyncConnection, actor: str, action: str, key: keys.ApiKey, **detail: Any
) -> None:
    person = Principal(subject=actor, role=Role.admin, via="command_line")
    known = {"name": key.name, "scopes": key.scopes}
    await audit.note(connection, person, action, key.key_id, known | detail)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    actor: options.ActorOption = "cli",
    role: Annotated[
        Literal["support", "operator", "admin"], typer.Option("--role", help="What it is at most.")
    ] = "operator",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What it opens, such as credits:spend; all of the role without."),
    ] = None,
    expires_at: Annotated[
        datetime | None,
        typer.Option("--expires-at", parser=instant, metavar="WHEN", help="When it ends by itself, in UTC."),
    ] = None,
    rate: Annotated[
        int | None, typer.Option("--rate", min=1, help="Requests a minute; no limit without.")
    ] = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Make a key; its secret is printed this once, kept nowhere.

    Example: heller keys create "analysis service" --scope credits:spend
    """

    async def work(connection: AsyncConnection) -> keys.NewApiKey:
        made = await keys.create(
            connection,
            name,
            role=Role[role],
            actor=actor,
            scopes=scope,
            expires_at=expires_at,
            rate_per_minute=rate,
        )
        await _note(connection, actor, "key.create", made.api_key)
        return made

    made: keys.NewApiKey = _do(database, embedded, work)
    if as_json:
        output.print_json(made)
    else:
        output.talk.print(f"{name}: {', '.join(made.api_key.scopes)}. Keep it; it is not shown again.")
        output.out.print(made.secret)


@app.command("list")
def list_keys(
    include_ended: Annotated[
        bool, typer.Option("--all", help="Also those that were revoked or have expired.")
    ] = False,
    before: Annotated[
        str | None, typer.Option("--before", metavar="KEY", help="The next page: before this key.")
    ] = None,
    limit: options.LimitOption = 1000,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show the keys, never their secrets.

    Example: heller keys list
    """
    found: list[keys.ApiKey] = _do(
        database,
        embedded,
        lambda connection: keys.listed(connection, include_ended=include_ended, before=before, limit=limit),
    )
    if as_json:
        output.print_json(found)
        return
    rows = [
        (k.key_id, k.name, k.role, "all" if set(k.scopes) == ROLE_SCOPES[Role[k.role]] else " ".join(k.scopes),
         output.moment(k.last_used_at) or "never", output.moment(k.expires_at), k.is_valid)
        for k in found
    ]  # fmt: skip
    output.out.print(
        output.table(None, ["key", "name", "role", "scopes", "last used", "expires", "valid"], rows)
    )


@app.command("rotate")
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, from 'heller keys list'.")],
    actor: options.ActorOption = "cli",
    overlap: Annotated[
        int,
        typer.Option(
            "--overlap",
            parser=seconds,
            metavar="TIME",
            help="How long the old key stays valid (90m, 24h, 7d); 0 ends it at once.",
        ),
    ] = "24h",  # type: ignore[assignment]  # the parser reads it
    expires_at: Annotated[
        datetime | None,
        typer.Option(
            "--expires-at", parser=instant, metavar="WHEN", help="When the new key ends by itself, in UTC."
        ),
    ] = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Make a key in place of another, which ends after an overlap.

    The new key has the old one's name, role, scopes and rate. Its secret is printed this once. Where the old key ends
    by itself, say with --expires-at when the new one does.

    Example: heller keys rotate 0a1b2c3d4e5f --overlap 7d
    """

    async def work(connection: AsyncConnection) -> keys.RotatedApiKey:
        made = await keys.rotate(
            connection, key_id, actor=actor, overlap_seconds=overlap, expires_at=expires_at
        )
        await _note(connection, actor, "key.rotate", made.followed, new=made.api_key.key_id)
        return made

    made: keys.RotatedApiKey = _do(database, embedded, work)
    if as_json:
        output.print_json(made)
        return
    ended = f"ends {output.moment(made.followed.expires_at)} UTC" if made.followed.is_valid else "has ended"
    output.talk.print(f"{made.api_key.name}: {key_id} {ended}. Keep the new one; it is not shown again.")
    output.out.print(made.secret)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, from 'heller keys list'.")],
    actor: options.ActorOption = "cli",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Make a key worthless, within ten seconds everywhere.

    Example: heller keys revoke 0a1b2c3d4e5f
    """

    async def work(connection: AsyncConnection) -> keys.ApiKey:
        gone = await keys.revoke(connection, key_id, actor=actor)
        await _note(connection, actor, "key.revoke", gone)
        return gone

    gone: keys.ApiKey = _do(database, embedded, work)
    if as_json:
        output.print_json(gone)
    else:
        output.out.print(f"{gone.key_id} ({gone.name}) was revoked by {gone.revoked_by}.")
