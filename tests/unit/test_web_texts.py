"""Every text of the pages is translated, with the same placeholders, and nothing else is in the catalogues."""

import importlib.util
import re
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "catalogue.py"
spec = importlib.util.spec_from_file_location("catalogue", TOOL)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

CATALOGUES = tool.catalogues()
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%")


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_every_text_is_translated_and_none_is_left_over(path):
    used = {m.id if isinstance(m.id, str) else m.id[0] for m in tool.texts(path.stem) if m.id}
    known = {m.id if isinstance(m.id, str) else m.id[0]: m for m in tool.catalogue(path) if m.id}
    assert sorted(used - known.keys()) == [], "run tests/tools/catalogue.py and translate"
    assert sorted(known.keys() - used) == [], "run tests/tools/catalogue.py"
    assert sorted(key for key, m in known.items() if not all(tool.strings(m)) or m.fuzzy) == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_translations_have_the_placeholders_of_their_texts(path):
    for message in tool.catalogue(path):
        if not message.id:
            continue
        wanted = sorted(PLACEHOLDER.findall(message.id if isinstance(message.id, str) else message.id[-1]))
        for text in tool.strings(message):
            if isinstance(message.id, tuple) and "num" in str(wanted):
                continue  # "one credit" may leave the number out
            if not text:
                continue  # the test above says so
            assert sorted(PLACEHOLDER.findall(text)) == wanted, message.id


def test_there_is_a_german_catalogue():
    assert "de" in {path.parts[-3] for path in CATALOGUES}


def test_visible_words_of_templates_go_through_gettext():
    """Words between tags that no ``_()`` is around would stay English for everybody."""
    bare = {}
    for path in tool.WEB.glob("templates/**/*.html"):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r"<script.*?</script>|<!--.*?-->", "", text, flags=re.DOTALL)
        words = [w.strip() for w in re.findall(r">([^<>]*[A-Za-z]{2,}[^<>]*)<", text)]
        words += re.findall(r"""(?:aria-label|title|placeholder|alt)="([^"{}]*[A-Za-z]{2,}[^"{}]*)\"""", text)
        found = [
            w
            for w in words
            if w.strip("· ") not in {"heller", "heller · heller", "Stripe"} and w != w.upper()
        ]
        bare |= {path.name: found} if found else {}
    assert bare == {}
