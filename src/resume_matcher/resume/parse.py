"""A resume's text to JSON Resume: what is there, where it is plain; nothing is invented."""

import re
from typing import Any

from resume_matcher.resume import entries
from resume_matcher.resume.language import languages_of
from resume_matcher.resume.levels import language_level, named_languages
from resume_matcher.resume.sections import Section, of, split

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_PHONE = re.compile(r"(?<![\w/])(?:\+|00|0|\()[\d ()/.\-]{6,20}\d")
_URL = re.compile(
    r"(?:https?://|www\.)[^\s,;)>]{3,200}|\b(?:linkedin|github|xing|gitlab)\.com/[^\s,;)>]{1,100}",
    re.IGNORECASE,
)
_NETWORK = re.compile(r"(linkedin|github|gitlab|xing)\.com/(?:in/|profile/)?([^/\s?]+)", re.IGNORECASE)
_NAME_LABEL = re.compile(r"^(?:name|vor- und nachname|full name)\s*:\s*", re.IGNORECASE)
_LABELLED = re.compile(r"^(?:e-?mail(?: address)?|phone|telefon|tel|mobil|mobile|adresse|address|geburtsdatum|date of birth|born|geboren|linkedin|github|website|web|nationalität|nationality|staatsangehörigkeit|familienstand)\b.{0,4}:?", re.IGNORECASE)  # fmt: skip
_PLACE = re.compile(r"\b(\d{5})\s+([A-ZÄÖÜ][^\W\d_]+(?:[ -][A-ZÄÖÜ(][\w)]+)*)")
_NAME_WORDS = range(2, 6)
_TITLES = re.compile(r"^(?:(?:dr|prof|dipl|ing|mr|mrs|ms|herr|frau)\b\.?[ -]*)+", re.IGNORECASE)
_SPLIT = re.compile(r"[,;|•·\n]|\s/\s|\s{3,}")
_KEYWORD_WORDS_MAX = 6


def parse(text: str) -> dict[str, Any]:
    """The structured resume; parts that were not found are left out."""
    sections = split(text)
    languages = languages_of(text)
    resume: dict[str, Any] = {
        "basics": _basics(sections),
        "work": entries.work(_lines(sections, "work")),
        "volunteer": entries.volunteer(_lines(sections, "volunteer")),
        "education": entries.education(_lines(sections, "education")),
        "skills": _skills(_lines(sections, "skills")),
        "languages": _languages(sections),
        "certificates": [{"name": line} for line in _items(sections, "certificates")],
        "projects": [{"name": line} for line in _items(sections, "projects")],
        "awards": [{"title": line} for line in _items(sections, "awards")],
        "publications": [{"name": line} for line in _items(sections, "publications")],
        "interests": [{"name": line} for line in _keywords(_lines(sections, "interests"))],
    }
    kept = {name: value for name, value in resume.items() if value}
    kept["meta"] = {"language": languages.main, "mixedLanguages": languages.is_mixed}
    return kept


def _lines(sections: list[Section], name: str) -> list[str]:
    return [line for section in of(sections, name) for line in section.lines]


def _items(sections: list[Section], name: str) -> list[str]:
    return [line.removeprefix("- ").strip() for line in _lines(sections, name) if line.strip(" -")]


def _basics(sections: list[Section]) -> dict[str, Any]:
    lines = [line.strip().removeprefix("- ") for line in _lines(sections, "basics") if line.strip()]
    head = "\n".join(lines)
    basics: dict[str, Any] = {}
    if name := _name(lines):
        basics["name"] = name
        if label := _label(lines, name):
            basics["label"] = label
    if email := _EMAIL.search(head):
        basics["email"] = email[0].rstrip(".")
    if phone := _PHONE.search(_URL.sub("", head)):
        basics["phone"] = phone[0].strip()
    if place := _PLACE.search(head):
        basics["location"] = {"postalCode": place[1], "city": place[2]}
    links = [match[0].rstrip(".") for match in _URL.finditer(head)]
    profiles = [_profile(link) for link in links]
    if named := [profile for profile in profiles if profile]:
        basics["profiles"] = named
    if plain := [link for link, profile in zip(links, profiles, strict=True) if not profile]:
        basics["url"] = plain[0]
    if summary := " ".join(_items(sections, "summary")):
        basics["summary"] = summary
    return basics


def _profile(link: str) -> dict[str, str] | None:
    match = _NETWORK.search(link)
    if match is None:
        return None
    return {"network": match[1].capitalize(), "username": match[2], "url": link}


def _is_name(line: str) -> bool:
    words = _TITLES.sub("", line).split()
    return (
        len(words) in _NAME_WORDS
        and not any(map(str.isdigit, line))
        and "@" not in line
        and ":" not in line
        and all(
            word[0].isupper() or word in {"von", "van", "de", "der", "den", "da", "zu", "bin", "al"}
            for word in words
        )
    )


def _name(lines: list[str]) -> str:
    for line in lines:
        if _NAME_LABEL.match(line):
            return _NAME_LABEL.sub("", line).strip(" *")
    for line in lines[:4]:
        first = re.split(r"\s{3,}|[|,•·]", line.lstrip("# "))[0].strip()
        if _is_name(first):
            return first
    return ""


def _label(lines: list[str], name: str) -> str:
    at = next((i for i, line in enumerate(lines) if name in line), -1)
    for line in lines[at + 1 : at + 2]:
        bare = line.strip("# ")
        if not (
            _LABELLED.match(bare)
            or _EMAIL.search(bare)
            or _PHONE.search(bare)
            or _URL.search(bare)
            or _PLACE.search(bare)
        ):
            return bare if len(bare.split()) <= 12 else ""  # noqa: PLR2004  # a job title, not a sentence
    return ""


def _skills(lines: list[str]) -> list[dict[str, Any]]:
    skills: list[dict[str, Any]] = []
    for line in lines:
        bare = line.strip().removeprefix("- ").strip()
        if not bare:
            continue
        group, colon, rest = bare.partition(":")
        keywords = _keywords([rest if colon else bare])
        if colon and len(keywords) > 1 and len(group.split()) <= _KEYWORD_WORDS_MAX:
            skills.append({"name": group.strip(), "keywords": keywords})
        elif colon:
            skills.append(
                {"name": group.strip(), "keywords": keywords} if keywords else {"name": group.strip()}
            )
        else:
            skills.extend({"name": keyword} for keyword in keywords)
    return skills


def _keywords(lines: list[str]) -> list[str]:
    found = [part.strip(" -.") for line in lines for part in _parts(line.removeprefix("- "))]
    return list(dict.fromkeys(part for part in found if part))


def _parts(line: str) -> list[str]:
    """Commas part a line, but not inside brackets: "Python (Django, Flask), Go"."""
    depth, parts, last = 0, [], 0
    for match in re.finditer(r"[()]|" + _SPLIT.pattern, line):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            parts.append(line[last : match.start()])
            last = match.end()
    return [*parts, line[last:]]


def _languages(sections: list[Section]) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for line in _lines(sections, "languages"):
        for part in re.split(r"[,;|]\s*(?![^()]*\))|\s{3,}", line):
            for language in named_languages(part):
                level = language_level(part)
                found.setdefault(language, level or part.strip(" -"))
    return [{"language": language, "fluency": fluency} for language, fluency in found.items()]
