"""``heller user``: what is kept of one person, and how to forget who it is."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from heller import Heller, person
from heller.cli import options, output
from heller.cli.shared import Where, anywhere, taking

app = typer.Typer(
    add_completion=False, help="Data protection: export or erase one person.", no_args_is_help=True
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The user, or any name it is known by (e-mail, auth0, ...).")
]


@app.command("export")
@taking(anywhere)
def export(
    at: Where,
    name: Name,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write it here (default: standard output).")
    ] = None,
) -> None:
    """Print all that is kept of one person as JSON.

    Names, accounts, transactions, orders, payments, memberships.

    Example: heller user export ann@example.org --to ann.json
    """
    found = at.ask(lambda heller: person.export(heller, name))
    if to is None:
        output.print_json(found)
        return
    to.touch(mode=0o600)
    to.write_text(json.dumps(found, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    at.show({"user": found["user"]["id"], "file": str(to)})


@app.command("erase")
@taking(anywhere)
def erase(
    at: Where,
    name: Name,
    confirm: options.ConfirmOption = None,
    actor: options.ActorOption = "cli",
    dry_run: options.DryRunOption = False,
) -> None:
    """Forget who a person is. It cannot be undone.

    Every name goes, and what Stripe sent, and what orders said. The ledger stays, under ids that lead to nobody; what a
    reason or metadata says of a person cannot be taken out of it, because its chain of hashes proves every row; nor can an
    account's or user's id that is itself a name. Stripe and the legacy database have their own.

    Example: heller user erase ann@example.org --confirm ann
    """

    async def work(heller: Heller) -> dict[str, Any]:
        user = await person.the_user(heller, name)
        if not dry_run:
            options.confirmed(user, confirm, what="the user's id")
        return await heller.erase_user(user, actor=actor, dry_run=dry_run)

    at.show(at.ask(work))
