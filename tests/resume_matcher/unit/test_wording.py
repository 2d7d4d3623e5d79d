"""What a language model is sent, and which of its lines are kept."""

import json

import pytest

import resume_papers as papers
from resume_matcher.documents import from_text
from resume_matcher.errors import WorkFailed
from resume_matcher.matching.wording import ANSWER_CHARACTERS_MAX, question, worded
from resume_matcher.resume import parse

TEXT = from_text(papers.GERMAN).text
CONTENT = parse(TEXT)
FORM = {"code": "no_summary", "label": "", "source": "", "evidence": ""}
SUGGESTIONS = [
    {
        "code": "add_if_true",
        "label": "Docker",
        "kind": "skill",
        "source": "Erfahrung mit Docker",
        "evidence": "",
    },
    FORM,
    {
        "code": "use_their_word",
        "label": "Go",
        "kind": "skill",
        "source": "Go, Python oder C#",
        "evidence": "in Go und C#",
    },
]
QUOTE = "Entwicklung von Microservices in Go und C#"
GOOD = {"number": 2, "line": "Microservices in Go entwickelt", "quote": QUOTE}


def lines_of(*lines):
    kept = worded(SUGGESTIONS, json.dumps({"lines": lines}), TEXT, CONTENT)
    return [item.get("line") for item in kept]


def test_the_model_is_not_told_whose_resume_it_is():
    _, said = question(SUGGESTIONS, TEXT, CONTENT, papers.JOB)
    told = json.loads(said["content"])
    for private in ("Köhler", "jana.koehler", "221 123456", "github.com/jkoehler", "Hauptstraße"):
        assert private not in told["resume"]
    assert QUOTE in told["resume"]
    assert [item["number"] for item in told["suggestions"]] == [0, 2]


def test_a_long_resume_and_job_are_cut():
    _, said = question(SUGGESTIONS, "Go. " * 50_000, {}, "Docker. " * 50_000)
    assert len(said["content"]) < 32_000


def test_a_line_with_a_quotation_of_the_resume_is_kept_in_its_place():
    assert lines_of(GOOD) == [None, None, GOOD["line"]]
    implied = GOOD | {"number": 0, "line": "Kubernetes-Cluster mit Docker betreut"}
    assert lines_of(implied) == [implied["line"], None, None]
    broken = GOOD | {"quote": "entwicklung  von\nMicroservices in Go"}
    assert lines_of(broken, GOOD | {"line": "Die zweite mit Go"}) == [None, None, GOOD["line"]]


@pytest.mark.parametrize(
    "bad",
    [
        {"quote": "Zehn Jahre Leitung der Forschung"},
        {"line": "Microservices in Go und Rust entwickelt"},
        {"line": "Kosten um 90 % gesenkt"},
        {"line": "Mehr auf www.example.org"},
        {"number": 0},
        {"number": 1},
        {"line": "Microservices in C# entwickelt"},
        {"number": 17},
        {"number": -1},
    ],
    ids=["quote", "skill", "figure", "address", "another", "form", "not about it", "beyond", "negative"],
)
def test_a_line_that_the_resume_does_not_bear_out_is_dropped(bad):
    assert lines_of(GOOD | bad) == [None, None, None]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot help with that.",
        "[]",
        '{"lines": [{"number": "2", "line": "x", "quote": "Entwicklung von"}]}',
        json.dumps({"lines": [GOOD | {"score": 100}]}),
        json.dumps({"lines": [], "score": 100}),
        json.dumps({"lines": [GOOD | {"line": "x" * 301}]}),
        json.dumps({"lines": [GOOD | {"quote": "Go"}]}),
        "[" * 10_000,
        " " * (ANSWER_CHARACTERS_MAX + 1),
    ],
)
def test_an_answer_in_another_shape_is_refused_whole(answer):
    with pytest.raises(WorkFailed) as refusal:
        worded(SUGGESTIONS, answer, TEXT, CONTENT)
    assert refusal.value.reason in {"llm_shape", "llm_too_long"}


def test_an_answer_in_a_fence_is_read():
    fenced = f"```json\n{json.dumps({'lines': [GOOD]})}\n```"
    assert worded(SUGGESTIONS, fenced, TEXT, CONTENT)[2]["quote"] == QUOTE
