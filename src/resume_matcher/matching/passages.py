"""The resume as passages: what can be quoted as evidence, and what a requirement is held against."""

import re
from dataclasses import dataclass
from typing import Any

from resume_matcher.matching.vocabulary import Mention, vocabulary
from resume_matcher.matching.words import stems
from resume_matcher.resume.dates import spans
from resume_matcher.resume.sections import split

PASSAGES_MAX = 600
_QUIET = frozenset({"references"})
_LISTED = re.compile(r"[,;|•·]\s*(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Passage:
    """One line or one item of a list, with the part of the resume it stands in."""

    text: str
    section: str
    stems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A skill in the resume: as it is written, in its best passage."""

    mention: Mention
    passage: Passage


_RANK = {
    "work": 0,
    "projects": 1,
    "volunteer": 2,
    "certificates": 2,
    "skills": 3,
    "education": 4,
    "summary": 4,
}


def passages_of(text: str) -> list[Passage]:
    """The passages of a resume's text; lists of skills item by item."""
    found: list[Passage] = []
    for section in split(text):
        if section.name in _QUIET:
            continue
        for line in section.lines:
            bare = line.strip().removeprefix("- ").strip()
            if not bare:
                continue
            items = _LISTED.split(bare) if section.name in {"skills", "languages", "interests"} else [bare]
            for item in [bare, *items] if len(items) > 1 else items:
                given = frozenset(stems(item))
                if given:
                    found.append(Passage(item.strip(), section.name, given))
    return found[:PASSAGES_MAX]


def skills_in(passages: list[Passage]) -> dict[str, Evidence]:
    """The skills of a resume, each with its best evidence: done at work beats listed."""
    found: dict[str, Evidence] = {}
    for passage in passages:
        for mention in vocabulary().mentions(passage.text):
            known = found.get(mention.skill)
            if known is None or _RANK.get(passage.section, 5) < _RANK.get(known.passage.section, 5):
                found[mention.skill] = Evidence(mention, passage)
    return found


@dataclass(frozen=True, slots=True)
class Station:
    """A station of work: its position, all its words, and how long it lasted."""

    position: str
    text: str
    months: tuple[int, int] | None
    stems: frozenset[str]
    skills: frozenset[str]


def stations_of(resume: dict[str, Any], today: Any) -> list[Station]:
    """The stations of a structured resume."""
    found = []
    for item in [*resume.get("work", []), *resume.get("volunteer", [])]:
        position = item.get("position", "")
        text = " ".join([position, item.get("name", ""), *item.get("highlights", [])]).strip()
        span = (
            spans(f"{item['startDate']} - {item.get('endDate') or 'present'}")
            if item.get("startDate")
            else []
        )
        found.append(
            Station(
                position or item.get("name", ""),
                text,
                span[0].months(today) if span else None,
                frozenset(stems(f"{position} {item.get('name', '')}")),
                frozenset(mention.skill for mention in vocabulary().mentions(text)),
            )
        )
    return found
