"""A text as words and the signs that can be part of a skill's name."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\.net\b|c\+\+|[cf]#(?!\w)|[^\W_]+(?:[.][^\W\d_]+(?=\b))?|[+#/&-]", re.IGNORECASE)
_NAME_WORDS_MAX = 7
_FOLDED_FROM = 8


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign of a text and where it stands."""

    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Words and the signs that can be part of a skill's name."""
    return [Token(match[0], *match.span()) for match in _TOKEN.finditer(text)]


def name_of(text: str) -> tuple[str, ...] | None:
    """A skill's name as it is looked for; None if nothing, or too much, would be left to look for."""
    name = tuple(folded(token.text) for token in tokens_of(text))
    is_name = 0 < len(name) <= _NAME_WORDS_MAX and any(char.isalpha() for char in "".join(name))
    return name if is_name else None


def folded(word: str) -> str:
    """A long word without its plural or case ending, so that "Jahresabschlüssen" is "Jahresabschlüsse"."""
    word = word.lower()
    if len(word) >= _FOLDED_FROM:
        for ending in ("en", "es", "n", "s", "e"):
            if word.endswith(ending):
                return word[: -len(ending)]
    return word
