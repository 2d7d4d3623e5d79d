"""ESCO's CSV files become an alias file, which the matcher uses behind its own list."""

import csv
import json

import pytest
from typer.testing import CliRunner

import resume_papers as papers
from heller.errors import SettingsError
from resume_matcher.cli import app
from resume_matcher.errors import InvalidInput
from resume_matcher.matching import aliases
from resume_matcher.matching.requirements import job_of
from resume_matcher.matching.vocabulary import vocabulary
from resume_matcher.settings import load
from resume_matcher.work import Workshop

COLUMNS = [
    "conceptType",
    "conceptUri",
    "skillType",
    "reuseLevel",
    "preferredLabel",
    "altLabels",
    "hiddenLabels",
    "status",
    "modifiedDate",
    "scopeNote",
    "definition",
    "inScheme",
    "description",
]
ENGLISH = [
    ("1", "operate theodolite", "use a theodolite\ntheodolite operation", "released"),
    ("2", "Python (computer programming)", "CPython\nJython", "released"),
    ("3", "English", "ability to comprehend spoken and written English", "released"),
    ("4", "perform old rites", "", "obsolete"),
    ("5", "conduct beekeeping", "apiculture\nsing\nSQL", "released"),
    ("6", "+", "", "released"),
    ("7", "golang", "gopher programming", "released"),
]
GERMAN = [("1", "Theodolit bedienen", "Theodolitmessung", "released"), ("3", "Englisch", "", "released")]


def written(path, rows, columns=COLUMNS):
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(columns)
        for concept, preferred, others, status in rows:
            known = {
                "conceptType": "KnowledgeSkillCompetence",
                "conceptUri": f"http://data.europa.eu/esco/skill/{concept}",
                "preferredLabel": preferred,
                "altLabels": others,
                "status": status,
            }
            out.writerow([known.get(column, "") for column in columns])
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["esco", *map(str, arguments)])


@pytest.fixture
def file(tmp_path):
    english = written(tmp_path / "skills_en.csv", ENGLISH)
    german = written(tmp_path / "skills_de.csv", GERMAN)
    done = run(english, german, "--to", tmp_path / "esco.json")
    assert done.exit_code == 0, done.output
    assert "4 skills" in done.output
    return tmp_path / "esco.json"


@pytest.fixture
def loaded(file, monkeypatch):
    monkeypatch.setenv(aliases.VARIABLE, str(file))
    vocabulary.cache_clear()
    yield file
    monkeypatch.undo()
    vocabulary.cache_clear()


def test_languages_join_and_what_is_gone_is_left_out(file):
    made = json.loads(file.read_text())
    assert made["skills"]["operate theodolite"] == ["use a theodolite", "theodolite operation", "Theodolit bedienen", "Theodolitmessung"]  # fmt: skip
    assert "English" not in str(made["skills"].keys())
    assert "perform old rites" not in made["skills"]
    assert made["exact"] == ["SQL", "sing"]


def named(text):
    return [mention.skill for mention in vocabulary().mentions(text)]


def test_the_own_list_stays_what_it_is(loaded):
    assert named("Jython and SQL, gopher programming") == ["Python", "SQL", "Go"]
    assert named("Apiculture, and we sing") == ["conduct beekeeping"]
    assert vocabulary().closure(frozenset({"Django"}))["Python"] == "Django"


async def test_a_work_process_matches_by_esco_names(loaded):
    text = papers.GERMAN + "\nKenntnisse\nTheodolitmessung\n"
    job = "Surveyor\n\nRequirements\n- Use a theodolite\n- SQL\n"
    assert [r.options for r in job_of(job).requirements] == [("operate theodolite",), ("SQL",)]
    async with Workshop.open(1) as workshop:
        read = await workshop.do("read_text", text=text)
        found = await workshop.do(
            "analyse", text=read["text"], content=read["content"], job=job, today="2026-01-01"
        )
    first = found["requirements"][0]
    assert (first["how"], first["credit"], first["found"]) == ("alias", 1.0, "Theodolitmessung")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"conceptUri,preferredLabel\na,b\n", "has no column altLabels"),
        (b"", "has no column"),
        (",".join(COLUMNS).encode() + b"\n", "has no skill in it"),
        (",".join(COLUMNS).encode() + b"\nKnowledge,http://x\n", "cut off or damaged at line 2"),
        (",".join(COLUMNS).encode() + b'\na,b,c,d,"e\n', "is no CSV file in UTF-8"),
        (",".join(COLUMNS).encode() + b"\na,b,c,d,\xfcbung,f,,released,,,,,\n", "is no CSV file in UTF-8"),
        (None, "cannot be read: No such file"),
    ],
    ids=["columns", "empty", "no rows", "cut off", "quote", "latin-1", "none"],
)
def test_a_bad_csv_is_refused_and_nothing_is_written(tmp_path, content, said):
    path = tmp_path / "skills_en.csv"
    if content is not None:
        path.write_bytes(content)
    done = run(path, "--to", tmp_path / "esco.json")
    assert isinstance(done.exception, InvalidInput)
    assert said in str(done.exception)
    assert not (tmp_path / "esco.json").exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"source": "", "skills": {"a": "b"}}', b'{"source": "", "skills": {"": []}}', b'{"source": "", "skills": {}, "more": 1}', None]
)  # fmt: skip
def test_a_bad_alias_file_stops_the_start(tmp_path, monkeypatch, content):
    path = tmp_path / "aliases.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(aliases.VARIABLE, str(path))
    with pytest.raises(SettingsError, match=r"aliases\.json"):
        load()
