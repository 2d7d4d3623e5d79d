"""ESCO's published skills (``skills_en.csv``, ``skills_de.csv``, ...) as an alias file.

The layout is that of ESCO's CSV download (https://esco.ec.europa.eu/en/use-esco/download): a row a concept, joined over
the languages by ``conceptUri``; other names stand in ``altLabels``, one a line.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from resume_matcher.errors import InvalidInput
from resume_matcher.matching.aliases import SKILLS_MAX, Aliases
from resume_matcher.matching.tokens import name_of
from resume_matcher.resume.levels import language_places

COLUMNS = ("conceptUri", "preferredLabel", "altLabels")
FIELD_CHARACTERS_MAX = 1_000_000
NAME_CHARACTERS_MAX = 200
SHORT_MAX = 4  # "ABAP", "sing": a name as short as this counts only in capitals
_GONE = frozenset({"obsolete", "deprecated"})
_EXPLAINED = re.compile(r"\s*\([^()]*\)$")


def aliases_of(paths: Sequence[Path]) -> Aliases:
    """The concepts of the files, each under its name in the first of them. Names of languages are left out: they are asked with a level.

    Raises:
        InvalidInput: a file cannot be read or has another layout; nothing of it is used.
    """
    names: dict[str, list[str]] = {}
    for path in paths:
        rows = list(_rows(path))
        if not rows:
            raise InvalidInput(f"{path} has no skill in it.", hint="Give skills_en.csv or skills_de.csv.", reason="esco")  # fmt: skip
        for concept, preferred, others in rows:
            if not _is_language(preferred):
                names.setdefault(concept, []).extend(filter(_is_name, (preferred, *others)))
    skills: dict[str, list[str]] = {}
    for said in filter(None, names.values()):
        skills.setdefault(said[0], []).extend(said[1:])
    if len(skills) > SKILLS_MAX:
        raise InvalidInput(
            f"The files have {len(skills):,} skills; at most {SKILLS_MAX:,} are used.", reason="esco"
        )
    short = {name for said in names.values() for name in said if len(name) <= SHORT_MAX}
    return Aliases(
        source=f"ESCO: {', '.join(path.name for path in paths)}",
        skills={skill: [o for o in dict.fromkeys(others) if o != skill] for skill, others in skills.items()},
        exact=sorted(short),
    )


def _rows(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Concept, preferred label and other labels of each row that is in force."""
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise InvalidInput(
                    f"{path} has no column {', '.join(missing)}.",
                    hint="Give ESCO's skills_en.csv or skills_de.csv, as published.",
                    reason="esco",
                )
            for row in rows:
                if any(row[name] is None for name in COLUMNS) or not row["conceptUri"]:
                    raise InvalidInput(
                        f"{path} is cut off or damaged at line {rows.line_num}.",
                        hint="Download it again.",
                        reason="esco",
                    )
                if row.get("status") not in _GONE:
                    labels = [_bare(label) for label in row["altLabels"].splitlines()]
                    yield row["conceptUri"], _bare(row["preferredLabel"]), labels
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", reason="esco") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} is no CSV file in UTF-8: {error}.", hint="Download it again.", reason="esco"
        ) from None


def _bare(label: str) -> str:
    """A label without what explains it: "Python (computer programming)" is Python."""
    return _EXPLAINED.sub("", label.strip())


def _is_name(name: str) -> bool:
    return len(name) <= NAME_CHARACTERS_MAX and name_of(name) is not None


def _is_language(name: str) -> bool:
    return [place[1:] for place in language_places(name)] == [(0, len(name))]
