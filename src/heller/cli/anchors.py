"""``heller anchors``: a digest over all chains, to be kept where nobody who can change the ledger can change it."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from heller import Heller
from heller.cli import options
from heller.cli.output import counted, out, print_json
from heller.cli.shared import Where, anywhere, instant, taking
from heller.errors import Busy, InvalidArgument
from heller.ledger.anchors import Anchor

app = typer.Typer(
    add_completion=False,
    help="Anchors: a digest over all accounts, to be kept elsewhere.",
    no_args_is_help=True,
)

EXIT_FINDINGS = 3
NEWEST = "newest"
TRIES_MAX = 10
TRY_SECONDS = 0.5

AnchorFile = Annotated[
    str,
    typer.Argument(
        metavar="ANCHOR", help=f"A file made by 'heller anchors export', or '{NEWEST}' for the stored one."
    ),
]


async def read_anchor(heller: Heller, name: str) -> Anchor:
    """The anchor in a file, or the newest one in the database.

    Raises:
        InvalidArgument: there is no such file, or it holds no anchor.
    """
    if name == NEWEST:
        stored = await heller.anchors(limit=1)
        if not stored:
            raise InvalidArgument(
                "No anchor was ever taken.", hint="Run 'heller anchors take'.", argument="anchor"
            )
        return stored[0]
    try:
        raw: Any = json.loads(await asyncio.to_thread(Path(name).read_text, "utf-8"))
        return Anchor(**{part: raw[part] for part in ("at", "accounts", "transactions", "digest")})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(
            f"{name} holds no anchor: {error}",
            hint="Give a file that 'heller anchors export' wrote.",
            argument="anchor",
        ) from None


async def _take(heller: Heller) -> Anchor:
    for _ in range(TRIES_MAX):  # the very first look only sets the mark that the next one sees
        anchor = await heller.take_anchor()
        if anchor is not None:
            return anchor
        await asyncio.sleep(TRY_SECONDS)
    raise Busy("No anchor could be taken: a transaction has been open all the time.", hint="Try again later.")


@app.command("take")
@taking(anywhere)
def take(at: Where) -> None:
    """Write down an anchor of about now.

    The worker takes one a day.

    Example: heller anchors take
    """
    at.show(at.ask(_take))


@app.command("list")
@taking(anywhere)
def list_anchors(
    at: Where,
    before: Annotated[
        datetime | None,
        typer.Option("--before", parser=instant, metavar="WHEN", help="The next page: before this anchor."),
    ] = None,
    limit: options.LimitOption = 100,
) -> None:
    """List the anchors, newest first.

    Example: heller anchors list --limit 7
    """
    at.listed(
        at.ask(lambda heller: heller.anchors(before=before, limit=limit)),
        ("at", "accounts>", "transactions>", "digest"),
        lambda a: (a.at, a.accounts, a.transactions, a.digest),
    )


@app.command("export")
@taking(anywhere)
def export(
    at: Where,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write it here (default: standard output).")
    ] = None,
) -> None:
    """Print the newest anchor as JSON, to be kept elsewhere.

    It proves later that nothing before it was changed.

    Example: heller anchors export --to anchor.json
    """
    anchor = at.ask(lambda heller: read_anchor(heller, NEWEST)).as_json()
    if to is None:
        print_json(anchor)
    else:
        to.write_text(json.dumps(anchor, indent=2) + "\n", encoding="utf-8")
        at.show(anchor)


@app.command("check")
@taking(anywhere)
def check(at: Where, anchor: AnchorFile) -> None:
    """Check that every chain still has the head of an anchor.

    Example: heller anchors check anchor.json
    Exit 3: a chain was changed.
    """

    async def work(heller: Heller) -> Any:
        return await heller.check_anchor(await read_anchor(heller, anchor))

    found = at.ask(work)
    if at.as_json:
        at.show(found)
    else:
        out.print(
            f"The heads of {counted(found.accounts, 'account')} at {found.at} are "
            + ("as they were." if found.ok else "NOT as they were: run 'heller verify'.")
        )
    if not found.ok:
        raise typer.Exit(EXIT_FINDINGS)
