"""What commands print: JSON or tables on stdout; talk, progress and errors on stderr."""

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from heller.errors import HellerError

PLAIN_SECONDS = 5.0
PLAIN_WIDTH = 160

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _Words(Console):
    """A console that shows what people wrote as they wrote it.

    Brackets and colons are no markup (a line of ours that is says ``markup=True`` and escapes what it quotes), and
    control characters, which would steer the terminal, are written out.
    """

    def render_str(self, text: str, **how: Any) -> Text:
        """Render a string, or a table's cell."""
        return super().render_str(_STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text), **how)


out = _Words(
    highlight=False,
    markup=False,
    emoji=False,
    soft_wrap=True,
    width=None if sys.stdout.isatty() else PLAIN_WIDTH,
)
talk = _Words(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def print_json(data: Any) -> None:
    """One JSON document on stdout."""
    _write_json(data, indent=2)


def print_json_line(data: Any) -> None:
    """One JSON document in one line on stdout."""
    _write_json(data, indent=None)


def _write_json(data: Any, *, indent: int | None) -> None:
    is_unicode = (
        "utf" in (sys.stdout.encoding or "").lower()
    )  # other encodings have not every letter; JSON has an escape
    sys.stdout.write(json.dumps(data, default=_plain, ensure_ascii=not is_unicode, indent=indent) + "\n")
    sys.stdout.flush()


def table(title: str | None, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """A table for people; columns whose name ends in ``>`` hold numbers and are right-aligned."""
    result = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim"
    )
    for column in columns:
        result.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left")
    for row in rows:
        result.add_row(*(_cell(cell) for cell in row))
    return result


def _cell(value: Any) -> str:
    return "" if value is None else words(value)


def words(value: Any) -> str:
    """Any value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return number(value)
    if isinstance(value, datetime):
        return f"{moment(value)} UTC"
    if isinstance(value, list | tuple):
        return ", ".join(map(words, value)) or "none"
    if isinstance(value, dict):
        told = [f"{name} {words(what)}" for name, what in value.items() if what not in (None, "", {}, [])]
        return ", ".join(told) or "nothing"
    return str(value)


def counted(count: int, thing: str) -> str:
    """A number of things, one or several."""
    return f"{number(count)} {thing if count == 1 else thing + 's'}"


def number(value: int) -> str:
    """Digits in groups of three."""
    return f"{value:,}"


def moment(value: datetime | None) -> str:
    """An instant in UTC, to the second."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def print_error(error: HellerError, *, as_json: bool) -> None:
    """An error: message and hint for people, all its data for programs."""
    if as_json:
        print_json(
            {
                "ok": False,
                "error": error.code,
                "message": error.message,
                "hint": error.hint,
                **error.details(),
            }
        )
        return
    talk.print(f"[bold red]Error:[/] {escape(error.message)}", markup=True)
    if error.hint:
        talk.print(f"[dim]{escape(error.hint)}[/]", markup=True)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Any]:
    """A callback ``(step, done, total)`` that draws bars on a terminal and plain lines otherwise."""
    if quiet or not talk.is_terminal:
        yield _Lines(quiet=quiet)
        return
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=talk,
        transient=False,
    )
    with bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total or None, rate="")
        task = self._bars.tasks[self._tasks[step]]
        rate = f"{task.speed:,.0f}/s" if task.speed else ""
        self._bars.update(self._tasks[step], completed=done, total=total or None, rate=rate)


class _Lines:
    """One line when a step begins and ends, and every few seconds between."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._started: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._quiet:
            return
        now = time.monotonic()
        started = self._started.setdefault(step, now)
        is_end = total > 0 and done >= total
        if not is_end and now - self._said.get(step, 0.0) < PLAIN_SECONDS:
            return
        if is_end and self._said.get(step) == float("inf"):
            return
        self._said[step] = float("inf") if is_end else now
        seconds = now - started
        rate = f", {done / seconds:,.0f}/s" if seconds > 0.1 else ""  # noqa: PLR2004  # too short to speak of a rate
        left = f", {(total - done) * seconds / done:,.0f} s left" if done and total > done else ""
        of = f" of {total:,}" if total else ""
        talk.print(f"{step}: {done:,}{of}{rate}{left}")
