"""``heller account apply``: the operations of a file, each of them once, however often the file is applied."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from heller import Heller
from heller.cli import options, output
from heller.cli.shared import Where, find, instant, taking, where
from heller.errors import HellerError, InvalidArgument, UnknownAccount
from heller.ledger.results import Transaction

app = typer.Typer(add_completion=False)

LINES_MAX = 100_000
LINES_A_CALL = 1_000
SHOWN_MAX = 50
EXIT_FINDINGS = 3
KEYLESS = {"open_account", "release", "renew"}  # to do them again is the same
NUMBERS = {
    "amount", "priority", "cost", "seq", "hold", "grant", "seconds", "overrun_limit", "overdraft_limit", "if_version", "min_available_after",
}  # fmt: skip
INSTANTS = {"effective_at", "available_at", "expires_at"}
TRUTHS = {"true": True, "false": False}
SWITCHES = {"allow_partial", "final"}


@dataclass(slots=True)
class Line:
    """One operation, and where it stands."""

    number: int
    operation: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What a line came to that was not done."""

    line: int
    account: str
    error: str
    message: str


@app.command("apply")
@taking(where)
def apply(
    at: Where,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV with a header, or JSON lines; - is standard input."),
    ],
    fill: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="For lines that do not say it; may be repeated."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Name of the whole: a line without a key has this, then :account."),
    ] = None,
    actor: options.ActorOption = "cli",
    dry_run: options.DryRunOption = False,
) -> None:
    """Do the operations of a file, each of them once.

    The columns are verb, account, amount, reason, key, expires_at and whatever else the verb takes, as in
    POST /v1/batch; an account may be any name of its user. A line that is refused does not hold up the others, and
    lines that were done before are known by their keys: mend the file and apply it again.

    Example: heller account apply gifts.csv --set verb=grant --key summer
    Exit 3: a line was refused.
    """
    lines = read(_text(file), fill or [])
    if not lines:
        raise InvalidArgument("The file has no line.", argument="file")
    done, refused = at.ask(lambda heller: _apply(heller, at, lines, key=key, actor=actor, dry_run=dry_run))
    known = sum(1 for result in done if getattr(result, "replayed", False))
    moved = sum(r.delta for r in done if isinstance(r, Transaction) and not r.replayed)
    if at.as_json:
        output.print_json(
            {
                "lines": len(lines), "done": len(done) - known, "known_already": known, "delta": moved, "dry_run": dry_run,
                "refused": [{"line": r.line, "account": r.account, "error": r.error, "message": r.message} for r in refused],
            }
        )  # fmt: skip
    else:
        rows = [(r.line, r.account, r.message) for r in refused[:SHOWN_MAX]]
        if rows:
            output.out.print(output.table(None, ("line>", "account", "refused"), rows))
        output.out.print(
            f"{'Would be: ' if dry_run else ''}{output.counted(len(lines), 'line')}: {len(done) - known:,} done ({moved:+,} credits), "
            f"{known:,} known already, {len(refused):,} refused"
        )
    if refused:
        raise typer.Exit(EXIT_FINDINGS)


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArgument("The file is not UTF-8.", hint="Save it as UTF-8.", argument="file") from None
    except OSError as error:
        raise InvalidArgument(f"{file} cannot be read: {error.strerror}.", argument="file") from None


def read(text: str, fill: Sequence[str]) -> list[Line]:
    """The lines of a file, with what they do not say themselves.

    Raises:
        InvalidArgument: a line cannot be read, or there are too many.
    """
    filled = {}
    for given in fill:
        name, sign, value = given.partition("=")
        if not sign or not name:
            raise InvalidArgument(f"--set {given} is not of the form NAME=VALUE.", argument="set")
        filled[name] = _value(name, value, "--set")
    lines = []
    for number, given_line in _json_lines(text) if text.lstrip().startswith("{") else _csv_lines(text):
        lines.append(Line(number, filled | given_line))
        if len(lines) > LINES_MAX:
            raise InvalidArgument(
                f"The file has more than {LINES_MAX:,} lines.", hint="Split it.", argument="file"
            )
    return lines


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    # not splitlines: a string of JSON may hold what ends a line elsewhere, such as U+2028
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InvalidArgument(f"Line {number} is not JSON: {error}", argument="file") from None
        if not isinstance(value, dict):
            raise InvalidArgument(f"Line {number} is no JSON object.", argument="file")
        yield number, value


