"""What the commands of ``heller stripe`` share: the database, Stripe's client, instants, and how results are said."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import stripe as sdk
import typer

from heller.cli import options, output
from heller.cli.shared import instant
from heller.database import Database
from heller.errors import ProviderError
from heller.stripe.api import StripeApi, opened
from heller.stripe.said import said
from heller.stripe.settings import load

POOL_MAX = 4

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="WHEN", help="A UTC instant (2026-01-31T12:00) or an age (90m, 6h, 35d)."
    ),
]
Work = Callable[[Database, StripeApi], Awaitable[Any]]


def when(text: str | None) -> datetime | None:
    """The instant of a --since."""
    return None if text is None else instant(text)


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    database = await Database.open(url, pool_max=POOL_MAX)
    try:
        yield database
    finally:
        await database.close()


def with_database(database: str | None, embedded: Any, work: Callable[[Database], Awaitable[Any]]) -> Any:
    """Do something with the database a command names."""

    async def run(url: str) -> Any:
        async with _database(url) as opened_database:
            return await work(opened_database)

    with options.database_url(database, embedded) as url:
        return options.run(run(url))


def with_stripe(database: str | None, embedded: Any, work: Work) -> Any:
    """Do something with the database and Stripe; its refusals become heller's error."""
    settings = load(webhooks=False)

    async def run(url: str) -> Any:
        async with _database(url) as opened_database, opened(settings) as api:
            return await work(opened_database, api)

    with options.database_url(database, embedded) as url:
        try:
            return options.run(run(url))
        except sdk.StripeError as error:
            raise ProviderError(
                f"Stripe did not do it: {said(error)}",
                hint="'heller stripe doctor' says whether the set-up is right.",
            ) from None


def plain(result: Any) -> dict[str, Any]:
    """A result without the facts of the look."""
    return {name: value for name, value in asdict(result).items() if name != "facts"}


def say(result: Any, as_json: bool, words: Callable[[Any], str]) -> None:
    """Print a result as JSON, or in words."""
    if as_json:
        output.print_json(result if isinstance(result, dict) else asdict(result))
    else:
        output.out.print(words(result))
