from datetime import date

import pytest

import resume_papers as papers
from resume_matcher.documents import from_text
from resume_matcher.resume import languages_of, parse
from resume_matcher.resume.dates import spans, years_together
from resume_matcher.resume.levels import degree_in, language_level, lowest_degree_in


def test_a_german_resume_becomes_json_resume():
    resume = parse(from_text(papers.GERMAN).text)
    assert resume["basics"] == {
        "name": "Jana Köhler",
        "label": "Senior Softwareentwicklerin",
        "email": "jana.koehler@example.com",
        "phone": "+49 221 123456",
        "location": {"postalCode": "50667", "city": "Köln"},
        "profiles": [{"network": "Github", "username": "jkoehler", "url": "github.com/jkoehler"}],
    }
    first, second = resume["work"]
    assert (first["position"], first["name"]) == ("Senior Softwareentwicklerin", "Rheinwerk Digital GmbH")
    assert first["startDate"] == "2019-03"
    assert "endDate" not in first
    assert second["endDate"] == "2019-02"
    assert resume["education"] == [
        {
            "institution": "RWTH Aachen",
            "studyType": "M.Sc. Informatik",
            "startDate": "2010",
            "endDate": "2015",
        }
    ]
    assert resume["skills"] == [
        {"name": "Programmiersprachen", "keywords": ["Go", "C#", "C++", "R"]},
        {"name": "PostgreSQL"},
    ]
    assert resume["languages"] == [
        {"language": "de", "fluency": "native"},
        {"language": "en", "fluency": "C1"},
    ]


def test_an_english_resume_with_titles_above_the_dates_becomes_json_resume():
    resume = parse(from_text(papers.ENGLISH).text)
    assert resume["basics"]["name"] == "John Smith"
    assert [
        (item["position"], item["name"], item["startDate"], item.get("endDate")) for item in resume["work"]
    ] == [
        ("Data Engineer", "Acme Inc", "2020-01", None),
        ("Junior Analyst", "Globex Ltd", "2017-06", "2019-12"),
    ]
    assert [skill["name"] for skill in resume["skills"]] == ["Python", "SQL", "Airflow"]


def test_nothing_is_invented():
    resume = parse("Some plain words about nothing in particular")
    assert set(resume) <= {"basics", "meta"}
    assert "work" not in resume


@pytest.mark.parametrize(
    ("line", "start", "end"),
    [
        ("03/2019 – heute", "2019-03", ""),
        ("März 2018 bis Mai 2020", "2018-03", "2020-05"),
        ("Jan. 2017 - Dec. 2019", "2017-01", "2019-12"),
        ("2012-2015", "2012", "2015"),
        ("from 2012 to 2015", "2012", "2015"),
        ("2019-03 - 2020-11", "2019-03", "2020-11"),
        ("seit 2020", "2020", ""),
        ("since March 2021", "2021-03", ""),
        ("01.2016 - 06.2018", "2016-01", "2018-06"),
    ],
)
def test_spans_are_read(line, start, end):
    (span,) = spans(line)
    assert (span.start, span.end) == (start, end)


@pytest.mark.parametrize("line", ["Tel. 0221 2019 2020", "2020 - 2015", "Version 20.04", "12 Monate"])
def test_what_is_no_span_is_left(line):
    assert spans(line) == []


def test_overlapping_spans_count_once():
    found = [*spans("01/2018 - 12/2019"), *spans("01/2019 - 12/2020")]
    assert years_together(found, date(2024, 1, 1)) == pytest.approx(3, abs=0.2)


def test_levels_and_degrees_are_told():
    assert language_level("verhandlungssicheres Englisch") == "C1"
    assert language_level("German B2") == "B2"
    assert degree_in("Dipl.-Ing. Maschinenbau") == "master"
    assert degree_in("certified Scrum Master, diplomatic, promotion of sales") == ""
    assert lowest_degree_in("Bachelor or Master in Economics") == "bachelor"


def test_languages_are_told_apart():
    assert languages_of(papers.GERMAN).main == "de"
    assert languages_of(papers.ENGLISH).main == "en"
    mixed = "We are looking for you and your skills with the team. Wir suchen dich und deine Kenntnisse für das Team."
    assert languages_of(mixed).is_mixed
