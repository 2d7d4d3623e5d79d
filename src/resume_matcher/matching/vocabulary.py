"""The skills that have a name of their own, found in a text as whole words."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

from resume_matcher.matching import aliases
from resume_matcher.matching.tokens import Token, folded, name_of, tokens_of

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
        for name, skill in self.names.get(folded(tokens[at].text), ()):
            length = len(name)
            window = tokens[at : at + length]
            if tuple(folded(token.text) for token in window) != name or not _is_joined(text, window):
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


@cache
def vocabulary() -> Vocabulary:
    """The list that comes with the package, and behind it the alias file, where one is named.

    Raises:
        InvalidInput: the alias file cannot be read.
    """
    raw = tomllib.loads((resources.files("resume_matcher.matching") / "skills.toml").read_text("utf-8"))
    names: dict[tuple[str, ...], str] = {}
    for skill, others in raw["skills"].items():
        for said in (skill, *others):
            name = name_of(said)
            if name is None:
                raise ValueError(f"skills.toml: {said!r} of {skill!r} cannot be matched")
            names.setdefault(name, skill)
    exact, skills = {name.lower() for name in raw["exact"]["names"]}, set(raw["skills"])
    if more := aliases.named():
        exact |= {name.lower() for name in more.exact if name_of(name) not in names}
        skills |= _added(names, more)
    return Vocabulary(
        _by_first(names),
        frozenset(exact),
        {skill: frozenset(others) for skill, others in raw["implies"].items()},
        frozenset(skills),
    )


def _added(names: dict[tuple[str, ...], str], more: aliases.Aliases) -> set[str]:
    """Add the names of an alias file, and return its new skills. A name that is known stays what it is."""
    new = set()
    for said, others in more.skills.items():
        name = name_of(said)
        skill = names.setdefault(name, said) if name else said
        new.add(skill)
        for other in filter(None, map(name_of, others)):
            names.setdefault(other, skill)
    return new


def _by_first(names: dict[tuple[str, ...], str]) -> dict[str, tuple[tuple[tuple[str, ...], str], ...]]:
    """The names under their first token, longest first."""
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for name, skill in names.items():
        found.setdefault(name[0], []).append((name, skill))
    return {first: tuple(sorted(of, key=lambda item: -len(item[0]))) for first, of in found.items()}


def _is_joined(text: str, window: list[Token]) -> bool:
    """Whether only blanks stand between the tokens: a comma or a full stop parts names."""
    return all(not text[a.end : b.start].strip() for a, b in pairwise(window))
