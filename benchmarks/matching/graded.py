"""The own graded set: 30 fictional resumes by 10 postings, German and English; the grade is a rule over facts.

Six resumes are written by hand, twenty-four by a seeded generator that says each fact in one of several ways, some of
them outside the alias list. **The rule** never reads a text, only the facts:

- 3: at least 80 % of the musts, all the years asked in the field, the degree, every language at its level
- 2: at least 60 % of the musts, half of the years, every language at most one level below
- 1: at least 30 % of the musts
- 0: less

``is_suitable``: grade 2 or 3. That is what the score is calibrated to be the chance of.
"""

import random
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from phrases import FIELDS, OTHER_SKILLS, SAYINGS

from resume_matcher.resume.levels import DEGREES, LEVELS

HERE = Path(__file__).parent / "graded"
SEED = 2024
GENERATED = 24
TODAY = date(2024, 3, 1)
SUITABLE = 2


@dataclass(frozen=True)
class Job:
    """A posting and its facts."""

    id: str
    field: str
    musts: list[str]
    nices: list[str]
    years: float
    degree: str
    languages: dict[str, str]
    text: str


@dataclass(frozen=True)
class Person:
    """A resume and its facts."""

    id: str
    skills: list[str]
    years: dict[str, float]
    degree: str
    languages: dict[str, str]
    text: str


def jobs() -> list[Job]:
    return [Job(**raw) for raw in tomllib.loads((HERE / "jobs.toml").read_text("utf-8"))["jobs"]]


def people() -> list[Person]:
    """The thirty of the set."""
    by_hand = [Person(**raw) for raw in tomllib.loads((HERE / "people.toml").read_text("utf-8"))["people"]]
    return by_hand + crowd(SEED, GENERATED)


def crowd(seed: int, size: int) -> list[Person]:
    """As many made people as wanted; another seed makes others."""
    rng = random.Random(seed)
    fields = list(FIELDS)
    return [_generated(rng, index, fields[index % len(fields)]) for index in range(size)]


def grade(person: Person, job: Job) -> int:
    """The rule."""
    musts = sum(skill in person.skills for skill in job.musts) / len(job.musts)
    years = min(1.0, person.years.get(job.field, 0) / job.years)
    has_degree = not job.degree or (
        person.degree != "" and DEGREES.index(person.degree) >= DEGREES.index(job.degree)
    )
    below = max(
        LEVELS.index(level) - LEVELS.index(person.languages[code]) if code in person.languages else 9
        for code, level in job.languages.items()
    )
    if musts >= 0.8 and years >= 1 and has_degree and below <= 0:
        return 3
    if musts >= 0.6 and years >= 0.5 and below <= 1:
        return 2
    return 1 if musts >= 0.3 else 0


def is_suitable(person: Person, job: Job) -> bool:
    return grade(person, job) >= SUITABLE


def _generated(rng: random.Random, index: int, field: str) -> Person:
    """A person of one field: how much of it they know, how long they did it, and what else."""
    facts = FIELDS[field]
    share = rng.choice((0.4, 0.6, 0.8, 1.0, 1.0))
    core = rng.sample(facts["skills"], max(1, round(share * len(facts["skills"]))))
    extra = rng.sample(facts["extra"], rng.randint(0, min(2, len(facts["extra"]))))
    other = rng.sample(OTHER_SKILLS, rng.randint(1, 3))
    years = {field: rng.choice((0.5, 1, 2, 3, 4, 6, 9))}
    if rng.random() < 0.4:
        years[rng.choice([name for name in FIELDS if name != field])] = rng.choice((1, 2, 3))
    german = rng.random() < 0.5
    languages = {
        "de": rng.choice(("native", "native", "C1", "B1")),
        "en": rng.choice(("native", "C1", "B2", "A2")),
    }
    languages["de" if german else "en"] = rng.choice(("native", "native", "C1"))
    degree = rng.choice(facts["degrees"])
    skills = list(dict.fromkeys(core + extra + other))
    text = _written(rng, index, field, skills, years, degree, languages, german=german)
    return Person(f"made-{index + 1}", skills, years, degree, languages, text)


