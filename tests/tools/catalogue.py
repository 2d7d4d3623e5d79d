"""Bring the pages' texts into ``web/locale/*/LC_MESSAGES/heller.po``; new ones wait there for a translation.

``_("...")`` in templates and in Python under ``heller/web`` is a text. Run it after changing one, then fill in the
empty ``msgstr``; ``tests/unit/test_web_texts.py`` names what is missing.
"""

import sys
from pathlib import Path

from babel.messages import extract
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

import heller

WEB = Path(heller.__file__).parent / "web"
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
HEADER = """# Texts of the pages.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
OPTIONS = {"**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}


def texts() -> Catalog:
    """Every text of the pages, as a catalogue without translations."""
    found = Catalog(project="heller", charset="utf-8")
    for name, _line, message, comments, context in extract.extract_from_dir(WEB, METHODS, OPTIONS):
        found.add(message, None, [(name, None)], auto_comments=comments, context=context)
    return found


def catalogue(path: Path) -> Catalog:
    """What is translated."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def main() -> None:
    """Update every catalogue."""
    for path in sorted(WEB.glob("locale/*/LC_MESSAGES/heller.po")):
        known = catalogue(path)
        known.update(texts(), no_fuzzy_matching=True)
        known.obsolete.clear()
        with path.open("wb") as file:
            file.write(HEADER.format(language=path.parts[-3]).encode())
            write_po(file, known, width=0, sort_output=True, omit_header=True, include_lineno=False)
        missing = [m.id for m in known if m.id and not m.string]
        sys.stdout.write(f"{path.parts[-3]}: {len(known)} texts, {len(missing)} to translate\n")
        sys.stdout.writelines(f"  {text!r}\n" for text in missing)


if __name__ == "__main__":
    main()
