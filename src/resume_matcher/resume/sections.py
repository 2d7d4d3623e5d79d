"""The parts of a resume, by their headings in German and English."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADINGS = {
    "basics": "personal information|personal details|contact|contact information|persönliche daten|persönliche angaben|kontakt"
    "|kontaktdaten|zur person|personalien|lebenslauf|curriculum vitae|resume|cv",
    "summary": "summary|profile|professional summary|about|about me|objective|career objective|profil|kurzprofil|über mich"
    "|zusammenfassung|persönliches profil|career summary|executive summary|professional profile",
    "work": "experience|work experience|professional experience|employment|employment history|work history|career|career history"
    "|relevant experience|berufserfahrung|beruflicher werdegang|berufliche erfahrung|werdegang|berufspraxis|praxiserfahrung"
    "|arbeitserfahrung|beruflicher hintergrund|tätigkeiten|berufstätigkeit|berufliche stationen|praktika|internships|praktische erfahrung",
    "education": "education|academic background|academic education|education and training|studies|degrees|qualifications|ausbildung"
    "|bildung|bildungsweg|schulbildung|studium|schul- und berufsausbildung|akademischer werdegang|akademische ausbildung"
    "|berufsausbildung|ausbildung und studium|studium und ausbildung|hochschulbildung|schule|bildungsgang",
    "skills": "skills|technical skills|core skills|key skills|core competencies|competencies|skills & expertise|skills and expertise"
    "|expertise|technologies|tools|tech stack|technical expertise|areas of expertise|soft skills|hard skills|kenntnisse|fähigkeiten|kompetenzen"
    "|it-kenntnisse|edv-kenntnisse|fachkenntnisse|technische kenntnisse|kernkompetenzen|fachliche kompetenzen|software"
    "|weitere kenntnisse|besondere kenntnisse|qualifikationen|skills und kenntnisse|kenntnisse und fähigkeiten"
    "|fähigkeiten und kenntnisse|persönliche stärken|stärken|strengths",
    "languages": "languages|language skills|sprachen|sprachkenntnisse|fremdsprachen",
    "certificates": "certificates|certifications|licenses|licenses and certifications|certificates and training|training|courses"
    "|zertifikate|zertifizierungen|weiterbildung|weiterbildungen|fortbildungen|fortbildung|kurse|führerschein|lizenzen|scheine",
    "projects": "projects|personal projects|selected projects|side projects|projekte|ausgewählte projekte|projekterfahrung",
    "volunteer": "volunteer|volunteering|volunteer experience|ehrenamt|ehrenamtliches engagement|engagement",
    "awards": "awards|honors|honours|achievements|auszeichnungen|preise|erfolge",
    "publications": "publications|papers|veröffentlichungen|publikationen",
    "interests": "interests|hobbies|hobbies and interests|interessen|interessen und hobbys|hobbys|freizeit",
    "references": "references|referenzen",
}
_OF = {name: section for section, names in _HEADINGS.items() for name in names.split("|")}
_HEADING_WORDS_MAX = 5
_INLINE = re.compile(r"^([^\W\d][^:]{2,40}):\s*(\S.*)$")
_MARKS = re.compile(r"^[#\s]*|[\s:.#=_*-]*$")


@dataclass(slots=True)
class Section:
    """One part: its lines without the heading."""

    name: str
    lines: list[str] = field(default_factory=list)


def split(text: str) -> list[Section]:
    """The parts in their order; what stands before the first heading is ``basics``."""
    sections = [Section("basics")]
    for line in text.split("\n"):
        name, rest = heading(line)
        if name:
            sections.append(Section(name, [rest] if rest else []))
        else:
            sections[-1].lines.append(line)
    return sections


def heading(line: str) -> tuple[str, str]:
    """The part that a heading line opens, and what stands behind its colon; ('', '') for any other line."""
    bare = _MARKS.sub("", line).strip()
    if not bare or line.lstrip().startswith("- "):
        return "", ""
    name = _named(bare)
    if name:
        return name, ""
    inline = _INLINE.match(bare)
    if inline and _named(inline[1]) in {"skills", "languages", "certificates", "interests"}:
        return _named(inline[1]), inline[2]
    return "", ""


def _named(words: str) -> str:
    plain = re.sub(r"\s+", " ", words.lower().replace("&", "and" if words.isascii() else "und")).strip()
    if len(plain.split()) > _HEADING_WORDS_MAX:
        return ""
    if re.fullmatch(r"(?:\w ){3,}\w", plain):  # S K I L L S
        plain = plain.replace(" ", "")
    return (
        _OF.get(plain)
        or _OF.get(plain.replace(" and ", " und "))
        or _OF.get(plain.replace(" und ", " and "))
        or ""
    )


def of(sections: list[Section], name: str) -> Iterator[Section]:
    """All parts of that name."""
    return (section for section in sections if section.name == name)
