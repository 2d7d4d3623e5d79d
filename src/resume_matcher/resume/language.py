"""Which of the two languages a text is in, by its small words."""

import re
from dataclasses import dataclass

_GERMAN = frozenset(
    [
        "und",
        "der",
        "die",
        "das",
        "den",
        "dem",
        "des",
        "ein",
        "eine",
        "einen",
        "einem",
        "einer",
        "mit",
        "von",
        "für",
        "im",
        "in",
        "am",
        "auf",
        "bei",
        "zu",
        "zur",
        "zum",
        "als",
        "ist",
        "sind",
        "nicht",
        "sowie",
        "oder",
        "auch",
        "über",
        "wir",
        "sie",
        "ihr",
        "ihre",
        "du",
        "dein",
        "deine",
        "unser",
        "unsere",
        "werden",
        "wird",
        "haben",
        "hat",
        "kenntnisse",
        "erfahrung",
        "jahre",
        "jahren",
        "gute",
        "sehr",
        "durch",
        "nach",
        "seit",
        "bis",
        "aus",
        "an",
        "sich",
        "gerne",
        "mindestens",
        "ausbildung",
        "studium",
        "berufserfahrung",
        "heute",
    ]
)
_ENGLISH = frozenset(
    [
        "and",
        "the",
        "of",
        "to",
        "with",
        "for",
        "in",
        "on",
        "at",
        "as",
        "is",
        "are",
        "a",
        "an",
        "or",
        "also",
        "we",
        "you",
        "your",
        "our",
        "will",
        "be",
        "have",
        "has",
        "from",
        "by",
        "this",
        "that",
        "not",
        "about",
        "experience",
        "years",
        "skills",
        "knowledge",
        "good",
        "very",
        "through",
        "since",
        "until",
        "work",
        "working",
        "strong",
        "least",
        "education",
        "using",
        "present",
        "who",
        "their",
    ]
)
_WORD = re.compile(r"[^\W\d_]+")
_SURE_SHARE = 0.25
_WORDS_FOR_A_VERDICT = 8


@dataclass(frozen=True, slots=True)
class Languages:
    """``main`` is de or en; ``is_mixed`` when both have their part; ``is_sure`` when there were words enough."""

    main: str
    is_mixed: bool
    is_sure: bool


def languages_of(text: str) -> Languages:
    """The language of a text."""
    words = [word.lower() for word in _WORD.findall(text)]
    german = sum(word in _GERMAN and word not in _ENGLISH for word in words)
    german += sum(any(letter in word for letter in "äöüß") for word in words)
    english = sum(word in _ENGLISH and word not in _GERMAN for word in words)
    told = german + english
    less = min(german, english)
    return Languages(
        "de" if german > english else "en",
        told >= _WORDS_FOR_A_VERDICT and less / max(told, 1) > _SURE_SHARE,
        told >= _WORDS_FOR_A_VERDICT,
    )
