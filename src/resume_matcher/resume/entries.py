"""Stations of work and of education: one for each span of time."""

import re
from dataclasses import dataclass, field
from typing import Any

from resume_matcher.resume.dates import Span, spans, year_of
from resume_matcher.resume.levels import degree_in

_AT = re.compile(r"\s+(?:at|bei|bei der|beim|@)\s+|\s+[|•·]\s+|\s{3,}|\s+[–—]\s+|\s+-\s+|,\s+")
_FILLER = re.compile(
    r"^(?:worked|served|employed|working|experience|experienced|had a \w+|tätig|role|position|title|company|date|dates)\b"
    r"(?:\s+(?:as|in|als|at))?(?:\s+(?:a|an|the|ein|eine))?\s*:?\s*",
    re.IGNORECASE,
)
_EDGES = " \t-–—,;:|().*#"
_INSTITUTION = re.compile(
    r"universi|hochschule|college|institut|school|schule|gymnasium|akademie|academy|\bTU\b|\bFH\b|\bRWTH\b|\bLMU\b|\bKIT\b|\bETH\b|\bIHK\b|handwerkskammer|polytechnic",
    re.IGNORECASE,
)
_HIGHLIGHT_WORDS_MIN = 9


@dataclass(slots=True)
class _Entry:
    span: Span | None
    head: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)


def work(lines: list[str]) -> list[dict[str, Any]]:
    """Stations of work: position, name of the employer, startDate, endDate, highlights."""
    found = []
    for entry in _entries(lines):
        position, company = _position_and_name(entry.head)
        item: dict[str, Any] = {}
        if company:
            item["name"] = company
        if position:
            item["position"] = position
        item |= _dates(entry.span)
        if entry.body:
            item["highlights"] = entry.body
        if item:
            found.append(item)
    return found


def volunteer(lines: list[str]) -> list[dict[str, Any]]:
    """Stations of volunteering: as work, with ``organization``."""
    return [
        {("organization" if name == "name" else name): value for name, value in item.items()}
        for item in work(lines)
    ]


def education(lines: list[str]) -> list[dict[str, Any]]:
    """Stations of education: institution, studyType, area, startDate, endDate."""
    found = []
    for entry in _entries(lines, one_a_line=True):
        parts = [part for line in entry.head for part in _parts(line)]
        item: dict[str, Any] = {}
        institution = next((part for part in parts if _INSTITUTION.search(part) and not degree_in(part)), "")
        if institution:
            item["institution"] = institution
        study = next((part for part in parts if degree_in(part)), "")
        rest = [part for part in parts if part not in {institution, study}]
        if study:
            item["studyType"] = study
        if rest:
            item["area"] = ", ".join(rest[:2])
        item |= _dates(entry.span)
        if entry.body:
            item["courses"] = entry.body
        if item:
            found.append(item)
    return found


def _entries(lines: list[str], *, one_a_line: bool = False) -> list[_Entry]:
    """Cut at the lines with a span; the lines right above or below it without a bullet are its head."""
    entries: list[_Entry] = []
    waiting: list[str] = []
    for raw in lines:
        bulleted = raw.startswith("- ")
        line = raw.removeprefix("- ").strip().lstrip("# ")
        if not line:
            continue
        span, rest = _cut(line, single=one_a_line)
        if span is not None:
            head = ([] if _is_whole(rest) and not entries else waiting[-2:]) if not bulleted else []
            left = waiting[: len(waiting) - len(head)]
            _attach(entries, left)
            entries.append(_Entry(span, [*head, *([rest] if rest else [])]))
            waiting = []
        elif bulleted and entries and not one_a_line:
            _attach(entries, waiting)
            waiting = []
            entries[-1].body.append(line)
        elif entries and not waiting and not entries[-1].body and len(entries[-1].head) < 2:  # noqa: PLR2004  # position and employer
            if len(line.split()) < _HIGHLIGHT_WORDS_MIN:
                entries[-1].head.append(line)
            else:
                entries[-1].body.append(line)
        elif bulleted or (one_a_line and degree_in(line)):
            _attach(entries, waiting)
            waiting = []
            entries.append(_Entry(None, [line]))
        elif len(line.split()) >= _HIGHLIGHT_WORDS_MIN and entries:
            entries[-1].body.append(line)
        else:
            waiting.append(line)
    if waiting and not entries:
        return [_Entry(None, waiting[:2], waiting[2:])]
    _attach(entries, waiting)
    return entries


def _attach(entries: list[_Entry], lines: list[str]) -> None:
    if entries:
        entries[-1].body.extend(lines)
    elif lines:
        entries.append(_Entry(None, lines[:2], lines[2:]))


def _is_whole(rest: str) -> bool:
    return len(_parts(rest)) > 1


def _cut(line: str, *, single: bool) -> tuple[Span | None, str]:
    """The span of a line and what is left of it."""
    found = spans(line)
    if found:
        start, end = found[0].at
        return found[0], f"{line[:start].strip(_EDGES)}   {line[end:].strip(_EDGES)}".strip()
    if single and (year := year_of(line)) is not None:
        start, end = year[1]
        return Span(
            "", year[0], year[1]
        ), f"{line[:start].strip(_EDGES)}   {line[end:].strip(_EDGES)}".strip()
    return None, line


def _parts(text: str) -> list[str]:
    return [bare for part in _AT.split(text) if (bare := _FILLER.sub("", part.strip(_EDGES)).strip(_EDGES))]


def _position_and_name(head: list[str]) -> tuple[str, str]:
    parts = [part for line in head for part in _parts(line)]
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _dates(span: Span | None) -> dict[str, str]:
    if span is None:
        return {}
    dates = {"startDate": span.start} if span.start else {}
    return dates | ({"endDate": span.end} if span.end else {})
