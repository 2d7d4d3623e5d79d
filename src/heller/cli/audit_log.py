"""``heller audit-log``: who did what, over HTTP or by hand."""

import json
from typing import Annotated

import typer

from heller.cli import options
from heller.cli.output import moment
from heller.cli.shared import Since, Until, Where, anywhere, taking
from heller.web import audit

app = typer.Typer(
    add_completion=False,
    help="The audit log: who did what, over HTTP or by hand.",
    no_args_is_help=True,
)


@app.callback()
def audit_log() -> None:
    """Have the commands under their noun, although there is one."""


@app.command("list")
@taking(anywhere)
def list_entries(
    at: Where,
    since: Since = None,
    until: Until = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="ID", help="Only theirs, such as user:ann.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="NOUN[.VERB]", help="Only account.freeze, or all of account."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="ID", help="Only what was done to this account, key, endpoint."),
    ] = None,
    before: Annotated[
        int | None, typer.Option("--before", metavar="ENTRY", help="The next page: before this entry.", min=1)
    ] = None,
    limit: options.LimitOption = 100,
) -> None:
    """List who did what, newest first, at most 1,000 a page.

    Append-only: what was done over the API and in the console, and what commands did to keys and to frozen accounts.
    Spends and holds are not in it; they have their actor in the ledger itself (heller account history).

    Example: heller audit-log list --since 30d --action key
    """
    found = at.look(
        lambda connection: audit.entries(
            connection,
            before=before,
            limit=limit,
            actor=actor,
            action=action,
            target=target,
            since=since,
            until=until,
        )
    )
    at.listed(
        found,
        ("entry>", "at (UTC)", "actor", "via", "action", "target", "detail"),
        lambda e: (e.entry, moment(e.at), e.actor, e.via, e.action, e.target, _compact(e.detail)),
    )


def _compact(detail: object) -> str:
    return json.dumps(detail, ensure_ascii=False) if detail else ""
