"""Spans of time in German and English resumes, as ISO months."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan januar january jänner", "feb februar february", "mar mär mrz märz march maerz", "apr april",
            "may mai", "jun juni june", "jul juli july", "aug august", "sep sept september",
            "oct okt oktober october", "nov november", "dec dez dezember december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_POINT = rf"(?:(?P<{{0}}name>{_MONTH})\.?,?\s+|(?P<{{0}}month>0?[1-9]|1[0-2])\s?[./-]\s?|(?P<{{0}}iso>(?:19|20)\d\d)-(?=(?:0[1-9]|1[0-2])\b))?(?P<{{0}}year>(?:19|20)\d\d|(?<=-)(?:0[1-9]|1[0-2]))(?!\d)"
_NOW = r"heute|jetzt|present|current|currently|now|today|aktuell|laufend|ongoing|date|to date|dato"
_TO = r"\s*(?:-|–|—|to|bis|until|till|through|and|und)\s*(?:the\s+)?"
_SPAN = re.compile(
    rf"(?:\b(?:from|von|between|zwischen)\s+)?(?<![\d.])\b{_POINT.format('a')}{_TO}(?:{_POINT.format('b')}|(?P<now>\b(?:{_NOW})\b))",
    re.IGNORECASE,
)
_SINCE = re.compile(rf"\b(?:seit|since|ab)\s+{_POINT.format('a')}", re.IGNORECASE)
_SINGLE = re.compile(rf"(?<![\d.])\b{_POINT.format('a')}(?!\w)", re.IGNORECASE)
_EARLIEST, _LATEST = 1950, 2100
_YEAR_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Span:
    """From month to month (YYYY-MM or YYYY); ``end`` is empty while it lasts. ``at`` is where it stands in the line."""

    start: str
    end: str
    at: tuple[int, int]

    def months(self, today: date) -> tuple[int, int]:
        """First and last month as counted months; whole years where only years are known."""
        first = _counted(self.start, 1)
        if not self.end:
            return first, today.year * 12 + today.month
        return first, max(
            first, _counted(self.end, 1 if len(self.start) == len(self.end) == _YEAR_DIGITS else 12)
        )


def spans(line: str) -> list[Span]:
    """All spans of a line, left to right."""
    found = [
        Span(_iso(match, "a"), "" if match["now"] else _iso(match, "b"), match.span())
        for match in _SPAN.finditer(line)
    ]
    if not found:
        found = [Span(_iso(match, "a"), "", match.span()) for match in _SINCE.finditer(line)]
    return [span for span in found if _is_sane(span)]


def year_of(line: str) -> tuple[str, tuple[int, int]] | None:
    """The last single date of a line (a degree's, a certificate's)."""
    last = None
    for match in _SINGLE.finditer(line):
        last = (_iso(match, "a"), match.span())
    return last


def years_together(found: Iterable[Span], today: date) -> float:
    """The years that spans cover, overlaps counted once."""
    covered = 0
    until = 0
    for first, last in sorted(span.months(today) for span in found):
        covered += max(0, last - max(first, until))
        until = max(until, last)
    return covered / 12


def _iso(match: re.Match[str], which: str) -> str:
    year = match[f"{which}year"]
    if match[f"{which}iso"]:
        return f"{match[f'{which}iso']}-{year}"
    if match[f"{which}name"]:
        return f"{year}-{_MONTHS[match[f'{which}name'].lower()]:02d}"
    if match[f"{which}month"]:
        return f"{year}-{int(match[f'{which}month']):02d}"
    return year


def _counted(iso: str, default: int) -> int:
    year, _, month = iso.partition("-")
    return int(year) * 12 + int(month or default)


def _is_sane(span: Span) -> bool:
    if len(span.start) < _YEAR_DIGITS or not _EARLIEST <= int(span.start[:4]) <= _LATEST:
        return False
    return not span.end or (len(span.end) >= _YEAR_DIGITS and span.end[:4] >= span.start[:4])
