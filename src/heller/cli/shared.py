"""What commands on accounts share: options that come in groups, one way to reach a ledger, one way to print."""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from psycopg import AsyncConnection

from heller import Heller, schema
from heller.cli import options, output
from heller.database import connect
from heller.errors import InvalidArgument, UnknownAccount
from heller.ledger.heller import Ledger
from heller.ledger.results import Account, HoldState, Transaction

T = TypeVar("T")

POOL_MAX = 2
KINDS = (
    "purchase", "grant", "spend", "refund", "clawback", "reinstate", "expire", "adjust", "transfer", "migrate",
)  # fmt: skip
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def instant(text: str) -> datetime:
    """An instant as people write it: UTC unless it says otherwise, or an age before now.

    Raises:
        InvalidArgument: it is neither.
    """
    if age := re.fullmatch(r"(\d{1,5})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            f"{text} is neither an instant nor an age.",
            hint="Write a UTC instant (2026-01-31T12:00) or an age (90m, 6h, 35d).",
            argument="when",
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def seconds(text: str) -> int:
    """A length of time as people write it, in seconds; 0 is none.

    Raises:
        InvalidArgument: it is none.
    """
    if text == "0":
        return 0
    if length := re.fullmatch(r"(\d{1,5})([mhd])", text):
        return round(timedelta(**{UNITS[length[2]]: int(length[1])}).total_seconds())
    raise InvalidArgument(
        f"{text} is no length of time.", hint="Write it like 90m, 24h, 7d, or 0.", argument="overlap"
    )


def _document(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(
            f"The metadata is not JSON: {error}", hint="Write it like '{\"job\": 42}'.", argument="metadata"
        ) from None
    if not isinstance(value, dict):
        raise InvalidArgument(
            "The metadata is no JSON object.", hint="Write it like '{\"job\": 42}'.", argument="metadata"
        )
    return value


def _kind(text: str) -> str:
    if text not in KINDS:
        raise InvalidArgument(
            f"There is no kind {text}.", hint=f"The kinds are {', '.join(KINDS)}.", argument="kind"
        )
    return text


def _said(reason: str) -> str:
    """A reason that says something: for the ledger an empty one is none, and here one is needed."""
    if not reason.strip():
        raise InvalidArgument(
            "The reason is empty.", hint='Say why, as in --reason "job analysis".', argument="reason"
        )
    return reason


WHEN = "a UTC instant (2026-01-31T12:00) or an age (90m, 6h, 35d)"

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The account, or any name of its user (e-mail, auth0, ...).")
]
Amount = Annotated[int, typer.Argument(metavar="AMOUNT", help="Whole credits.")]
Seq = Annotated[
    int, typer.Argument(metavar="SEQ", help="The number of the transaction (heller account history).")
]
Part = Annotated[
    int | None, typer.Option("--amount", help="Only so many credits of it (default: all that is left).")
]
Reason = Annotated[
    str,
    typer.Option("--reason", callback=_said, metavar="TEXT", help="Why; kept in the ledger for ever."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        parser=_kind,
        metavar="KIND",
        help="Only this kind (spend, grant, ...); may be repeated.",
    ),
]
Since = Annotated[
    datetime | None, typer.Option("--since", parser=instant, metavar="WHEN", help=f"From then on: {WHEN}.")
]
Until = Annotated[
    datetime | None, typer.Option("--until", parser=instant, metavar="WHEN", help=f"Before then: {WHEN}.")
]
EffectiveAt = Annotated[
    datetime | None,
    typer.Option(
        "--effective-at", parser=instant, metavar="WHEN", help=f"When it counts, if not now: {WHEN}."
    ),
]
Metadata = Annotated[
    Any, typer.Option("--metadata", parser=_document, metavar="JSON", help="A JSON object to keep with it.")
]
AllowPartial = Annotated[bool, typer.Option("--allow-partial", help="Take what is there if it is less.")]
Rest = Annotated[
    int | None, typer.Option("--min-available-after", help="Leave at least so many credits available.")
]
IfVersion = Annotated[
    int | None,
    typer.Option(
        "--if-version", help="Refuse unless the account is still at this version (heller account show)."
    ),
]


@dataclass(frozen=True, slots=True)
class Where:
    """Which database and unit a command works on, and how it prints."""

    database: str | None
    embedded: Path | None
    unit: str
    as_json: bool

    def ask(self, work: Callable[[Heller], Awaitable[T]]) -> T:
        """Do something with the ledger."""

        async def run(url: str) -> T:
            async with Heller.connect(url, pool_max=POOL_MAX) as heller:
                return await work(heller)

        with options.database_url(self.database, self.embedded) as url:
            return options.run(run(url))

    def look(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do something with one connection to the database."""

        async def run(url: str) -> T:
            async with await connect(url) as connection:
                await schema.require(connection)
                return await work(connection)

        with options.database_url(self.database, self.embedded) as url:
            return options.run(run(url))

    def ask_of(self, name: str, work: Callable[[Heller, str], Awaitable[T]]) -> T:
        """Do something with the account that ``name`` means."""

        async def of_account(heller: Heller) -> T:
            return await work(heller, (await find(heller, name, self.unit)).account)

        return self.ask(of_account)

    def show(self, result: Any) -> None:
        """Print one result."""
        print_result(result, as_json=self.as_json)

    def listed(
        self, rows: Sequence[Any], columns: Iterable[str], cells: Callable[[Any], Iterable[Any]]
    ) -> None:
        """Print a list: all fields as JSON, the telling ones as a table."""
        if self.as_json:
            output.print_json([plain(row) for row in rows])
        else:
            output.out.print(output.table(None, columns, [cells(row) for row in rows]))
            if not rows:
                output.talk.print("None.")


@dataclass(frozen=True, slots=True)
class Change(Where):
    """The options that all verbs share."""

    key: str | None
    common: dict[str, Any]

    def do(self, name: str, verb: Callable[[Heller, str], Awaitable[Any]]) -> None:
        """Do a verb on the account that ``name`` means, and print what came of it."""
        self.show(self.ask_of(name, verb))


def where(
    unit: options.UnitOption = "credit",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> Where:
    """The options of a command that only looks."""
    return Where(database, embedded, unit, as_json)


def anywhere(
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> Where:
    """The options of a command that is not about one unit."""
    return Where(database, embedded, "credit", as_json)


def change(
    key: options.KeyOption = None,
    actor: options.ActorOption = "cli",
    metadata: Metadata = None,
    if_version: IfVersion = None,
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> Change:
    """The options of a command that changes credits."""
    common = {
        "unit": unit,
        "actor": actor,
        "metadata": metadata,
        "if_version": if_version,
        "dry_run": dry_run,
    }
    return Change(database, embedded, unit, as_json, key, common)


def step(
    if_version: IfVersion = None,
    unit: options.UnitOption = "credit",
    dry_run: options.DryRunOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> Change:
    """The options of a step that needs no key: doing it again is the same."""
    common = {"unit": unit, "if_version": if_version, "dry_run": dry_run}
    return Change(database, embedded, unit, as_json, None, common)


def taking(factory: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of ``factory``, and what it makes of them as the first argument."""
    shared = list(inspect.signature(factory, eval_str=True).parameters.values())

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        def run(**given: Any) -> None:
            made = factory(**{parameter.name: given.pop(parameter.name) for parameter in shared})
            command(made, **given)

        run.__doc__ = command.__doc__
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
        return run

    return decorate


async def find(heller: Ledger, name: str, unit: str) -> Account:
    """The account meant by an account id or by any identity of its user.

    Raises:
        UnknownAccount: nobody is known by that name.
        InvalidArgument: several users, or several accounts, are.
    """
    try:
        return await heller.balance(name, unit=unit)
    except UnknownAccount as unknown:
        users = await heller.resolve(name)
        accounts = [a for user in users for a in await heller.accounts_of(user) if a.unit == unit]
        if not accounts:
            raise unknown from None
        if len(accounts) > 1:
            raise InvalidArgument(
                f"{name} means several accounts: {', '.join(a.account for a in accounts)}.",
                hint="Name one of them.",
                argument="id",
            ) from None
        return accounts[0]


def plain(result: Any) -> Any:
    """A result as JSON has it: without what is not set."""
    return result if isinstance(result, dict) else {n: v for n, v in asdict(result).items() if v is not None}


def print_result(result: Any, *, as_json: bool) -> None:
    """One result of a verb."""
    if as_json:
        output.print_json(plain(result))
        return
    prefix = ""
    if isinstance(result, Transaction | HoldState):
        prefix = "Would be: " if result.dry_run else "Known already: " if result.replayed else ""
    if isinstance(result, Transaction):
        output.out.print(
            f"{prefix}{result.kind} {result.delta:+,} on {result.account}; "
            f"balance {result.balance_before:,} -> {result.balance_after:,} (transaction {result.seq})"
        )
    elif isinstance(result, HoldState):
        output.out.print(
            f"{prefix}hold {result.hold} on {result.account}: {result.state}, {result.captured:,} of "
            f"{result.amount:,} captured, until {output.moment(result.expires_at)} UTC"
        )
    else:
        output.out.print(output.table(None, ("field", "value"), plain(result).items()))