_FIRST = [
    "Mara",
    "Jonas",
    "Elif",
    "Piet",
    "Sophia",
    "Bela",
    "Carla",
    "Demir",
    "Edda",
    "Finn",
    "Greta",
    "Hanno",
    "Ida",
    "Jaron",
    "Kira",
    "Levi",
    "Malin",
    "Nils",
    "Oda",
    "Paul",
    "Romy",
    "Sven",
    "Tilda",
    "Urs",
]
_LAST = [
    "Aschenbach",
    "Birnstiel",
    "Cromwell",
    "Dornfeld",
    "Eberwein",
    "Fairlight",
    "Grünspan",
    "Holloway",
    "Immergut",
    "Jessop",
    "Kupferberg",
    "Lindqvist",
    "Morgenrot",
    "Northcott",
    "Ohlendorf",
    "Pettigrew",
    "Quendler",
    "Rosenquist",
    "Silberbach",
    "Thornbury",
    "Uhlenhorst",
    "Vogelsang",
    "Wetherby",
    "Zirbel",
]
_EMPLOYERS = [
    "Nordmole",
    "Bluebrook",
    "Sternwarte",
    "Pinewell",
    "Altmark",
    "Foxglove",
    "Kiesgrube",
    "Harrowgate",
    "Seeblick",
    "Milldale",
]
_LANGUAGE = {"de": ("Deutsch", "German"), "en": ("Englisch", "English")}
_DEGREE = {
    "master": ("Master of Science, {}, Universität Beispielstadt", "Master of Science in {}, Exampleton University"),
    "bachelor": ("Bachelor of Arts, {}, Hochschule Beispielstadt", "Bachelor's degree in {}, Exampleton College"),
    "vocational": ("Ausbildung zum Fachmann für {}, Berufsschule Beispielstadt", "Apprenticeship in {}, Exampleton trade school"),
}  # fmt: skip


def _written(  # noqa: PLR0917  # the facts
    rng: random.Random,
    index: int,
    field: str,
    skills: list[str],
    years: dict[str, float],
    degree: str,
    languages: dict[str, str],
    *,
    german: bool,
) -> str:
    """The facts as a resume. Each skill is said once: in a sentence at work, or in the list."""
    side = 0 if german else 1
    head = (
        "Berufserfahrung",
        "Experience",
        "Ausbildung",
        "Education",
        "Kenntnisse",
        "Skills",
        "Sprachen",
        "Languages",
    )
    first, last = _FIRST[index % len(_FIRST)], _LAST[(index * 7) % len(_LAST)]
    said = {skill: rng.choice(SAYINGS[skill][side]) for skill in skills}
    at_work = [skill for skill in skills if " " in said[skill] or rng.random() < 0.4]
    listed = [skill for skill in skills if skill not in at_work]
    lines = [f"{first} {last}", f"{first.lower()}@example.org", "", head[0 + side]]
    end_year, end_month = TODAY.year, TODAY.month
    for place, (worked_in, lasted) in enumerate(years.items()):
        months = round(lasted * 12)
        start = end_year * 12 + end_month - 1 - months + (1 if place else 0)
        begin_year, begin_month = divmod(start, 12)
        until = (("heute", "present")[side]) if place == 0 else f"{end_month:02d}/{end_year}"
        title = FIELDS[worked_in]["titles"][side]
        lines.append(f"{begin_month + 1:02d}/{begin_year} - {until}   {title}, {rng.choice(_EMPLOYERS)} GmbH")
        if place == 0:
            lines += [
                f"- {said[skill]}"
                if " " in said[skill]
                else f"- {rng.choice(_DONE[side]).format(said[skill])}"
                for skill in at_work
            ]
        end_year, end_month = begin_year, begin_month + 1
    if degree:
        lines += ["", head[2 + side], _DEGREE[degree][side].format(FIELDS[field]["subject"][side])]
    if listed:
        lines += ["", head[4 + side], ", ".join(said[skill] for skill in listed)]
    spoken = [
        f"{_LANGUAGE[code][side]} ({('Muttersprache', 'native')[side] if level == 'native' else level})"
        for code, level in languages.items()
    ]
    return "\n".join([*lines, "", head[6 + side], ", ".join(spoken), ""])


_DONE = (
    ("Täglich gearbeitet mit {}", "Verantwortlich für {}", "Eingeführt und betreut: {}"),
    ("Worked daily with {}", "Responsible for {}", "Introduced and looked after {}"),
)