def _csv_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        names = [name.strip() for name in rows.fieldnames or []]
        rows.fieldnames = names
        if "account" not in names or len(set(names)) < len(names):
            raise InvalidArgument(
                "The first line must name the columns, each once, and one of them account.",
                hint="Such as: account,amount,reason",
                argument="file",
            )
        for row in rows:
            number = rows.line_num
            if None in row or None in row.values():
                raise InvalidArgument(f"Line {number} has not as many cells as columns.", argument="file")
            yield (
                number,
                {
                    name: _value(name, cell.strip(), f"Line {number}")
                    for name, cell in row.items()
                    if cell.strip()
                },
            )
    except csv.Error as error:
        raise InvalidArgument(f"Line {rows.line_num} is not CSV: {error}", argument="file") from None


def _value(name: str, text: str, place: str) -> Any:
    """What a cell means: for the ledger 50 and "50" are two things."""
    if name in NUMBERS:
        if not re.fullmatch(r"[+-]?\d{1,19}", text):
            raise InvalidArgument(f"{place}: {name} is {text}; it must be a whole number.", argument=name)
        return int(text)
    if name in INSTANTS:
        return instant(text).isoformat()
    if name in SWITCHES:
        if text not in TRUTHS:
            raise InvalidArgument(f"{place}: {name} is {text}; it must be true or false.", argument=name)
        return TRUTHS[text]
    if name == "metadata":
        try:
            return json.loads(text)
        except ValueError as error:
            raise InvalidArgument(f"{place}: metadata is not JSON: {error}", argument=name) from None
    return text


async def _apply(
    heller: Heller, at: Where, lines: list[Line], *, key: str | None, actor: str, dry_run: bool
) -> tuple[list[Any], list[Refused]]:
    """Do what can be done: the results, and the lines that were refused."""
    refused: dict[int, Refused] = {}

    def refuse(line: Line, error: HellerError) -> None:
        refused[line.number] = Refused(
            line=line.number,
            account=str(line.operation.get("account")),
            error=error.code,
            message=error.message,
        )

    with output.progress(quiet=at.as_json) as progress:
        await _find(heller, at.unit, lines, refuse, progress)
        lines = [line for line in lines if line.number not in refused]
        _complete(lines, key=key, actor=actor, dry_run=dry_run)
        done = []
        for start in range(0, len(lines), LINES_A_CALL):
            some = lines[start : start + LINES_A_CALL]
            for line, result in zip(some, await heller.apply([x.operation for x in some]), strict=True):
                if isinstance(result, HellerError):
                    refuse(line, result)
                else:
                    done.append(result)
            progress("Applying", start + len(some), len(lines))
    return done, [refused[number] for number in sorted(refused)]


async def _find(
    heller: Heller,
    unit: str,
    lines: Sequence[Line],
    refuse: Callable[[Line, HellerError], None],
    progress: Callable[[str, int, int], None],
) -> None:
    """Put each account's id in the place of whatever name the line has for it."""
    found: dict[tuple[str, str], str | HellerError] = {}
    for place, line in enumerate(lines, 1):
        operation = line.operation
        operation["unit"] = operation.get("unit") or unit
        name, of = operation.get("account"), operation["unit"]
        if not isinstance(name, str) or not isinstance(of, str):
            raise InvalidArgument(f"Line {line.number} has no account.", argument="account")
        if operation.get("verb") == "open_account":
            continue
        if (name, of) not in found:
            try:
                found[name, of] = (await find(heller, name, of)).account
            except (UnknownAccount, InvalidArgument) as error:
                found[name, of] = error
        answer = found[name, of]
        if isinstance(answer, HellerError):
            refuse(line, answer)
        else:
            operation["account"] = answer
        progress("Accounts", place, len(lines))


def _complete(lines: Sequence[Line], *, key: str | None, actor: str, dry_run: bool) -> None:
    """Give every operation its key, and who does it.

    Raises:
        InvalidArgument: an operation would have no key, or the same as another: applied again it would be done again.
    """
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        operation = line.operation
        operation["dry_run"] = dry_run
        if operation.get("verb") in KEYLESS:
            continue
        operation.setdefault("actor", actor)
        account = operation["account"]
        if operation.get("key") is None:
            if key is None:
                raise InvalidArgument(
                    f"Line {line.number} has no key, so the file could not be applied again.",
                    hint="Give the file a column key, or --key NAME when it names each account once.",
                    argument="key",
                )
            operation["key"] = f"{key}:{account}"
        if first := seen.get((account, str(operation["key"]))):
            raise InvalidArgument(
                f"Lines {first} and {line.number} are about {account} and have the same key {operation['key']}.",
                hint="Give them keys of their own in a column key; nothing was done.",
                argument="key",
            )
        seen[account, str(operation["key"])] = line.number
