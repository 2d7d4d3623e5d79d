"""One resume and one job: the score, and everything it is made of."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from resume_matcher.matching.findings import Candidate, Finding
from resume_matcher.matching.requirements import Job, job_of
from resume_matcher.matching.score import MISSING_BELOW, WEIGHTS, score, weight
from resume_matcher.resume.language import languages_of

PARTLY_BELOW = 0.75
GAINS_MAX = 5
_WEIGHT_FOR_HIGH = 15.0
_WEIGHT_FOR_MEDIUM = 7.0


@dataclass(frozen=True, slots=True)
class Match:
    """``score`` 0 to 100; ``confidence`` high, medium or low with its ``cautions``; the findings in the posting's order."""

    score: float
    title: str
    confidence: str
    cautions: tuple[str, ...]
    findings: tuple[Finding, ...]
    gains: tuple[tuple[Finding, float], ...]

    def as_json(self) -> dict[str, Any]:
        """What is stored and what the pages and the API show."""
        return {
            "score": round(self.score, 1),
            "title": self.title,
            "confidence": self.confidence,
            "cautions": list(self.cautions),
            "requirements": [_as_json(finding) for finding in self.findings],
            "missing": [f.requirement.label for f in self.findings if f.credit < MISSING_BELOW],
            "gains": [
                {
                    "label": finding.requirement.label,
                    "kind": finding.requirement.kind,
                    "years": finding.requirement.years,
                    "level": finding.requirement.level,
                    "points": round(points, 1),
                }
                for finding, points in self.gains
            ],
        }


def match(text: str, resume: dict[str, Any], job_text: str, *, today: date | None = None) -> Match:
    """Hold a resume (its text and its structure) against a job.

    Raises:
        UnusableJob: the job asks for nothing that could be matched.
    """
    job = job_of(job_text)
    candidate = Candidate.of(text, resume, today or date.today())  # noqa: DTZ011  # years of work, whole months
    return of_candidate(candidate, job, job_text, text)


def of_candidate(candidate: Candidate, job: Job, job_text: str, text: str) -> Match:
    """The same with what was read already."""
    findings = candidate.find(job.requirements)
    reached = score(findings)
    confidence, cautions = _confidence(findings, job_text, text, candidate.resume)
    return Match(reached, job.title, confidence, cautions, tuple(findings), _gains(findings, reached))


def _gains(findings: list[Finding], reached: float) -> tuple[tuple[Finding, float], ...]:
    """What would raise the score most: each requirement met in full, the others as they are."""
    gains = []
    for index, finding in enumerate(findings):
        if finding.credit < PARTLY_BELOW:
            met = Finding(finding.requirement, 1.0, finding.how)
            gains.append((finding, score([*findings[:index], met, *findings[index + 1 :]]) - reached))
    return tuple(sorted(gains, key=lambda pair: -pair[1])[:GAINS_MAX])


def _confidence(
    findings: list[Finding], job_text: str, text: str, resume: dict[str, Any]
) -> tuple[str, tuple[str, ...]]:
    cautions = []
    asked = sum(weight(finding) for finding in findings)
    if asked < _WEIGHT_FOR_MEDIUM:
        cautions.append("thin_job")
    job_languages, resume_languages = languages_of(job_text), languages_of(text)
    if job_languages.is_mixed or resume_languages.is_mixed:
        cautions.append("mixed_languages")
    elif job_languages.is_sure and resume_languages.is_sure and job_languages.main != resume_languages.main:
        cautions.append("different_languages")
    if not resume.get("work"):
        cautions.append("no_work_found")
    guessed = sum(
        weight(finding) for finding in findings if finding.how == "similar" and 0 < finding.credit < 1
    )
    if asked and guessed > asked / 2:
        cautions.append("by_likeness")
    low = asked < WEIGHTS["must"] * 2 or "thin_job" in cautions
    confidence = "low" if low else "medium" if cautions or asked < _WEIGHT_FOR_HIGH else "high"
    return confidence, tuple(cautions)


def _as_json(finding: Finding) -> dict[str, Any]:
    requirement = finding.requirement
    state = (
        "missing" if finding.credit < MISSING_BELOW else "partly" if finding.credit < PARTLY_BELOW else "met"
    )
    return {
        "label": requirement.label,
        "kind": requirement.kind,
        "part": requirement.part,
        "source": requirement.source,
        "options": list(requirement.options),
        "years": requirement.years,
        "level": requirement.level,
        "credit": round(finding.credit, 3),
        "state": state,
        "how": "missing" if state == "missing" else finding.how,
        "evidence": "" if state == "missing" else finding.evidence,
        "section": "" if state == "missing" else finding.section,
        "found": "" if state == "missing" else finding.found,
        "weight": round(weight(finding), 2),
    }
