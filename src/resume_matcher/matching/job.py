"""A job posting as parts: what is asked for, what would be nice, what there is to do, and what is only talk."""

import re
from dataclasses import dataclass

_MUST = (
    "requirements|you must have|required|required skills|required experience|required experiences|required qualifications|job requirements|qualifications|minimum qualifications"
    "|must have|must haves|must-have|must-haves|your profile|profile|what you bring|what you need|what we expect|what we are looking for|what we're looking for"
    "|who you are|about you|skills|skills and experience|experience|job experience|education|required skills and expertise|key skills|your skills"
    "|anforderungen|anforderungsprofil|ihr profil|dein profil|profil|das bringen sie mit|das bringst du mit|was sie mitbringen|was du mitbringst|sie bringen mit"
    "|du bringst mit|voraussetzungen|qualifikation|qualifikationen|ihre qualifikationen|deine qualifikationen|das erwarten wir|was wir erwarten|wir erwarten"
    "|unsere anforderungen|das zeichnet sie aus|das zeichnet dich aus|ihre kenntnisse|deine skills|muss|muss-kriterien|das solltest du mitbringen|fachliche anforderungen"
)
_NICE = (
    "nice to have|nice-to-have|nice to haves|preferred|preferred qualifications|preferred skills|desired|desired skills|bonus|bonus points|a plus|pluses|good to have"
    "|recommended skills|recommended experience|optional|von vorteil|wünschenswert|idealerweise|das wäre schön|pluspunkte|gerne gesehen|kann-kriterien|außerdem schön"
    "|das wäre ein plus|darüber freuen wir uns|zusätzlich von vorteil|optional von vorteil"
)
_DUTIES = (
    "responsibilities|your responsibilities|key responsibilities|job responsibilities|duties|tasks|your tasks|what you will do|what you'll do|the role|role|your role"
    "|your mission|aufgaben|ihre aufgaben|deine aufgaben|aufgabengebiet|tätigkeiten|ihre tätigkeiten|das machen sie|das machst du|was sie tun|was dich erwartet"
    "|das erwartet dich|das erwartet sie|was sie erwartet|ihr aufgabenbereich|dein aufgabenbereich|stellenbeschreibung|responsibilites"
)
_TALK = (
    "benefits|we offer|what we offer|our offer|your benefits|perks|about us|about the company|who we are|company|contact|how to apply|apply|apply now|wir bieten"
    "|das bieten wir|wir bieten ihnen|wir bieten dir|unser angebot|was wir bieten|benefits für dich|über uns|kontakt|bewerbung|ihre vorteile|deine vorteile|deine benefits"
    "|job summary|summary|job description|einleitung|haben wir ihr interesse geweckt|interesse|equal opportunity"
)
_TITLE = "job title|title|position|stelle|stellenbezeichnung|jobtitel|stellentitel"
_PART_OF = {
    name: part
    for part, names in (
        ("must", _MUST),
        ("nice", _NICE),
        ("duty", _DUTIES),
        ("talk", _TALK),
        ("title", _TITLE),
    )
    for name in names.split("|")
}
_MARKS = re.compile(r"^[#*_\s]+|[\s:.*_#?!]+$")
_HEADING_WORDS_MAX = 6
_TITLE_WORDS_MAX = 12
_BULLET = re.compile(r"^\s*-\s+")
_NICE_CUE = re.compile(
    r"nice.to.have|preferred|preferably|desirable|a plus|an advantage|advantageous|ideally|bonus|would be (?:great|nice)|optional|beneficial"
    r"|wünschenswert|von vorteil|vorteilhaft|idealerweise|gerne gesehen|gern gesehen|ein plus|optional|schön wäre",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"experience|knowledge|proficien|familiar|skills?\b|degree|fluent|ability|must have|required|expertise|qualified|looking for"
    r"|erfahrung|kenntnis|studium|ausbildung|beherrsch|fähigkeit|fließend|voraussetzung|sicher im|sicherer umgang|vertraut|suchen|bringst|bringen sie",
    re.IGNORECASE,
)
_CLAUSES = re.compile(r"\s*;\s*|(?<=[a-zäöüß)\]%+#\d])\.\s+(?=[A-ZÄÖÜ])|(?<=[a-zäöüß)])!\s+")


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement of the posting and the part it stands in: must, nice or duty."""

    text: str
    part: str
    line: str


@dataclass(frozen=True, slots=True)
class Posting:
    """The title, where one is plain, and what is asked."""

    title: str
    clauses: tuple[Clause, ...]


def posting_of(text: str) -> Posting:
    """Read a posting. Without any heading, the sentences that ask for something are what is asked."""
    lines = text.split("\n")
    has_parts = any(_part(line)[0] in {"must", "nice"} for line in lines)
    part, title = "talk" if has_parts else "open", ""
    clauses: list[Clause] = []
    for index, line in enumerate(lines):
        bare = line.strip()
        if not bare:
            continue
        named, rest = _part(line)
        if not named and _opens_a_list(lines, index):
            named = _guessed(_MARKS.sub("", bare))
        if named:
            part = named
            if not rest:
                continue
            bare = rest
        elif not title and index < _HEADING_WORDS_MAX and _could_be_title(line):
            title = _MARKS.sub("", bare)
            if part != "title":
                continue
        if part == "title":
            title = title or _MARKS.sub("", bare)
            part = "talk" if has_parts else "open"
            continue
        clauses.extend(_clauses(bare, part))
    return Posting(title, tuple(clauses))


def _part(line: str) -> tuple[str, str]:
    """The part a heading opens and what stands behind its colon."""
    if _BULLET.match(line):
        return "", ""
    bare = _MARKS.sub("", line.strip())
    found = _PART_OF.get(bare.lower())
    if found:
        return found, ""
    head, colon, rest = bare.partition(":")
    head = _MARKS.sub("", head)
    if colon and len(head.split()) <= _HEADING_WORDS_MAX and head.lower() in _PART_OF:
        return _PART_OF[head.lower()], rest.strip(" *")
    if line.lstrip().startswith("#") and len(bare.split()) <= _HEADING_WORDS_MAX:
        return _guessed(bare), ""
    return "", ""


def _opens_a_list(lines: list[str], index: int) -> bool:
    """Whether a short line without a bullet stands right above bullets."""
    following = next((line for line in lines[index + 1 :] if line.strip()), "")
    is_short = len(lines[index].split()) <= _HEADING_WORDS_MAX
    return is_short and not _BULLET.match(lines[index]) and bool(_BULLET.match(following))


def _guessed(heading: str) -> str:
    low = heading.lower()
    for part, words in (
        ("nice", ("nice", "bonus", "prefer", "vorteil", "wünschenswert", "plus")),
        (
            "must",
            ("requir", "must", "profil", "qualifi", "skill", "anforder", "mitbring", "voraussetz", "bring"),
        ),
        ("duty", ("respons", "aufgabe", "task", "duties", "tätigkeit")),
        (
            "talk",
            (
                "offer",
                "bieten",
                "benefit",
                "about",
                "über uns",
                "company",
                "apply",
                "bewerb",
                "kontakt",
                "contact",
            ),
        ),
    ):
        if any(word in low for word in words):
            return part
    return ""


def _could_be_title(line: str) -> bool:
    bare = _MARKS.sub("", line.strip())
    return (
        not _BULLET.match(line)
        and 1 <= len(bare.split()) <= _TITLE_WORDS_MAX
        and not _ASKS.search(bare)
        and not bare.endswith(".")
    )  # a title, no sentence


def _clauses(line: str, part: str) -> list[Clause]:
    if part == "talk":
        return []
    bare = _BULLET.sub("", line).strip()
    found = []
    for piece in _CLAUSES.split(bare):
        clause = piece.strip(" .*_")
        if not clause:
            continue
        where = part
        if (
            part == "open"
        ):  # no headings: a sentence that asks is a requirement, of any other only the skills count
            where = "must" if _ASKS.search(clause) or _BULLET.match(line) else "duty"
        if _NICE_CUE.search(clause):
            where = "nice"
        found.append(Clause(clause, where, bare))
    return found
