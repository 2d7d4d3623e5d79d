"""Requirements out of a job text: skills, years, degrees, languages, and what has no name of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from resume_matcher.errors import UnusableJob
from resume_matcher.matching.job import Clause, Posting, posting_of
from resume_matcher.matching.vocabulary import Mention, vocabulary
from resume_matcher.matching.words import stems
from resume_matcher.resume.levels import language_level, language_places, lowest_degree_in

REQUIREMENTS_MAX = 60
JOB_CHARACTERS_MAX = 50_000
LABEL_CHARACTERS_MAX = 120
_NUMBERS = {
    word: number
    for number, words in enumerate(
        (
            "one|ein|eine|einem|einer|einjährige|einjähriger", "two|zwei|zweijährige|zweijähriger", "three|drei|dreijährige|dreijähriger",
            "four|vier", "five|fünf|fünfjährige|fünfjähriger", "six|sechs", "seven|sieben", "eight|acht", "nine|neun", "ten|zehn",
        ),
        start=1,
    )
    for word in words.split("|")
}  # fmt: skip
_NUMBER = r"\d{1,2}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True))
_YEARS = re.compile(
    rf"(?<![\w.,])(?P<n>{_NUMBER})\s*(?:\+|plus|or more|oder mehr)?\s*(?:(?:-|–|to|bis)\s*\d{{1,2}}\s*)?(?:\(\d{{1,2}}\)\s*)?(?:\+\s*)?(?:full\s+)?"
    r"(?:years?'?|yrs?\.?|jahren?|jahres|jähriger?)(?!\w)",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"mehrjährige|langjährige|several years|einschlägige berufserfahrung", re.IGNORECASE)
_SEVERAL_YEARS = 3
_SUBJECT_LEAD = re.compile(
    r"^(?:of|'|’|s\b|in|as|with|the|a|an|als|im|in|mit|der|die|das|dem|den|einer?|einem|work(?:ing|ed)?|relevant\w*|professional\w*|practical\w*|hands-on"
    r"|progressive|previous|prior|proven|minimum|experiences?|erfahrung|berufserfahrung|praxis|praktische\w*|einschlägige\w*|relevante\w*|fachliche\w*"
    r"|experienced|at|performing|doing|using|serving|employed|a role|role|roles|position|positions|similar|comparable|vergleichbare\w*|umgang|bereich|on|within"
    r"|is|are|required|needed|must|have|erforderlich)\b[\s,:’'-]*",
    re.IGNORECASE,
)
_OR = re.compile(r"^\s*(?:,?\s*(?:or|oder|bzw\.?|respectively)\s+|/)\s*$", re.IGNORECASE)
_COMMA = re.compile(r"^\s*,\s*$")
_LABELLED = re.compile(r"^([^:]{2,60}):\s+(\S.*)$")
_LABEL_WORDS_MAX = 6
_CHUNKS = re.compile(r"[,;]\s|\s(?:and|und|sowie)\s", re.IGNORECASE)
_TEXT_STEMS_MIN = 1
_FILLER = re.compile(
    r"^(?:(?:you|we|she|he|candidates?|applicants?|the|a|an|must|should|have|has|are|is|be|possess|ability to|able to|capacity to|strong|solid|good|excellent|proven|very"
    r"|demonstrated|substantial|effective|proficiency|proficient|experience|experienced|knowledge|understanding|familiarity|skills?|capable|aptitude|in|of|with|to|for"
    r"|sie|du|haben|hast|verfügen|über|gute|sehr|fundierte|sichere|kenntnisse|erfahrung|im|mit|und|bei|sind|bist|eine?n?|ausgeprägte)\s+)+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that the job asks. ``options``: canonical skills or language codes, any of which will do."""

    kind: str
    label: str
    part: str
    source: str
    options: tuple[str, ...] = ()
    years: int = 0
    level: str = ""

    @property
    def is_must(self) -> bool:
        """Asked for, not only welcome."""
        return self.part == "must"


