"""The application tracker."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from heller.web import csrf
from resume_matcher import analyses, applications
from resume_matcher.errors import InvalidInput
from resume_matcher.web.shared import Here, Me, go, show
from resume_matcher.web.wiring import matcher_of

router = APIRouter(prefix="/matcher/applications")
_protected = [Depends(csrf.protect)]


@router.get("")
async def listed(request: Request, here: Here) -> Response:
    """All applications with their states."""
    return await _list(request, here)


@router.post("", dependencies=_protected)
async def add(
    request: Request,
    here: Here,
    title: Annotated[str, Form(max_length=400)] = "",
    company: Annotated[str, Form(max_length=400)] = "",
    analysis: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Follow a job, by hand or out of a result."""
    async with matcher_of(request).sessions.begin() as db:
        found = None if analysis is None else await analyses.one(db, here.user, analysis)
        try:
            await applications.add(
                db,
                here.user,
                title=title or (found.job_title if found else ""),
                company=company,
                analysis=found,
            )
        except InvalidInput as error:
            return await _list(request, here, error=str(error))
    return go("/matcher/applications")


@router.post("/{application_id}", dependencies=_protected)
async def change(
    request: Request,
    here: Here,
    application_id: UUID,
    state: Annotated[str, Form()],
    note: Annotated[str, Form()] = "",
) -> Response:
    """Move it on."""
    async with matcher_of(request).sessions.begin() as db:
        await applications.change(db, here.user, application_id, state=state, note=note)
    return go("/matcher/applications")


@router.post("/{application_id}/delete", dependencies=_protected)
async def delete(request: Request, here: Here, application_id: UUID) -> Response:
    """Follow it no more."""
    async with matcher_of(request).sessions.begin() as db:
        await applications.remove(db, here.user, application_id)
    return go("/matcher/applications")


async def _list(request: Request, here: Me, *, error: str = "") -> Response:
    async with matcher_of(request).sessions() as db:
        mine = await applications.all_of(db, here.user)
    return show(request, here, "applications", status=422 if error else 200, applications=mine, error=error)
