"""What to change in the resume for one job: from the findings and from the resume's own form."""

import re
from collections.abc import Iterator
from typing import Any

from resume_matcher.matching.findings import Finding
from resume_matcher.matching.match import PARTLY_BELOW, Match
from resume_matcher.matching.score import MISSING_BELOW

SUGGESTIONS_MAX = 15
_NUMBER = re.compile(r"\d")
_LINE_WORDS_MAX = 40
_WORDS_MAX = 1_200


def suggestions(match: Match, text: str, resume: dict[str, Any]) -> list[dict[str, Any]]:
    """Each with a ``code`` that the pages put into words, its data, and the points it could bring."""
    points = {finding.requirement.label: gain for finding, gain in match.gains}
    found = [*_of_findings(match, points), *_of_form(text, resume)]
    return sorted(found, key=lambda item: -item["points"])[:SUGGESTIONS_MAX]


def _of_findings(match: Match, points: dict[str, float]) -> Iterator[dict[str, Any]]:
    for finding in match.findings:
        if (code := _code(finding)) is None:
            continue
        requirement = finding.requirement
        yield {
            "code": code,
            "label": requirement.label,
            "kind": requirement.kind,
            "source": requirement.source,
            "evidence": finding.evidence,
            "found": finding.found,
            "years": requirement.years,
            "level": requirement.level,
            "points": round(points.get(requirement.label, 0.0), 1),
        }


def _code(finding: Finding) -> str | None:
    """What can be done about a requirement; None where nothing need be."""
    kind = finding.requirement.kind
    if finding.how == "implied":
        return "name_it"
    if finding.how == "alias" and _words(finding).isdisjoint(finding.found.lower().split()):
        return "use_their_word"
    if finding.credit >= PARTLY_BELOW or finding.requirement.part == "duty":
        return None
    if finding.how == "written":
        return "list_language"
    if finding.credit >= MISSING_BELOW and kind in {"skill", "text"}:
        return "say_it_plainly"
    return {"years": "show_years", "degree": "show_degree", "language": "show_language"}.get(
        kind, "add_if_true"
    )


def _words(finding: Finding) -> set[str]:
    """The words of what is asked."""
    return set(finding.requirement.label.lower().split()) - {"/"}


def _of_form(text: str, resume: dict[str, Any]) -> Iterator[dict[str, Any]]:
    basics, work = resume.get("basics", {}), resume.get("work", [])
    checks = (
        ("no_email", not basics.get("email")),
        ("no_phone", not basics.get("phone")),
        ("no_summary", not basics.get("summary")),
        ("no_skills", not resume.get("skills")),
        ("no_dates", bool(work) and not any(item.get("startDate") for item in work)),
        ("no_work", not work),
        ("no_figures", bool(work) and not any(_NUMBER.search(line) for item in work for line in item.get("highlights", []))),
        ("long_lines", any(len(line.split()) > _LINE_WORDS_MAX for item in work for line in item.get("highlights", []))),
        ("too_long", len(text.split()) > _WORDS_MAX),
    )  # fmt: skip
    for code, is_so in checks:
        if is_so:
            yield {"code": code, "label": "", "kind": "form", "source": "", "evidence": "", "found": "", "years": 0, "level": "", "points": 0.0}  # fmt: skip