@dataclass(frozen=True, slots=True)
class Job:
    """What a posting asks for."""

    title: str
    requirements: tuple[Requirement, ...]


def job_of(text: str) -> Job:
    """The requirements of a posting, the first ``REQUIREMENTS_MAX`` of them.

    Raises:
        UnusableJob: it asks for nothing that could be matched, or it is too long.
    """
    if len(text) > JOB_CHARACTERS_MAX:
        raise UnusableJob(
            f"The job has {len(text):,} characters; at most {JOB_CHARACTERS_MAX:,} are read.",
            hint="Paste the posting only.",
            reason="too_long",
        )
    posting = posting_of(text)
    found = _distinct(_all(posting)) or _distinct(_skills(Clause(text, "must", text.strip()[:200]), text))
    if not found:
        raise UnusableJob(
            "There is no requirement in this text.",
            hint="Paste the whole posting, with the part that says what the person must know and have done.",
            reason="no_requirements",
        )
    return Job(posting.title, tuple(found[:REQUIREMENTS_MAX]))


def _all(posting: Posting) -> Iterator[Requirement]:
    for clause in posting.clauses:
        if clause.part == "duty":
            yield from _skills(clause, clause.text)
        else:
            yield from _of_clause(clause)


def _of_clause(clause: Clause) -> Iterator[Requirement]:
    found = list(_years(clause))
    rest = _YEARS.split(clause.text)[0] if found else clause.text
    languages = list(_languages(clause))
    found += languages
    if degree := lowest_degree_in(clause.text):
        found.append(Requirement("degree", _label(clause.text), clause.part, clause.line, level=degree))
    text = clause.text if not found or languages or degree else rest
    skills = (
        [] if degree else list(_named_skills(clause, text))
    )  # "a degree in marketing" asks for the degree
    taken = {option for requirement in found for option in requirement.options}
    found += [skill for skill in skills if not taken.issuperset(skill.options)]
    if not found and len(stems(_text_label(clause.text))) >= _TEXT_STEMS_MIN:
        found.append(Requirement("text", _label(_text_label(clause.text)), clause.part, clause.line))
    yield from found


def _named_skills(clause: Clause, text: str) -> Iterator[Requirement]:
    """Skills of a clause; of "Networking: knows TCP/IP and LANs" only what stands before the colon, if it is a skill."""
    labelled = _LABELLED.match(text)
    if labelled and len(labelled[1].split()) <= _LABEL_WORDS_MAX:
        before = list(_skills(clause, labelled[1]))
        yield from before or _skills(clause, labelled[2])
        return
    yield from _skills(clause, text)


def _text_label(text: str) -> str:
    labelled = _LABELLED.match(text)
    if labelled and len(labelled[1].split()) <= _LABEL_WORDS_MAX and stems(labelled[1]):
        return labelled[1]
    return text


def _skills(clause: Clause, text: str) -> Iterator[Requirement]:
    for group in _alternatives(text, vocabulary().mentions(text)):
        names = tuple(dict.fromkeys(mention.skill for mention in group))
        written = {mention.skill: mention.written for mention in reversed(group)}
        yield Requirement(
            "skill", _label(" / ".join(written[name] for name in names)), clause.part, clause.line, names
        )


def _alternatives(text: str, mentions: list[Mention]) -> Iterator[list[Mention]]:
    """Neighbours that "or" joins are one requirement: "AWS, Azure or GCP"."""
    groups: list[list[Mention]] = []
    joins: list[str] = []
    for mention in mentions:
        between = text[groups[-1][-1].end : mention.start] if groups else ""
        if groups and _OR.match(between):
            while joins and joins[-1] == "," and len(groups) > 1:
                joins.pop()
                last = groups.pop()
                groups[-1].extend(last)
            groups[-1].append(mention)
        else:
            groups.append([mention])
            joins.append("," if _COMMA.match(between) else "")
    return iter(groups)


