"""The JSON API of the application, ``/matcher/v1``. Who calls: a bearer token as in heller's own API, or the session cookie.

With a cookie, requests that change something carry the session's token in ``X-CSRF-Token``.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Header, Request, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from heller.web import csrf, session
from heller.web.principal import Principal, allows
from heller.web.problems import Forbidden, Unauthenticated
from heller.web.wiring import wiring_of
from resume_matcher import analyses, applications, resumes
from resume_matcher.analyses import JOB_CHARACTERS_MAX, JOBS_MAX, JobText
from resume_matcher.people import person_of
from resume_matcher.prices import PRICES
from resume_matcher.store import Analysis, Application, Resume
from resume_matcher.web.analysis_pages import file_of
from resume_matcher.web.resume_pages import received
from resume_matcher.web.shared import Me
from resume_matcher.web.wiring import matcher_of

router = APIRouter(tags=["resume matcher"])
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def caller(
    request: Request,
    x_act_for: Annotated[str | None, Header(description="An API key acts for this user.")] = None,
) -> Me:
    """The person of a request.

    Raises:
        Unauthenticated: neither a bearer token nor a session.
        Forbidden: an API key without the scope credits:spend, or without saying for whom.
    """
    credits = wiring_of(request).heller
    principal = await _principal(request)
    user = principal.user
    if principal.via == "api_key" and not principal.is_customer:
        if not allows(principal, "credits:spend") or not x_act_for:
            raise Forbidden(
                "An API key needs the scope credits:spend and the header X-Act-For.", scope="credits:spend"
            )
        user = x_act_for
    person = await person_of(credits, user=user, subject=principal.subject, email=principal.email)
    account = await credits.balance(person.account)
    return Me(principal, person, account.available)


async def _principal(request: Request) -> Principal:
    if header := request.headers.get("authorization"):
        return (await wiring_of(request).auth.known(header.encode("latin-1"))).principal
    principal = session.principal_of(request)
    if principal is None:
        raise Unauthenticated("Say who you are.", hint="Authorization: Bearer, or sign in with a browser.")
    if request.method not in _SAFE:
        await csrf.protect(request)
    return principal


Caller = Annotated[Me, Depends(caller)]


class _Body(BaseModel):
    """Unknown fields are refused, so that a mistyped one is not ignored."""

    model_config = ConfigDict(extra="forbid")


class TextIn(_Body):
    """A resume as text or Markdown."""

    text: str = Field(max_length=200_000)
    title: str = Field(default="", max_length=200)


class JobIn(_Body):
    """A posting."""

    text: str = Field(min_length=1, max_length=JOB_CHARACTERS_MAX)
    title: str = Field(default="", max_length=200)


class OrderIn(_Body):
    """Several jobs for one resume. ``order`` is the caller's own id: the same again is the same order."""

    resume: UUID
    kind: str = "analysis"
    jobs: list[JobIn] = Field(min_length=1, max_length=JOBS_MAX)
    order: UUID | None = None


class ApplicationIn(_Body):
    """A job to follow."""

    title: str = Field(default="", max_length=200)
    company: str = Field(default="", max_length=200)
    note: str = Field(default="", max_length=2_000)
    analysis: UUID | None = None


class ApplicationChange(_Body):
    """How far it has come."""

    state: str | None = None
    note: str | None = Field(default=None, max_length=2_000)


@router.get("/prices")
async def prices() -> dict[str, int]:
    """What each kind of analysis costs, in credits."""
    return {price.kind: price.credits for price in PRICES.values()}


@router.get("/resumes")
async def list_resumes(request: Request, here: Caller) -> list[dict[str, Any]]:
    """The caller's resumes, newest first."""
    async with matcher_of(request).sessions() as db:
        return [_resume(resume) for resume in await resumes.all_of(db, here.user)]


@router.post("/resumes", status_code=201)
async def add_resume(request: Request, here: Caller, body: TextIn) -> dict[str, Any]:
    """A resume out of text."""
    return _resume(await received(request, here, None, text=body.text, title=body.title), full=True)


@router.post("/resumes/file", status_code=201)
async def add_resume_file(
    request: Request,
    here: Caller,
    file: Annotated[UploadFile, File()],
    title: Annotated[str, Form(max_length=200)] = "",
) -> dict[str, Any]:
    """A resume out of a PDF, DOCX, Markdown or text file."""
    return _resume(await received(request, here, file, text="", title=title), full=True)


@router.get("/resumes/{resume_id}")
async def get_resume(request: Request, here: Caller, resume_id: UUID) -> dict[str, Any]:
    """A resume with its content as JSON Resume."""
    async with matcher_of(request).sessions() as db:
        return _resume(await resumes.one(db, here.user, resume_id), full=True)


