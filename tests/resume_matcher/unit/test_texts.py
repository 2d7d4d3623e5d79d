"""Every text of the application is translated, with the same placeholders, and nothing else is in the catalogue."""

import importlib.util
import re
from pathlib import Path

import pytest

from resume_matcher.words import words

TOOL = Path(__file__).parents[2] / "tools" / "matcher_catalogue.py"
spec = importlib.util.spec_from_file_location("matcher_catalogue", TOOL)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
CATALOGUES = tool.catalogues()
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%")


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_text_is_translated_and_none_is_left_over(path):
    used = {m.id if isinstance(m.id, str) else m.id[0] for m in tool.texts(path.parts[-3]) if m.id}
    known = {m.id if isinstance(m.id, str) else m.id[0]: m for m in tool.hellers.catalogue(path) if m.id}
    assert sorted(used - known.keys()) == [], "run tests/tools/matcher_catalogue.py and translate"
    assert sorted(known.keys() - used) == [], "run tests/tools/matcher_catalogue.py"
    assert sorted(key for key, m in known.items() if not all(tool.hellers.strings(m)) or m.fuzzy) == []
    for key, message in known.items():
        wanted = sorted(PLACEHOLDER.findall(message.id if isinstance(message.id, str) else message.id[-1]))
        for text in tool.hellers.strings(message):
            assert sorted(PLACEHOLDER.findall(text)) == wanted, key


def test_visible_words_of_templates_go_through_gettext():
    bare = {}
    for path in (tool.PACKAGE / "web").glob("templates/**/*.html"):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(), flags=re.DOTALL)
        found = [w.strip() for w in re.findall(r">([^<>]*[A-Za-z]{2,}[^<>]*)<", text)]
        found += re.findall(r"""(?:aria-label|title|placeholder|alt)="([^"{}]*[A-Za-z]{2,}[^"{}]*)\"""", text)
        if rest := [word for word in found if word not in {"PDF", "DOCX"}]:
            bare[path.name] = rest
    assert bare == {}


def test_labels_are_in_words():
    said = words(lambda text: text)
    assert said.label({"kind": "language", "label": "de", "level": "C1"}) == "German C1"
    assert said.label({"kind": "years", "label": "Go", "years": 5}) == "5 years: Go"
    assert said.label({"kind": "years", "label": "", "years": 1}) == "1 year"
    assert said.found({"kind": "degree", "found": "master", "how": "degree"}) == "master's degree"
    assert said.reason("no such", "as it came") == "as it came"
