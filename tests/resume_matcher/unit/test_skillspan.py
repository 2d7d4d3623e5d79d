"""The loader of SkillSpan, on rows in its layout that were made up here."""

import importlib.util
import json
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "benchmarks" / "matching" / "skillspan.py"
spec = importlib.util.spec_from_file_location("skillspan", FILE)
skillspan = importlib.util.module_from_spec(spec)
spec.loader.exec_module(skillspan)
ROWS = [
    ("Requirements :", "O O", "O O"),
    ("* Good knowledge of Python and SQL", "O O O O O O O", "O O O O B O B"),
    ("* Lead small teams", "O B I I", "O O O O"),
]


def written(path, rows=ROWS, **other):
    lines = []
    for text, skills, knowledge in rows:
        row = {"idx": 1, "tokens": text.split(), "tags_skill": skills.split(), "source": "tech"}
        lines.append(json.dumps(row | {"tags_knowledge": knowledge.split()} | other))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_sentences_of_a_posting_come_together_with_what_is_marked(tmp_path):
    (posting,) = skillspan.load(written(tmp_path / "test.json"))
    assert posting.skills == {"Lead small teams"}
    assert posting.knowledge == {"Python", "SQL"}
    assert {("skill", "Python"), ("skill", "SQL")} <= set(skillspan.asked(posting))


@pytest.mark.parametrize(
    ("tags", "found"), [("B B I O", ["a", "b c"]), ("I I O B", ["a b", "d"]), ("O O O O", [])]
)
def test_tags_are_read_as_spans(tags, found):
    assert list(skillspan.spans(["a", "b", "c", "d"], tags.split())) == found


def test_half_of_the_words_agree_and_one_touches():
    one, two = skillspan.bags(["Python programming"]), skillspan.bags(["Python", "Java"])
    assert skillspan.rates([(one, two)]) == "     1  touch 1.000  agree 1.000"
    assert skillspan.rates([(two, one)]) == "     2  touch 0.500  agree 0.500"
    far = skillspan.bags(["Python programming for embedded medical devices"])
    assert skillspan.rates([(one, far)]) == "     1  touch 1.000  agree 0.000"


@pytest.mark.parametrize("other", [{"tokens": ["a"]}, {"tags_skill": ["X"] * 2}, {"source": []}])
def test_a_row_in_another_shape_is_named(tmp_path, other):
    path = written(tmp_path / "test.json", ROWS[:1], **other)
    with pytest.raises(SystemExit, match="line 1: no row of SkillSpan"):
        skillspan.load(path)
