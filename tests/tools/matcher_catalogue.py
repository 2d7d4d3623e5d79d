"""Bring Resume Matcher's texts into its ``.po``; new ones wait there for a translation.

What heller's own pages say already is translated there. Run this after changing a text, then fill in the empty
``msgstr``; ``tests/resume_matcher/unit/test_texts.py`` names what is missing.
"""

import importlib.util
import sys
from pathlib import Path

from babel.messages import extract
from babel.messages.catalog import Catalog

import resume_matcher

PACKAGE = Path(resume_matcher.__file__).parent
spec = importlib.util.spec_from_file_location("catalogue", Path(__file__).with_name("catalogue.py"))
hellers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hellers)


def catalogues() -> list[Path]:
    """The file of every language."""
    return sorted((PACKAGE / "web").glob("locale/*/LC_MESSAGES/resume_matcher.po"))


def texts(language: str) -> Catalog:
    """Every text of the application that heller's catalogues do not have."""
    known = [hellers.catalogue(path) for path in hellers.WEB.glob(f"locale/{language}/LC_MESSAGES/*.po")]
    found = Catalog(project="resume_matcher", charset="utf-8")
    for name, _line, message, _comments, _context in extract.extract_from_dir(
        PACKAGE, hellers.METHODS, hellers.OPTIONS
    ):
        if not any(message in catalogue for catalogue in known):
            found.add(message, None, [(name, None)])
    return found


def main() -> None:
    """Update every catalogue."""
    for path in catalogues():
        language = path.parts[-3]
        before, after = hellers.catalogue(path), texts(language)
        after.locale = language
        for message in after:
            if message.id and message.id in before:
                message.string = before[message.id].string
        hellers.write(path, after)
        missing = [m.id for m in after if m.id and not all(hellers.strings(m))]
        sys.stdout.write(f"{language}: {len(after)} texts, {len(missing)} to translate\n")


if __name__ == "__main__":
    main()
