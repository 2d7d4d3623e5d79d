"""Bring the pages' texts into ``web/locale/*/LC_MESSAGES/*.po``; new ones wait there for a translation.

``_("...")`` in templates and in Python under ``heller/web`` is a text. What only the console says is in ``console.po``,
what the domains say in ``domain.po`` (``web/sentences.py`` knows the forms), all else in ``heller.po``. Run this after changing a text, then fill in the empty ``msgstr``;
``tests/unit/test_web_texts.py`` names what is missing.
"""

import sys
from pathlib import Path

from babel.messages import extract
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

import heller
from heller.web import sentences

WEB = Path(heller.__file__).parent / "web"
AREAS = ("heller", "console", "domain")
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
HEADER = """# Texts of the pages.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
OPTIONS = {"**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}


def texts(area: str) -> Catalog:
    """Every text of an area's pages, as a catalogue without translations."""
    if area == "domain":
        return _domain()
    found = Catalog(project="heller", charset="utf-8")
    for name, _line, message, comments, context in extract.extract_from_dir(WEB, METHODS, OPTIONS):
        found.add(message, None, [(name, None)], auto_comments=comments, context=context)
    of_area = Catalog(project="heller", charset="utf-8")
    for message in found:
        if message.id and _area(message) == area:
            of_area[message.id] = message
    return of_area


def _domain() -> Catalog:
    forms = Catalog(project="heller", charset="utf-8")
    for form in sentences.FORMS:
        forms.add(form, None)
    return forms


def _area(message: Message) -> str:
    is_console = all(name.startswith(("console/", "templates/console/")) for name, _ in message.locations)
    return "console" if is_console else "heller"


def catalogues() -> list[Path]:
    """The file of every language and area."""
    return sorted(folder / f"{area}.po" for folder in WEB.glob("locale/*/LC_MESSAGES") for area in AREAS)


def catalogue(path: Path) -> Catalog:
    """What is translated."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def write(path: Path, known: Catalog) -> None:
    """Write a catalogue so that two people's changes meet in few lines."""
    with path.open("wb") as file:
        file.write(HEADER.format(language=path.parts[-3]).encode())
        write_po(file, known, width=0, sort_output=True, omit_header=True, include_lineno=False)


def main() -> None:
    """Update every catalogue; a text that moves from one area to the other takes its translation along."""
    for folder in sorted({path.parent for path in catalogues()}):
        before = [catalogue(path) for path in sorted(folder.glob("*.po"))]
        for area in AREAS:
            known = texts(area)
            known.locale = folder.parts[-2]
            for message in known:
                for old in before:
                    if message.id and message.id in old and old[message.id].string:
                        message.string = old[message.id].string
            write(folder / f"{area}.po", known)
            missing = [m.id for m in known if m.id and not all(strings(m))]
            sys.stdout.write(f"{folder.parts[-2]}/{area}: {len(known)} texts, {len(missing)} to translate\n")
            sys.stdout.writelines(f"  {text!r}\n" for text in missing)


def strings(message: Message) -> list[str]:
    """A message's translations: one, or one for each plural form."""
    if isinstance(message.string, list | tuple):
        return list(message.string)
    return [message.string or ""]


if __name__ == "__main__":
    main()
