"""Extraction on a public set: ``python benchmarks/matching/skillspan.py data/json/test.json`` of kris927b/SkillSpan.

Each row is a sentence of a posting: ``tokens``, and over them ``tags_skill`` and ``tags_knowledge`` in BIO. The sentences
of a posting (``source``, ``idx``) are put together again, the requirements are taken out as the application does, and
each is held against what people marked, each phrase once a posting. Two phrases *touch* if they share a word that
means something; they *agree* if they share at least half of all such words that either has. The set is not committed.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from resume_matcher.documents.text import clean, without_markdown
from resume_matcher.errors import UnusableJob
from resume_matcher.matching.requirements import job_of
from resume_matcher.matching.words import stems

COLUMNS = ("idx", "tokens", "tags_skill", "tags_knowledge", "source")
LANGUAGES = {"de": "German", "en": "English", "fr": "French", "es": "Spanish", "it": "Italian", "nl": "Dutch", "da": "Danish", "sv": "Swedish"}  # fmt: skip
AGREED = 0.5


@dataclass(slots=True)
class Marked:
    """A posting, and the phrases that people marked in it as skill or as knowledge."""

    lines: list[str] = field(default_factory=list)
    skills: set[str] = field(default_factory=set)
    knowledge: set[str] = field(default_factory=set)


def load(path: Path) -> list[Marked]:
    """The postings of a file; a row in another shape ends the program with its line."""
    found: dict[tuple[str, int], Marked] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            tokens, skills, knowledge = row["tokens"], row["tags_skill"], row["tags_knowledge"]
            posting = found.setdefault((row["source"], row["idx"]), Marked())
            posting.skills.update(spans(tokens, skills))
            posting.knowledge.update(spans(tokens, knowledge))
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path}, line {number}: no row of SkillSpan with {', '.join(COLUMNS)} ({error})"
            raise SystemExit(message) from None
        posting.lines.append(" ".join(tokens))
    return list(found.values())


def spans(tokens: list[str], tags: list[str]) -> Iterator[str]:
    """The marked phrases of a sentence. An I without a B before it begins one, as the set's own scorer has it."""
    phrase: list[str] = []
    for token, tag in zip([*tokens, ""], [*tags, "O"], strict=True):
        if tag not in {"B", "I", "O"}:
            raise ValueError(f"tag {tag!r}")
        if phrase and tag != "I":
            yield " ".join(phrase)
            phrase = []
        if tag != "O":
            phrase.append(token)


def asked(posting: Marked) -> list[tuple[str, str]]:
    """Kind and words of each requirement that the application takes out."""
    try:
        job = job_of(clean(without_markdown("\n".join(posting.lines))))
    except UnusableJob:
        return []
    return [(r.kind, LANGUAGES.get(r.label, r.label)) for r in job.requirements]


Bag = frozenset[str]


def bags(phrases: Iterable[str]) -> list[Bag]:
    return [bag for bag in {frozenset(stems(phrase)) for phrase in phrases} if bag]


def share(a: Bag, b: Bag) -> float:
    return len(a & b) / len(a | b)


def rates(of: list[tuple[list[Bag], list[Bag]]]) -> str:
    """How many of the first have one among the second that touches, and that agrees."""
    best = [
        max((share(bag, other) for other in others), default=0.0) for these, others in of for bag in these
    ]
    touched, agreed = sum(value > 0 for value in best), sum(value >= AGREED for value in best)
    return f"{len(best):6}  touch {touched / len(best):.3f}  agree {agreed / len(best):.3f}"


def main() -> None:
    postings = load(Path(sys.argv[1]))
    started = time.monotonic()
    taken = [asked(posting) for posting in postings]
    seconds = time.monotonic() - started
    marked = [bags(posting.skills | posting.knowledge) for posting in postings]
    every = [bags(words for _, words in found) for found in taken]
    named = [bags(words for kind, words in found if kind == "skill") for found in taken]
    print(f"postings {len(postings)}, nothing taken out of {sum(not found for found in taken)}")
    print("precision, all requirements  ", rates(list(zip(every, marked, strict=True))))
    print("precision, named skills      ", rates(list(zip(named, marked, strict=True))))
    print("recall, all that is marked   ", rates(list(zip(marked, every, strict=True))))
    for what in ("knowledge", "skills"):
        some = [bags(getattr(posting, what)) for posting in postings]
        print(f"recall, marked as {what:10} ", rates(list(zip(some, every, strict=True))))
    print(f"{1000 * seconds / len(postings):.1f} ms a posting")


if __name__ == "__main__":
    main()