def _years(clause: Clause) -> Iterator[Requirement]:
    """Each number of years with what it is asked in: the text up to the next number."""
    matches = list(_YEARS.finditer(clause.text))
    if not matches:
        several = _SEVERAL.search(clause.text)
        if several:
            yield _experience(clause, _SEVERAL_YEARS, clause.text[several.end() :])
        return
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        after = clause.text[match.end() : following.start() if following else len(clause.text)]
        subject = _subject(after)
        if not stems(subject):
            subject = _subject(clause.text[: match.start()].rstrip(" :,-–(")) if match is matches[0] else ""
        number = match["n"].lower()
        yield _experience(clause, int(number) if number.isdigit() else _NUMBERS[number], subject)


def _experience(clause: Clause, years: int, subject: str) -> Requirement:
    subject = _subject(subject)
    mentions = vocabulary().mentions(subject)
    names = (
        tuple(dict.fromkeys(mention.skill for mention in mentions))
        if _is_only_skills(subject, mentions)
        else ()
    )
    return Requirement("years", _label(subject), clause.part, clause.line, names, years=min(years, 20))


def _is_only_skills(subject: str, mentions: list[Mention]) -> bool:
    """Whether a subject is skills and nothing else ("Python or Go"), not a role that has one in its name."""
    if not mentions:
        return False
    left = subject
    for mention in reversed(mentions):
        left = left[: mention.start] + " " + left[mention.end :]
    return len(stems(left)) <= 1


def _subject(text: str) -> str:
    if places := language_places(text):  # "in intensive care and fluent German"
        text = re.split(r",|\s(?:and|und|sowie)\s", text[: places[0][1]])[0]
    text = re.split(
        r"\b(?:is|are|was|ist|sind)\s+(?:also\s+)?(?:required|necessary|needed|preferred|erforderlich|wünschenswert|von vorteil)\b",
        text,
        maxsplit=1,
    )[0]
    text = text.strip(" .,:;-–()")
    while match := _SUBJECT_LEAD.match(text):
        text = text[match.end() :].lstrip()
        if not match[0]:
            break
    return re.sub(
        r",?\s+(?:and|und|along with|or|oder)(?:\s+(?:at least|a minimum of|another|mindestens|for|the|a))*\s*$",
        "",
        text,
        flags=re.IGNORECASE,
    ).strip(" .,:;-–()")


def _languages(clause: Clause) -> Iterator[Requirement]:
    cuts = [0, *(match.end() for match in _CHUNKS.finditer(clause.text)), len(clause.text)]
    for language, start, _ in language_places(clause.text):
        at = max(cut for cut in cuts if cut <= start)
        chunk = clause.text[at : min(cut for cut in cuts if cut > start)]
        level = language_level(chunk) or language_level(clause.text) or "B2"
        yield Requirement("language", language, clause.part, clause.line, (language,), level=level)


def _label(text: str) -> str:
    text = _FILLER.sub("", text.strip()).strip(" .,:;") or text.strip()
    return (
        text
        if len(text) <= LABEL_CHARACTERS_MAX
        else text[: LABEL_CHARACTERS_MAX - 1].rsplit(" ", 1)[0] + "…"
    )


def _distinct(requirements: Iterator[Requirement]) -> list[Requirement]:
    """Each once; asked for beats welcome beats part of the duties; a choice that is asked for singly too is none."""
    rank = {"must": 0, "nice": 1, "duty": 2}
    found: dict[tuple[str, str | tuple[str, ...]], Requirement] = {}
    for requirement in requirements:
        subject = (
            requirement.options if requirement.kind in {"skill", "language"} else requirement.label.lower()
        )
        key = (requirement.kind, "" if requirement.kind == "degree" else subject)
        known = found.get(key)
        if known is None or rank[requirement.part] < rank[known.part]:
            found[key] = requirement
    ordered = sorted(found.values(), key=lambda requirement: rank[requirement.part])
    single = {r.options[0] for r in ordered if r.kind == "skill" and len(r.options) == 1}
    return [r for r in ordered if not (r.kind == "skill" and len(r.options) > 1 and single & set(r.options))]
