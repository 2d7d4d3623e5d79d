"""How honest the score is: ``python benchmarks/matching/evaluate.py [--write]`` on the own graded set.

The calibration is fitted on 240 other made people (their own field's posting and one of another field each), never on
the thirty of the set. ``--write`` writes the file that the application reads.
"""

import json
import random
import sys
import time
from pathlib import Path

import graded
import numpy as np

from resume_matcher.matching import score as scoring
from resume_matcher.matching.findings import Candidate
from resume_matcher.matching.requirements import job_of
from resume_matcher.resume import parse

CALIBRATION = Path(scoring.__file__).with_name("calibration.json")
RIDGE = 1.0
LEAST = 0.3
ROUNDS = 6_000
RATE = 0.5
BINS = 10
TEACHERS, TEACHERS_SEED = 240, 7


Row = tuple[tuple[float, ...], bool, int, bool]


def rows(people: list[graded.Person], pairs: list[tuple[int, int]]) -> list[Row]:
    """Features, label, grade and whether the posting is of the person's own field, of each pair of numbers."""
    jobs = graded.jobs()
    asked = [job_of(job.text) for job in jobs]
    candidates = [Candidate.of(person.text, parse(person.text), graded.TODAY) for person in people]
    return [
        (
            scoring.features(candidates[who].find(asked[which].requirements)),
            graded.is_suitable(people[who], jobs[which]),
            graded.grade(people[who], jobs[which]),
            jobs[which].field in people[who].years,
        )
        for who, which in pairs
    ]


def own_field(people: list[graded.Person]) -> list[tuple[int, int]]:
    return [
        (who, which)
        for who, person in enumerate(people)
        for which, job in enumerate(graded.jobs())
        if job.field in person.years
    ]


def strange(people: list[graded.Person], seed: int) -> list[tuple[int, int]]:
    """One posting of another field for each person."""
    rng, jobs = random.Random(seed), graded.jobs()
    return [
        (who, rng.choice([w for w, job in enumerate(jobs) if job.field not in person.years]))
        for who, person in enumerate(people)
    ]


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Logistic regression by gradient descent; no weight below ``LEAST``, so that meeting more always scores more."""
    design = np.hstack([np.ones((len(x), 1)), x])
    weights = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (chance - y) / len(y)
        slope[1:] += RIDGE * weights[1:] / len(y) / 10
        weights -= RATE * slope
        weights[1:] = np.maximum(weights[1:], LEAST)
    return weights


def predicted(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(weights[0] + x @ weights[1:])))


def calibration_error(chances: np.ndarray, y: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width."""
    places = np.minimum((chances * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(chances[places == b].mean() - y[places == b].mean()) * (places == b).mean()
            for b in range(BINS)
            if (places == b).any()
        )
    )


def area(chances: np.ndarray, y: np.ndarray) -> float:
    """How often a suitable pair scores above an unsuitable one."""
    good, bad = chances[y == 1], chances[y == 0]
    return float((good[:, None] > bad[None]).mean() + (good[:, None] == bad[None]).mean() / 2)


def report(name: str, weights: np.ndarray, found: list[Row]) -> None:
    x, y = np.array([row[0] for row in found]), np.array([row[1] for row in found], dtype=float)
    chances = predicted(weights, x)
    print(
        f"{name:34} {len(y):4} pairs, {int(y.sum()):3} suitable: calibration error {calibration_error(chances, y):.3f}"
        f"  Brier {((chances - y) ** 2).mean():.3f}  AUC {area(chances, y):.3f}  right at 0.5 {((chances > 0.5) == y).mean():.3f}"
    )


def main() -> None:
    started = time.monotonic()
    teachers = graded.crowd(TEACHERS_SEED, TEACHERS)
    lessons = rows(teachers, own_field(teachers) + strange(teachers, TEACHERS_SEED))
    weights = fit(np.array([row[0] for row in lessons]), np.array([row[1] for row in lessons], dtype=float))
    thirty = graded.people()
    pairs = [(who, which) for who in range(len(thirty)) for which in range(len(graded.jobs()))]
    found = rows(thirty, pairs)
    grades = [row[2] for row in found]
    print(f"own set: grades 0 to 3: {[grades.count(g) for g in range(4)]}")
    report("fitted on", weights, lessons)
    report("own set, 30 x 10", weights, found)
    report("own set, own field only", weights, [row for row in found if row[3]])
    report(
        "own set, written by hand",
        weights,
        [row for row, (who, _) in zip(found, pairs, strict=True) if not thirty[who].id.startswith("made")],
    )
    others = graded.crowd(TEACHERS_SEED + 1, TEACHERS)
    report("240 others, own field only", weights, rows(others, own_field(others)))
    print(
        "weights",
        dict(zip(("intercept", *scoring.FEATURES), np.round(weights, 2).tolist(), strict=True)),
        f"{time.monotonic() - started:.1f} s",
    )
    if "--write" in sys.argv:
        raw = {
            "intercept": round(float(weights[0]), 3),
            "weights": {n: round(float(w), 3) for n, w in zip(scoring.FEATURES, weights[1:], strict=True)},
        }
        CALIBRATION.write_text(json.dumps(raw, indent=2) + "\n")


if __name__ == "__main__":
    main()
