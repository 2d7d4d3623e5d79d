"""The first page for everybody, the sample for the curious, the overview for those who signed in."""

from datetime import UTC, datetime
from importlib import resources
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from heller.web import pages, session
from resume_matcher import analyses, resumes
from resume_matcher.web.shared import Here, show
from resume_matcher.web.wiring import matcher_of

router = APIRouter()
RECENT = 8
_samples: dict[str, dict[str, Any]] = {}


@router.get("/")
async def front(request: Request) -> Response:
    """What this is; whoever is signed in goes on to the overview."""
    if session.principal_of(request) is not None:
        return RedirectResponse("/matcher", status_code=303)
    return show(request, None, "front")


@router.get("/matcher/sample")
async def sample(request: Request) -> Response:
    """A result for nobody in particular: real work on a made-up resume and posting, free, without signing in."""
    language = pages.language(request)
    if language not in _samples:
        workshop = matcher_of(request).workshop
        read = await workshop.do("read_text", text=sample_text("resume", language))
        _samples[language] = await workshop.do(
            "improve",
            text=read["text"],
            content=read["content"],
            job=sample_text("job", language),
            today=datetime.now(UTC).date().isoformat(),
        )
    return show(
        request,
        None,
        "sample",
        result=_samples[language],
        resume_text=sample_text("resume", language),
        job_text=sample_text("job", language),
        signed_in=session.principal_of(request) is not None,
    )


def sample_text(what: str, language: str) -> str:
    """The sample resume or job in a language."""
    return (resources.files("resume_matcher") / "samples" / f"{what}.{language}.md").read_text("utf-8")


@router.get("/matcher")
async def overview(request: Request, here: Here) -> Response:
    """Credits, resumes, the last analyses."""
    async with matcher_of(request).sessions() as db:
        mine = await resumes.all_of(db, here.user)
        recent = await analyses.history(db, here.user, limit=RECENT)
    return show(request, here, "overview", resumes=mine, recent=recent)
