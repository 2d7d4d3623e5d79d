"""Each requirement held against the resume: how far it is met, and where that stands."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from resume_matcher.matching.embedding import embed
from resume_matcher.matching.passages import Evidence, Passage, Station, passages_of, skills_in, stations_of
from resume_matcher.matching.requirements import Requirement
from resume_matcher.matching.vocabulary import vocabulary
from resume_matcher.matching.words import coverage, stems
from resume_matcher.resume.levels import DEGREES, LEVELS, degree_in

IMPLIED = 0.85
STUDIED = 0.7  # a skill that only the education names
SIMILAR_MAX = 0.6
WRITTEN_IN_IT = 0.7
NAMED_ONLY = 0.5  # a skill that is listed but belongs to no station: half of the time is believed
_COSINE_FLOOR = 0.35
_COSINE_FULL = 0.85
_STATION_FLOOR = 0.45
_EVIDENCE_CHARACTERS_MAX = 240


@dataclass(frozen=True, slots=True)
class Finding:
    """``credit`` 0 to 1; ``how``: exact, alias, implied, similar, years, degree, language or missing."""

    requirement: Requirement
    credit: float
    how: str
    evidence: str = ""
    section: str = ""
    found: str = ""


@dataclass(slots=True)
class Candidate:
    """Everything of one resume that requirements are held against."""

    resume: dict[str, Any]
    passages: list[Passage]
    vectors: Any
    skills: dict[str, Evidence]
    implied: dict[str, str]
    stations: list[Station]
    station_vectors: Any
    today: date

    @classmethod
    def of(cls, text: str, resume: dict[str, Any], today: date) -> "Candidate":
        """Read a resume once for all its jobs."""
        passages = passages_of(text)
        skills = skills_in(passages)
        stations = stations_of(resume, today)
        return cls(
            resume,
            passages,
            embed([passage.text for passage in passages]),
            skills,
            vocabulary().closure(frozenset(skills)),
            stations,
            embed([station.position for station in stations]),
            today,
        )

    def find(self, requirements: tuple[Requirement, ...]) -> list[Finding]:
        """One finding a requirement, in their order."""
        vectors = embed([requirement.label for requirement in requirements])
        return [
            self._find(requirement, vector) for requirement, vector in zip(requirements, vectors, strict=True)
        ]

    def _find(self, requirement: Requirement, vector: Any) -> Finding:
        if requirement.kind == "skill":
            return self._skill(requirement, vector)
        if requirement.kind == "years":
            return self._years(requirement, vector)
        if requirement.kind == "degree":
            return self._degree(requirement)
        if requirement.kind == "language":
            return self._language(requirement)
        return self._text(requirement, vector)

    def _skill(self, requirement: Requirement, vector: Any) -> Finding:
        for option in requirement.options:
            if known := self.skills.get(option):
                wanted = {option.lower(), *requirement.label.lower().split(" / ")}
                how = "exact" if known.mention.written.lower() in wanted else "alias"
                credit = STUDIED if known.passage.section == "education" else 1.0
                return self._quoted(requirement, credit, how, known.passage, known.mention.written)
        for option in requirement.options:
            if option in self.implied:
                known = self.skills[self.implied[option]]
                return self._quoted(requirement, IMPLIED, "implied", known.passage, known.mention.skill)
        best, strength = self._best(requirement.label, vector)
        if best is None or strength < _STATION_FLOOR:
            return Finding(requirement, 0.0, "missing")
        return self._quoted(requirement, SIMILAR_MAX * strength, "similar", best)

    def _text(self, requirement: Requirement, vector: Any) -> Finding:
        best, strength = self._best(requirement.label, vector)
        if best is None or strength == 0:
            return Finding(requirement, 0.0, "missing")
        return self._quoted(requirement, strength, "similar", best)

    def _best(self, label: str, vector: Any) -> tuple[Passage | None, float]:
        """The passage nearest in words and in meaning, and how near."""
        if not self.passages:
            return None, 0.0
        wanted = stems(label)
        cosines = np.clip((self.vectors @ vector - _COSINE_FLOOR) / (_COSINE_FULL - _COSINE_FLOOR), 0, 1)
        shared = np.array([coverage(wanted, passage.stems) for passage in self.passages])
        strengths = np.maximum(np.maximum(shared * 0.95, cosines), 0.6 * shared + 0.5 * cosines)
        at = int(np.argmax(strengths))
        return self.passages[at], float(min(1.0, strengths[at]))

    def _years(self, requirement: Requirement, vector: Any) -> Finding:
        """The years of the stations that fit what is asked; all stations where nothing in particular is."""
        wanted = stems(requirement.label)
        if not wanted:
            return self._lasting(requirement, [(station, 1.0) for station in self.stations])
        options = frozenset(requirement.options)
        if fitting := [
            (s, 1.0) for s in self.stations if options & (s.skills | vocabulary().closure(s.skills).keys())
        ]:
            return self._lasting(requirement, fitting)
        near = self.station_vectors @ vector if self.stations else []
        scored = []
        for station, cosine in zip(self.stations, near, strict=True):
            shared = coverage(wanted, station.stems)
            meant = float(np.clip((cosine - _COSINE_FLOOR) / (_COSINE_FULL - _COSINE_FLOOR), 0, 1))
            strength = min(1.0, max(shared, meant, 0.6 * shared + 0.5 * meant))
            if strength >= _STATION_FLOOR:
                scored.append((station, strength))
        if not scored and options & (self.skills.keys() | self.implied.keys()):
            return self._lasting(requirement, [(station, NAMED_ONLY) for station in self.stations])
        if not scored:
            best, strength = self._best(requirement.label, vector)
            if best is None or strength < _STATION_FLOOR:
                return Finding(requirement, 0.0, "missing")
            return self._quoted(requirement, 0.35 * strength, "similar", best)
        top = max(strength for _, strength in scored)
        return self._lasting(requirement, [(s, strength) for s, strength in scored if strength >= top * 0.8])

    def _lasting(self, requirement: Requirement, fitting: list[tuple[Station, float]]) -> Finding:
        if not fitting:
            return Finding(requirement, 0.0, "missing")
        dated = [(station, strength) for station, strength in fitting if station.months]
        covered, until = 0, 0
        for first, last in sorted(station.months for station, _ in dated if station.months):
            covered += max(0, last - max(first, until))
            until = max(until, last)
        years = covered / 12
        strength = max(strength for _, strength in fitting)
        share = (
            min(1.0, (years + 0.25) / requirement.years) if dated else 0.5
        )  # three months of grace; undated counts half
        best = max(fitting, key=lambda pair: (pair[1], pair[0].months is not None))[0]
        return Finding(
            requirement,
            strength * share,
            "years",
            _cut(best.position),
            "work",
            f"{years:.1f}" if dated else "",
        )

    def _degree(self, requirement: Requirement) -> Finding:
        has, evidence = "", ""
        for passage in self.passages:
            if passage.section not in {"education", "summary", "basics", "certificates"}:
                continue
            level = degree_in(passage.text)
            if level and (not has or DEGREES.index(level) > DEGREES.index(has)):
                has, evidence = level, passage.text
        if not has:
            return Finding(requirement, 0.0, "missing")
        below = DEGREES.index(requirement.level) - DEGREES.index(has)
        return Finding(
            requirement,
            1.0 if below <= 0 else max(0.0, 0.8 - 0.4 * below),
            "degree",
            _cut(evidence),
            "education",
            has,
        )

    def _language(self, requirement: Requirement) -> Finding:
        language = requirement.options[0]
        for item in self.resume.get("languages", []):
            if item["language"] == language:
                level = item["fluency"] if item["fluency"] in LEVELS else "B1"
                below = LEVELS.index(requirement.level) - LEVELS.index(level)
                credit = 1.0 if below <= 0 else max(0.1, 1 - 0.3 * below)
                return Finding(requirement, credit, "language", "", "languages", level)
        if self.resume.get("meta", {}).get("language") == language:
            return Finding(requirement, WRITTEN_IN_IT, "written", "", "", language)
        return Finding(requirement, 0.0, "missing")

    @staticmethod
    def _quoted(
        requirement: Requirement, credit: float, how: str, passage: Passage, found: str = ""
    ) -> Finding:
        return Finding(requirement, credit, how, _cut(passage.text), passage.section, found)


def _cut(text: str) -> str:
    return text if len(text) <= _EVIDENCE_CHARACTERS_MAX else text[: _EVIDENCE_CHARACTERS_MAX - 1] + "…"
