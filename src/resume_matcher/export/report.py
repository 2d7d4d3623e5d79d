"""What a report says, whatever file it becomes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resume_matcher.store import Analysis
from resume_matcher.words import Words

Gettext = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement: what is asked, how far it is met, and where that stands."""

    asked: str
    state: str
    state_code: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Report:
    """Title, figure, remarks, requirements by part, advice."""

    title: str
    subtitle: str
    score: str
    remarks: tuple[str, ...]
    headings: tuple[str, str, str]
    parts: tuple[tuple[str, tuple[Row, ...]], ...]
    advice: tuple[tuple[str, tuple[str, ...]], ...]


def report_of(analysis: Analysis, words: Words, _: Gettext) -> Report:
    """The report of a finished analysis."""
    result: dict[str, Any] = analysis.result or {}
    parts = []
    for part, heading in words.parts.items():
        rows = tuple(_row(item, words) for item in result["requirements"] if item["part"] == part)
        if rows:
            parts.append((heading, rows))
    gains = tuple(
        _("%(label)s: up to %(points)s points", label=words.label(gain), points=gain["points"])
        for gain in result.get("gains", [])
        if gain["points"] > 0
    )
    advice = tuple(_advised(item, words, _) for item in result.get("suggestions", []))
    lists = ((_("What would raise the score most"), gains), (_("What to change in the resume"), advice))
    return Report(
        title=analysis.job_title or _("Job without a title"),
        subtitle=f"{analysis.resume.title} · {analysis.created_at:%Y-%m-%d}",
        score=_("%(score)s of 100", score=round(analysis.match_score or 0)),
        remarks=(
            words.confidence[result["confidence"]],
            *(words.cautions[code] for code in result["cautions"]),
            *_model_named(result.get("llm"), _),
        ),
        headings=(_("Asked"), _("State"), _("Evidence in the resume")),
        parts=tuple(parts),
        advice=tuple((heading, lines) for heading, lines in lists if lines),
    )


def _model_named(llm: dict[str, str] | None, _: Gettext) -> tuple[str, ...]:
    if not llm or llm["reason"]:
        return ()
    return (_("The language model %(model)s worded the lines.", model=llm["model"]),)


def _advised(item: dict[str, Any], words: Words, _: Gettext) -> str:
    """One suggestion, with the language model's line where there is one."""
    said = words.advice[item["code"]]
    if item["label"]:
        said = f"{words.label(item)}: {said}"
    if item.get("line"):
        lead = _("A line for it")
        said = f"{said} {lead}: {item['line']}"
    return said


def _row(item: dict[str, Any], words: Words) -> Row:
    evidence = item.get("evidence", "")
    if item.get("how") == "written":
        evidence = words.how["written"]
    return Row(words.label(item), words.met[item["state"]], item["state"], evidence)
