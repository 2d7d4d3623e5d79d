"""Findings to one number: weighted, drawn to the middle where a posting says little, calibrated."""

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

from resume_matcher.matching.findings import Finding

WEIGHTS = {"must": 3.0, "nice": 1.0, "duty": 0.5}
KIND_WEIGHTS = {"skill": 1.0, "text": 0.7, "years": 1.2, "degree": 1.0, "language": 0.8}
PRIOR = 0.4
PRIOR_WEIGHT = 3.0
MISSING_BELOW = 0.3
FEATURES = ("skills", "nice", "years", "languages", "present")


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression: the chance that a person who knows the rule of the graded set would invite."""

    intercept: float
    weights: tuple[float, ...]

    def probability(self, features: tuple[float, ...]) -> float:
        """Between 0 and 1."""
        z = self.intercept + sum(
            weight * feature for weight, feature in zip(self.weights, features, strict=True)
        )
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))


@cache
def calibration() -> Calibration:
    """The one that was fitted on the own graded set; see benchmarks/matching."""
    raw = json.loads((resources.files("resume_matcher.matching") / "calibration.json").read_text("utf-8"))
    return Calibration(raw["intercept"], tuple(raw["weights"][name] for name in FEATURES))


def weight(finding: Finding) -> float:
    """How much a requirement counts."""
    return WEIGHTS[finding.requirement.part] * KIND_WEIGHTS[finding.requirement.kind]


def features(findings: list[Finding]) -> tuple[float, ...]:
    """What the calibration reads, each between 0 and 1.

    The less is asked of a kind, the more its credit is drawn to that of everything; and the less is asked at all, the
    more that is drawn to the middle.
    """
    musts = [f for f in findings if f.requirement.is_must]
    overall = _shrunken(findings, PRIOR)
    present = [f for f in musts if f.credit >= MISSING_BELOW]
    return (
        _shrunken([f for f in musts if f.requirement.kind in {"skill", "text", "degree"}], overall),
        _shrunken([f for f in findings if not f.requirement.is_must], overall),
        _shrunken([f for f in findings if f.requirement.kind == "years"], overall),
        _shrunken([f for f in musts if f.requirement.kind == "language"], overall),
        (len(present) + overall) / (len(musts) + 1),
    )


def _shrunken(findings: list[Finding], prior: float) -> float:
    total = sum(weight(finding) for finding in findings)
    met = sum(weight(finding) * finding.credit for finding in findings)
    return (met + PRIOR_WEIGHT * prior) / (total + PRIOR_WEIGHT)


def score(findings: list[Finding]) -> float:
    """0 to 100, unrounded."""
    return 100 * calibration().probability(features(findings))
