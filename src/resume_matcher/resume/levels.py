"""Languages with their levels, and degrees with theirs: in resumes and in jobs alike."""

import re

_LANGUAGES = {
    "de": "german|deutsch|deutsche|deutschen|deutschkenntnisse|deutschkenntnissen|deutschsprachig",
    "en": "english|englisch|englische|englischen|englischkenntnisse|englischkenntnissen|englischsprachig",
    "fr": "french|französisch|französischkenntnisse", "es": "spanish|spanisch|spanischkenntnisse",
    "it": "italian|italienisch|italienischkenntnisse", "pl": "polish|polnisch|polnischkenntnisse",
    "tr": "turkish|türkisch|türkischkenntnisse", "ru": "russian|russisch|russischkenntnisse",
    "pt": "portuguese|portugiesisch", "nl": "dutch|niederländisch", "cs": "czech|tschechisch",
    "uk": "ukrainian|ukrainisch", "ar": "arabic|arabisch", "zh": "chinese|chinesisch|mandarin",
    "ja": "japanese|japanisch", "ko": "korean|koreanisch", "hi": "hindi", "sv": "swedish|schwedisch",
    "da": "danish|dänisch", "hu": "hungarian|ungarisch", "ro": "romanian|rumänisch", "el": "greek|griechisch",
}  # fmt: skip
_LANGUAGE_OF = {name: code for code, names in _LANGUAGES.items() for name in names.split("|")}
_LANGUAGE = re.compile(
    r"(?<!\w)(" + "|".join(sorted(_LANGUAGE_OF, key=len, reverse=True)) + r")(?!\w)", re.IGNORECASE
)

LEVELS = ("A1", "A2", "B1", "B2", "C1", "C2", "native")
_LEVEL_WORDS = (
    ("native", r"native|mother tongue|muttersprach\w*|first language|bilingual|zweisprachig"),
    ("C2", r"near.native|fast muttersprachlich|annähernd muttersprachlich"),
    ("C1", (r"fluent\w*|fließend\w*|fliessend\w*|verhandlungssicher\w*|business fluent|business.level|proficient|excellent|ausgezeichnete?\w*"
           r"|sehr gute?\w*|very good|full professional|advanced|fortgeschritten\w*|sicher\w*")),
    ("B2", r"good|gute?\w*|professional working|solid\w*|solide\w*|konversationssicher|upper.intermediate|working knowledge"),
    ("B1", r"intermediate|conversational|mittlere\w*"),
    ("A2", r"basic\w*|grundkenntnisse\w*|beginner|elementary|anfänger\w*|schulkenntnisse"),
)  # fmt: skip
_LEVEL = tuple((level, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for level, words in _LEVEL_WORDS)
_CEFR = re.compile(r"(?<!\w)([ABC][12])(?!\w)")

DEGREES = ("vocational", "bachelor", "master", "doctorate")
_DEGREE = (
    ("doctorate", r"ph\.?\s?d\.?|doctorate|doctoral|promotion (?:in|zum|an|im)|promoviert\w*|doktor\w*|dr\.(?=\s+(?:rer|phil|ing|med|oec))"),
    ("master", r"(?<!scrum )(?<!scrum-)(?<!web )master(?:'?s|s?abschluss|studium)?(?!\w)(?!\s+data\b)|m\.\s?sc\.?|msc(?!\w)|m\.\s?a\.(?=\W|$)|mba(?!\w)|diplom(?!a|\w*isch)(?:-\w+|ingenieur\w*|kauf\w*)?|dipl\.?-?\s?(?:ing|kfm|inf|kff)\w*\.?|magister|staatsexamen|m\.\s?eng\.?"),
    ("bachelor", (r"bachelor\w*(?:'s)?|b\.\s?sc\.?|bsc(?!\w)|b\.\s?a\.(?=\W|$)|b\.\s?s\.?(?=\W|$)|b\.\s?eng\.?|undergraduate degree|college degree|university degree|four.year degree"
                 r"|degree in|studium|studienabschluss|hochschulabschluss|hochschulstudium|hochschulabschluß|universitätsabschluss|academic degree|studied")),
    ("vocational", (r"abgeschlossene\w* (?:\w+ )?(?:berufs)?ausbildung|berufsausbildung|ausbildung (?:zum|zur|als|im)|apprenticeship|vocational|gesellenbrief|gesellenprüfung|meisterbrief|diploma(?!\w)|facharbeiter\w*"
                   r"|associate'?s? degree|examinierte?\w*|ihk-abschluss|kaufmännische ausbildung|journeyman")),
)  # fmt: skip
_DEGREES = tuple((level, re.compile(rf"(?<!\w)(?:{words})", re.IGNORECASE)) for level, words in _DEGREE)


def named_languages(text: str) -> list[str]:
    """The codes of the languages that a text names, in its order."""
    return list(dict.fromkeys(_LANGUAGE_OF[match[1].lower()] for match in _LANGUAGE.finditer(text)))


def language_places(text: str) -> list[tuple[str, int, int]]:
    """The same with where each stands."""
    return [(_LANGUAGE_OF[match[1].lower()], *match.span()) for match in _LANGUAGE.finditer(text)]


def language_level(text: str) -> str:
    """The level of the Common European Framework that a phrase speaks of, 'native', or ''."""
    if match := _CEFR.search(text):
        return match[1]
    for level, pattern in _LEVEL:
        if pattern.search(text):
            return level
    return ""


def degree_in(text: str) -> str:
    """The highest degree a text names, or ''."""
    return next((level for level, pattern in _DEGREES if pattern.search(text)), "")


def lowest_degree_in(text: str) -> str:
    """The lowest degree a text names ("Bachelor or Master" asks for a bachelor), or ''."""
    return next((level for level, pattern in reversed(_DEGREES) if pattern.search(text)), "")
