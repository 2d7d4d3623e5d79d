"""The skills that have a name of their own, found in a text as whole words."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

_TOKEN = re.compile(r"\.net\b|c\+\+|[cf]#(?!\w)|[^\W_]+(?:[.][^\W\d_]+(?=\b))?|[+#/&-]", re.IGNORECASE)
_NAME_WORDS_MAX = 7
_FOLDED_FROM = 8
_NOT_A_SKILL_BEFORE = {
    "R": frozenset({"&"}),
    "C": frozenset({"vitamin", "klasse", "class", "hepatitis", "&"}),
}
_NOT_A_SKILL_AFTER = {
    "Go": frozenset({"to", "the", "above", "beyond", "for", "live", "ahead", "out", "with", "on", "back", "through", "further", "-"}),
    "R": frozenset({"&", "'"}),
    "C": frozenset({"-", "&", "'"}),
    "D": frozenset({"-", "&", "'"}),
    "Spring": frozenset({"19", "20", "of"}),
    "IT": frozenset({"is", "was"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign of a text and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A skill that a text names, in its canonical name and as it is written there."""

    skill: str
    written: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All names by their first token, longest first, and which skill implies which."""

    names: dict[str, tuple[tuple[tuple[str, ...], str], ...]]
    exact: frozenset[str]
    implies: dict[str, frozenset[str]]
    skills: frozenset[str]

    def mentions(self, text: str) -> list[Mention]:
        """The skills a text names, left to right, the longest name at each place."""
        tokens = tokens_of(text)
        found: list[Mention] = []
        at = 0
        while at < len(tokens):
            hit = self._at(text, tokens, at)
            if hit is None:
                at += 1
                continue
            mention, length = hit
            found.append(mention)
            at += length
        return found

    def _at(self, text: str, tokens: list[Token], at: int) -> tuple[Mention, int] | None:
        for name, skill in self.names.get(_folded(tokens[at].text), ()):
            length = len(name)
            window = tokens[at : at + length]
            if tuple(_folded(token.text) for token in window) != name or not _is_joined(text, window):
                continue
            written = text[window[0].start : window[-1].end]
            if self._is_meant(skill, written, tokens, at, length):
                return Mention(skill, written, window[0].start, window[-1].end), length
        return None

    def _is_meant(self, skill: str, written: str, tokens: list[Token], at: int, length: int) -> bool:
        """Whether an everyday word or a single letter stands for the skill here."""
        if written.lower() not in self.exact:
            return True
        if written not in {skill, written.upper()} or (len(written) > 1 and written.islower()):
            return False
        before = tokens[at - 1].text.lower() if at else ""
        after = tokens[at + length].text.lower() if at + length < len(tokens) else ""
        return before not in _NOT_A_SKILL_BEFORE.get(skill, ()) and not any(
            after == word or (word.isdigit() and after.startswith(word))
            for word in _NOT_A_SKILL_AFTER.get(skill, ())
        )

    def closure(self, skills: frozenset[str]) -> dict[str, str]:
        """What the skills imply, each with the skill that implies it."""
        implied: dict[str, str] = {}
        waiting = list(skills)
        while waiting:
            skill = waiting.pop()
            for other in self.implies.get(skill, ()):
                if other not in skills and other not in implied:
                    implied[other] = implied.get(skill, skill)
                    waiting.append(other)
        return implied


def tokens_of(text: str) -> list[Token]:
    """Words and the signs that can be part of a skill's name."""
    return [Token(match[0], *match.span()) for match in _TOKEN.finditer(text)]


@cache
def vocabulary() -> Vocabulary:
    """The list that comes with the package."""
    raw = tomllib.loads((resources.files("resume_matcher.matching") / "skills.toml").read_text("utf-8"))
    names: dict[str, dict[tuple[str, ...], str]] = {}
    for skill, aliases in raw["skills"].items():
        for name in (skill, *aliases):
            tokens = tuple(_folded(token.text) for token in tokens_of(name))
            if not 0 < len(tokens) <= _NAME_WORDS_MAX:
                raise ValueError(f"skills.toml: {name!r} of {skill!r} cannot be matched")
            names.setdefault(tokens[0], {}).setdefault(tokens, skill)
    return Vocabulary(
        {first: tuple(sorted(of.items(), key=lambda item: -len(item[0]))) for first, of in names.items()},
        frozenset(name.lower() for name in raw["exact"]["names"]),
        {skill: frozenset(others) for skill, others in raw["implies"].items()},
        frozenset(raw["skills"]),
    )


def _folded(word: str) -> str:
    """A long word without its plural or case ending, so that "Jahresabschlüssen" is "Jahresabschlüsse"."""
    word = word.lower()
    if len(word) >= _FOLDED_FROM:
        for ending in ("en", "es", "n", "s", "e"):
            if word.endswith(ending):
                return word[: -len(ending)]
    return word


def _is_joined(text: str, window: list[Token]) -> bool:
    """Whether only blanks stand between the tokens: a comma or a full stop parts names."""
    return all(not text[a.end : b.start].strip() for a, b in pairwise(window))
