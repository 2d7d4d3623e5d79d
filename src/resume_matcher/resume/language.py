"""Which of the two languages a text is in, by its small words."""

import re
import tomllib
from dataclasses import dataclass
from importlib import resources

_TELLING = tomllib.loads((resources.files("resume_matcher.resume") / "telling_words.toml").read_text("utf-8"))
_GERMAN, _ENGLISH = frozenset(_TELLING["de"].split()), frozenset(_TELLING["en"].split())
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
