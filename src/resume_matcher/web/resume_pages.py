"""Resumes: upload, look, replace, delete."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import Response

from heller.web import csrf, pages
from resume_matcher import resumes
from resume_matcher.documents.reading import TEXT_CHARACTERS_MAX
from resume_matcher.errors import InvalidInput, UnreadableDocument, WorkFailed
from resume_matcher.store import Resume
from resume_matcher.texts import kept
from resume_matcher.web.front_pages import sample_text
from resume_matcher.web.shared import Here, Me, go, show, words_of
from resume_matcher.web.wiring import matcher_of

router = APIRouter(prefix="/matcher/resumes")
_protected = [Depends(csrf.protect)]


@router.get("")
async def listed(request: Request, here: Here) -> Response:
    """All resumes, and the form for a new one."""
    return await _list(request, here)


@router.post("", dependencies=_protected)
async def add(
    request: Request,
    here: Here,
    file: Annotated[UploadFile | None, File()] = None,
    text: Annotated[str, Form()] = "",
    title: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """A file or pasted text becomes a resume, or the page says why not."""
    try:
        resume = await received(request, here, file, text=text, title=title)
    except (UnreadableDocument, WorkFailed, InvalidInput) as error:
        return await _list(request, here, error=words_of(request).reason(error.reason, str(error)), text=text)
    return go(f"/matcher/resumes/{resume.id}")


@router.post("/sample", dependencies=_protected)
async def add_sample(request: Request, here: Here) -> Response:
    """The sample as a resume of one's own, to try the application with."""
    text = sample_text("resume", pages.language(request))
    resume = await received(request, here, None, text=text, title="")
    return go(f"/matcher/new?resume={resume.id}&sample=1")


async def received(
    request: Request,
    here: Me,
    file: UploadFile | None,
    *,
    text: str,
    title: str,
    resume_id: UUID | None = None,
) -> Resume:
    """Read a file or a text in a work process and keep it, as a new resume or as a newer version of one."""
    matcher = matcher_of(request)
    if file is not None and file.filename:
        name = file.filename
        read = await matcher.workshop.do("read_resume", data=await file.read())
    else:
        name = "text"
        read = await matcher.workshop.do("read_text", text=kept(text, TEXT_CHARACTERS_MAX + 1))
    async with matcher.sessions.begin() as db:
        if resume_id is None:
            return await resumes.add(db, here.user, read, file_name=name, title=title)
        return await resumes.add_version(db, here.user, resume_id, read, file_name=name)


@router.get("/{resume_id}")
async def shown(request: Request, here: Here, resume_id: UUID, version: int = 0) -> Response:
    """What was understood of a resume, and its versions."""
    return await _show(request, here, resume_id, version)


@router.post("/{resume_id}", dependencies=_protected)
async def replace(
    request: Request,
    here: Here,
    resume_id: UUID,
    file: Annotated[UploadFile | None, File()] = None,
    text: Annotated[str, Form()] = "",
) -> Response:
    """A newer version."""
    try:
        await received(request, here, file, text=text, title="", resume_id=resume_id)
    except (UnreadableDocument, WorkFailed, InvalidInput) as error:
        return await _show(request, here, resume_id, error=words_of(request).reason(error.reason, str(error)))
    return go(f"/matcher/resumes/{resume_id}")


@router.post("/{resume_id}/delete", dependencies=_protected)
async def delete(request: Request, here: Here, resume_id: UUID) -> Response:
    """Gone, with all its versions and analyses."""
    async with matcher_of(request).sessions.begin() as db:
        await resumes.remove(db, here.user, resume_id)
    return go("/matcher/resumes")


async def _list(request: Request, here: Me, *, error: str = "", text: str = "") -> Response:
    async with matcher_of(request).sessions() as db:
        mine = await resumes.all_of(db, here.user)
    return show(request, here, "resumes", status=422 if error else 200, resumes=mine, error=error, text=text)


async def _show(
    request: Request, here: Me, resume_id: UUID, version: int = 0, *, error: str = ""
) -> Response:
    async with matcher_of(request).sessions() as db:
        resume = await resumes.one(db, here.user, resume_id)
    shown = next((v for v in resume.versions if v.number == version), resume.newest)
    return show(
        request, here, "resume", status=422 if error else 200, resume=resume, version=shown, error=error
    )
