"""Analyses: order one or several, watch them, read the result, take it along."""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from heller.errors import InsufficientCredits
from heller.web import csrf, pages
from resume_matcher import analyses, resumes
from resume_matcher.analyses import JOBS_MAX, JobText
from resume_matcher.errors import InvalidInput, UnusableJob
from resume_matcher.export import FORMATS
from resume_matcher.store import Analysis
from resume_matcher.web.front_pages import sample_text
from resume_matcher.web.shared import PACKAGE, Here, Me, go, show, words_of
from resume_matcher.web.wiring import matcher_of

router = APIRouter(prefix="/matcher")
FIELDS = 5


class Order(BaseModel):
    """The form: which resume, how deep, which jobs. ``order`` is the form's own id, so that a second click is no second order."""

    resume: str = ""
    kind: str = "analysis"
    job: list[str] = Field(default=[], max_length=JOBS_MAX)
    order: UUID = Field(default_factory=uuid4)

    @property
    def jobs(self) -> list[JobText]:
        """The jobs that were pasted."""
        return [JobText(text) for text in self.job if text.strip()]


@router.get("/new")
async def new(request: Request, here: Here, resume: str = "", sample: int = 0) -> Response:
    """The form, with the sample job in it where that is wanted."""
    jobs = [sample_text("job", pages.language(request))] if sample else []
    return await _form(request, here, Order(resume=resume, job=jobs))


@router.post("/new", dependencies=[Depends(csrf.protect)])
async def order(request: Request, here: Here, form: Annotated[Order, Form()]) -> Response:
    """Order, or say what is missing."""
    _ = pages.translator(request, PACKAGE)
    try:
        resume_id = UUID(form.resume)
    except ValueError:
        return await _form(request, here, form, error=_("Choose a resume first."))
    try:
        order_id = await matcher_of(request).analyses.order(
            here.person, resume_id=resume_id, kind=form.kind, jobs=form.jobs, order_id=form.order
        )
    except InsufficientCredits as error:
        text = _(
            "This costs %(required)s credits; you have %(available)s.",
            required=error.required,
            available=error.available,
        )
        return await _form(request, here, form, error=text, is_short=True)
    except UnusableJob as error:
        text = _("Paste the text of at least one job.") if error.reason == "empty" else str(error)
        return await _form(request, here, form, error=text)
    except InvalidInput as error:
        return await _form(request, here, form, error=str(error))
    return go(f"/matcher/orders/{order_id}")


async def _form(
    request: Request, here: Me, form: Order, *, error: str = "", is_short: bool = False
) -> Response:
    async with matcher_of(request).sessions() as db:
        mine = await resumes.all_of(db, here.user)
    status = (402 if is_short else 422) if error else 200
    return show(
        request, here, "new", status=status, resumes=mine, chosen=form.resume, jobs=[job.text for job in form.jobs],
        kind=form.kind, error=error, is_short=is_short, order_id=form.order, fields=FIELDS,
    )  # fmt: skip


@router.get("/orders/{order_id}")
async def ordered(request: Request, here: Here, order_id: UUID) -> Response:
    """How far an order is; the best match first. htmx asks for the rows alone."""
    async with matcher_of(request).sessions() as db:
        found = await analyses.of_order(db, here.user, order_id)
    done = sum(analysis.is_finished for analysis in found)
    template = "order_rows" if "hx-request" in request.headers else "order"
    return show(request, here, template, analyses=found, done=done, order_id=order_id)


@router.get("/analyses/{analysis_id}.{form}")
async def exported(request: Request, here: Here, analysis_id: UUID, form: str) -> Response:
    """The result as a file."""
    analysis = await _one(request, here, analysis_id)
    return file_of(request, analysis, form)


@router.get("/analyses/{analysis_id}")
async def result(request: Request, here: Here, analysis_id: UUID) -> Response:
    """The result with its evidence."""
    analysis = await _one(request, here, analysis_id)
    if not analysis.is_finished:
        return go(f"/matcher/orders/{analysis.order_id}")
    return show(request, here, "analysis", analysis=analysis, result=analysis.result)


def file_of(request: Request, analysis: Analysis, form: str) -> Response:
    """A result as PDF or DOCX, in the reader's language.

    Raises:
        InvalidInput: there is no such form, or no result yet.
    """
    known = FORMATS.get(form)
    if known is None or analysis.result is None:
        raise InvalidInput("There is no such file.", hint=f"Known are {', '.join(FORMATS)}.", reason="form")
    data = known.make(analysis, words_of(request), pages.translator(request, PACKAGE))
    name = f"resume-match-{analysis.created_at:%Y-%m-%d}.{form}"
    return Response(
        data, media_type=known.media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/history")
async def history(request: Request, here: Here, before: datetime | None = None) -> Response:
    """Every analysis, newest first."""
    async with matcher_of(request).sessions() as db:
        found = await analyses.history(db, here.user, before=before)
    more = found[-1].created_at.isoformat() if len(found) == analyses.PAGE_MAX else ""
    return show(request, here, "history", analyses=found, more=more)


async def _one(request: Request, here: Me, analysis_id: UUID) -> Analysis:
    async with matcher_of(request).sessions() as db:
        return await analyses.one(db, here.user, analysis_id)
