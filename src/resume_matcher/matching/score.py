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
FEATURES = ("must", "nice", "years", "missing")


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
    """What the calibration reads, each between 0 and 1: shrunken credits, and the share of musts that is there at all."""
    musts = [finding for finding in findings if finding.requirement.is_must]
    others = [finding for finding in findings if not finding.requirement.is_must]
    years = [finding for finding in findings if finding.requirement.kind == "years"]
    present = [f for f in musts if f.credit >= MISSING_BELOW]
    return (
        _shrunken(musts),
        _shrunken(others),
        _shrunken(years),
        (len(present) + PRIOR) / (len(musts) + 1),
    )


def _shrunken(findings: list[Finding]) -> float:
    total = sum(weight(finding) for finding in findings)
    met = sum(weight(finding) * finding.credit for finding in findings)
    return (met + PRIOR_WEIGHT * PRIOR) / (total + PRIOR_WEIGHT)


def score(findings: list[Finding]) -> float:
    """0 to 100, unrounded."""
    return 100 * calibration().probability(features(findings))