@router.delete("/resumes/{resume_id}", status_code=204)
async def delete_resume(request: Request, here: Caller, resume_id: UUID) -> None:
    """Delete a resume with its versions and analyses."""
    async with matcher_of(request).sessions.begin() as db:
        await resumes.remove(db, here.user, resume_id)


@router.post("/analyses", status_code=202)
async def order(request: Request, here: Caller, body: OrderIn) -> dict[str, Any]:
    """Order analyses, all or none; ``GET /orders/{order}`` says how far they are."""
    jobs = [JobText(job.text, job.title) for job in body.jobs]
    order_id = await matcher_of(request).analyses.order(
        here.person, resume_id=body.resume, kind=body.kind, jobs=jobs, order_id=body.order
    )
    return await get_order(request, here, order_id)


@router.get("/orders/{order_id}")
async def get_order(request: Request, here: Caller, order_id: UUID) -> dict[str, Any]:
    """The analyses of an order, best score first."""
    async with matcher_of(request).sessions() as db:
        found = await analyses.of_order(db, here.user, order_id)
    done = all(analysis.is_finished for analysis in found)
    return {"order": str(order_id), "finished": done, "analyses": [_analysis(analysis) for analysis in found]}


@router.get("/analyses")
async def list_analyses(
    request: Request, here: Caller, before: datetime | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The caller's analyses, newest first; the next page is ``before`` the last one's ``created_at``."""
    async with matcher_of(request).sessions() as db:
        return [
            _analysis(one)
            for one in await analyses.history(db, here.user, before=before, limit=max(1, limit))
        ]


@router.get("/analyses/{analysis_id}")
async def get_analysis(request: Request, here: Caller, analysis_id: UUID) -> dict[str, Any]:
    """An analysis with its result."""
    async with matcher_of(request).sessions() as db:
        return _analysis(await analyses.one(db, here.user, analysis_id), full=True)


@router.get("/analyses/{analysis_id}/file.{form}")
async def get_file(request: Request, here: Caller, analysis_id: UUID, form: str) -> Response:
    """The result as pdf or docx."""
    async with matcher_of(request).sessions() as db:
        analysis = await analyses.one(db, here.user, analysis_id)
    return file_of(request, analysis, form)


@router.get("/applications")
async def list_applications(request: Request, here: Caller) -> list[dict[str, Any]]:
    """The jobs the caller follows."""
    async with matcher_of(request).sessions() as db:
        return [_application(one) for one in await applications.all_of(db, here.user)]


@router.post("/applications", status_code=201)
async def add_application(request: Request, here: Caller, body: ApplicationIn) -> dict[str, Any]:
    """Follow a job."""
    async with matcher_of(request).sessions.begin() as db:
        found = None if body.analysis is None else await analyses.one(db, here.user, body.analysis)
        title = body.title or (found.job_title if found else "")
        made = await applications.add(
            db, here.user, title=title, company=body.company, note=body.note, analysis=found
        )
        return _application(made)


@router.patch("/applications/{application_id}")
async def change_application(
    request: Request, here: Caller, application_id: UUID, body: ApplicationChange
) -> dict[str, Any]:
    """Move it on, or note something."""
    async with matcher_of(request).sessions.begin() as db:
        return _application(
            await applications.change(db, here.user, application_id, state=body.state, note=body.note)
        )


@router.delete("/applications/{application_id}", status_code=204)
async def delete_application(request: Request, here: Caller, application_id: UUID) -> None:
    """Follow it no more."""
    async with matcher_of(request).sessions.begin() as db:
        await applications.remove(db, here.user, application_id)


def _resume(resume: Resume, *, full: bool = False) -> dict[str, Any]:
    newest = resume.newest
    found: dict[str, Any] = {
        "id": str(resume.id),
        "title": resume.title,
        "created_at": resume.created_at.isoformat(),
        "versions": [{"number": v.number, "file_name": v.file_name, "kind": v.kind} for v in resume.versions],
    }
    return found | ({"content": newest.content} if full else {})


def _analysis(analysis: Analysis, *, full: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": str(analysis.id),
        "order": str(analysis.order_id),
        "resume": str(analysis.resume_id),
        "version": analysis.version.number,
        "kind": analysis.kind,
        "job_title": analysis.job_title,
        "state": analysis.state,
        "credits_used": analysis.credits_used,
        "match_score": analysis.match_score,
        "error": analysis.error_reason,
        "created_at": analysis.created_at.isoformat(),
    }
    return found | ({"result": analysis.result, "job_text": analysis.job_text} if full else {})


def _application(application: Application) -> dict[str, Any]:
    return {
        "id": str(application.id),
        "title": application.title,
        "company": application.company,
        "state": application.state,
        "note": application.note,
        "analysis": str(application.analysis_id) if application.analysis_id else None,
        "updated_at": application.updated_at.isoformat(),
    }
