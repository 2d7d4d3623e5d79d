"""Words reduced to what two phrases can share."""

import re
from importlib import resources

_WORD = re.compile(r"\.net\b|c\+\+|[cf]#(?!\w)|[^\W_]+", re.IGNORECASE)
_SMALL = frozenset(
    (resources.files("resume_matcher.matching") / "small_words.txt").read_text("utf-8").split()
)
_SUFFIXES = (
    "isierung", "ierung", "ations", "ation", "ments", "ment", "ings", "ing", "ungen", "ung", "tions", "tion", "ische", "isch",
    "ical", "ically", "ally", "ies", "ers", "er", "ors", "or", "ern", "ed", "es", "en", "em", "ion", "al", "ly", "s", "e", "n", "y",
)  # fmt: skip
_STEM_MIN = 4
_PART_MIN = 5


def stems(text: str) -> list[str]:
    """The words that mean something, without their endings, each once."""
    words = (word.lower() for word in _WORD.findall(text))
    return list(dict.fromkeys(_stem(word) for word in words if word not in _SMALL and not word.isdigit()))


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM_MIN:
            return word[: -len(suffix)]
    return word


def coverage(wanted: list[str], given: frozenset[str]) -> float:
    """The share of the wanted stems that are given; part of a compound counts for most of it."""
    if not wanted:
        return 0.0
    return sum(_covered(stem, given) for stem in wanted) / len(wanted)


def _covered(stem: str, given: frozenset[str]) -> float:
    if stem in given:
        return 1.0
    if len(stem) < _PART_MIN:
        return 0.0
    for other in given:
        if len(other) >= _PART_MIN and (stem in other or other in stem):
            return 0.75
        if len(other) > _PART_MIN and len(stem) > _PART_MIN and other[:6] == stem[:6]:
            return 0.75
    return 0.0
