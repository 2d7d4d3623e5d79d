from datetime import date

import pytest

import resume_papers as papers
from resume_matcher.documents import from_text
from resume_matcher.errors import UnusableJob
from resume_matcher.matching import match, suggestions
from resume_matcher.matching.requirements import job_of
from resume_matcher.matching.vocabulary import vocabulary
from resume_matcher.resume import parse

TODAY = date(2026, 1, 1)


def matched(resume, job):
    text = from_text(resume).text
    return match(text, parse(text), job, today=TODAY)


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("C++, C#, .NET, Go, R und ASP.NET Core", ["C++", "C#", ".NET", "Go", "R", ".NET"]),
        ("C/C++", ["C", "C++"]),
        ("Go to market in R&D; we go above, you excel. Vitamin C and C-Level", []),
        ("Schweißen, Führung, Pflege", ["Welding", "Leadership", "Nursing"]),
        ("k8s, Postgres, React.js", ["Kubernetes", "PostgreSQL", "React"]),
        ("Javascript isn't Java", ["JavaScript", "Java"]),
        ("Spring 2020", []),
    ],
)
def test_skills_are_found_as_whole_words(text, skills):
    assert [mention.skill for mention in vocabulary().mentions(text)] == skills


def test_every_implied_skill_is_known():
    words = vocabulary()
    assert {
        other for others in words.implies.values() for other in others
    } | words.implies.keys() <= words.skills


def test_requirements_are_taken_out_of_a_job():
    job = job_of(papers.JOB)
    asked = {(r.kind, r.label, r.part) for r in job.requirements}
    assert job.title == "Senior Backend-Entwickler (m/w/d)"
    assert ("skill", "Go / Python / C#", "must") in asked
    assert ("skill", "Terraform", "nice") in asked
    assert ("skill", "Microservices", "duty") in asked
    assert next(r for r in job.requirements if r.kind == "years").years == 5
    assert next(r for r in job.requirements if r.kind == "degree").level == "bachelor"
    assert {r.label: r.level for r in job.requirements if r.kind == "language"} == {"de": "C1", "en": "B2"}
    assert not any("Java" in r.options for r in job.requirements)  # it stands in what they say of themselves


def test_a_match_shows_its_evidence_and_what_is_missing():
    found = matched(papers.GERMAN, papers.JOB).as_json()
    by_label = {item["label"]: item for item in found["requirements"]}
    assert by_label["Go / Python / C#"]["evidence"] == "Entwicklung von Microservices in Go und C#"
    assert by_label["Docker"]["how"] == "implied"
    assert by_label["Terraform"]["state"] == "missing"
    assert found["missing"] == ["Terraform"]
    assert found["score"] > 50


def test_the_greatest_gain_is_first_and_real():
    before = matched(papers.ENGLISH, papers.JOB)
    assert [points for _, points in before.gains] == sorted(
        (points for _, points in before.gains), reverse=True
    )
    assert all(points > 0 for _, points in before.gains)
    missing, points = next((f, p) for f, p in before.gains if f.requirement.options == ("Docker",))
    after = matched(papers.ENGLISH.replace("Skills: Python", "Skills: Docker, Python"), papers.JOB)
    assert after.score - before.score == pytest.approx(points, abs=0.01)
    assert missing.credit == 0


def test_the_better_resume_scores_higher():
    assert matched(papers.GERMAN, papers.JOB).score > matched(papers.ENGLISH, papers.JOB).score


def test_a_job_of_three_words_is_scored_with_low_confidence():
    found = matched(papers.ENGLISH, "Python developer wanted")
    assert found.confidence == "low"
    assert "thin_job" in found.cautions
    assert 15 < found.score < 85


@pytest.mark.parametrize("job", ["", "We need you!", "x" * 60_000])
def test_a_job_without_requirements_is_refused(job):
    with pytest.raises(UnusableJob):
        matched(papers.ENGLISH, job)


def test_two_languages_mixed_are_said():
    job = (
        papers.JOB
        + "\nWe are looking for you and your skills with the team, you will be working on our strong platform.\n"
    )
    assert {"mixed_languages"} & set(matched(papers.GERMAN, job).cautions)


def test_years_count_only_where_they_fit():
    job = "Requirements\n- At least 5 years of experience as a pastry chef\n- Python"
    years = next(f for f in matched(papers.ENGLISH, job).findings if f.requirement.kind == "years")
    assert years.credit < 0.3


def test_suggestions_name_what_to_change():
    found = matched(papers.GERMAN, papers.JOB)
    text = from_text(papers.GERMAN).text
    codes = {(item["code"], item["label"]) for item in suggestions(found, text, parse(text))}
    assert ("add_if_true", "Terraform") in codes
    assert ("name_it", "Docker") in codes
    assert ("no_summary", "") in codes
