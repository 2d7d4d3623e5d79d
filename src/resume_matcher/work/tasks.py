"""What a work process does, by name. Plain values in, plain values out."""

from collections.abc import Callable
from datetime import date
from typing import Any

from resume_matcher import matching
from resume_matcher.documents import from_text, read
from resume_matcher.matching.suggestions import suggestions
from resume_matcher.matching.wording import question, worded
from resume_matcher.resume import parse


def read_resume(*, data: bytes) -> dict[str, Any]:
    """A file's text and its JSON Resume."""
    document = read(data)
    return {
        "kind": document.kind,
        "pages": document.pages,
        "text": document.text,
        "content": parse(document.text),
    }


def read_text(*, text: str) -> dict[str, Any]:
    """The same of pasted text."""
    document = from_text(text)
    return {"kind": document.kind, "pages": 1, "text": document.text, "content": parse(document.text)}


def rank(*, text: str, content: dict[str, Any], job: str, today: str) -> dict[str, Any]:
    """The score and what is met, without evidence and advice."""
    full = analyse(text=text, content=content, job=job, today=today)
    kept = ("label", "kind", "part", "years", "level", "state", "credit")
    short = [{name: item[name] for name in kept} for item in full["requirements"]]
    return {name: full[name] for name in ("score", "title", "confidence", "cautions", "missing")} | {
        "requirements": short
    }


def analyse(*, text: str, content: dict[str, Any], job: str, today: str) -> dict[str, Any]:
    """A resume held against a job."""
    return matching.match(text, content, job, today=date.fromisoformat(today)).as_json()


def improve(*, text: str, content: dict[str, Any], job: str, today: str) -> dict[str, Any]:
    """The same, with what to change in the resume."""
    found = matching.match(text, content, job, today=date.fromisoformat(today))
    return found.as_json() | {"suggestions": suggestions(found, text, content)}


def ask(
    *, suggestions: list[dict[str, Any]], text: str, content: dict[str, Any], job: str
) -> list[dict[str, str]]:
    """What a language model is asked, where one is named."""
    return question(suggestions, text, content, job)


def word(
    *, suggestions: list[dict[str, Any]], text: str, content: dict[str, Any], answer: str
) -> list[dict[str, Any]]:
    """The suggestions with those of its lines that the resume bears out."""
    return worded(suggestions, answer, text, content)


TASKS: dict[str, Callable[..., Any]] = {
    "read_resume": read_resume,
    "read_text": read_text,
    "rank": rank,
    "analyse": analyse,
    "improve": improve,
    "ask": ask,
    "word": word,
}
