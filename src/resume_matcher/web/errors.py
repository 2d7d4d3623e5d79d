"""Errors over HTTP: heller's problems, with the application's own codes among them."""

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from heller.errors import HellerError, InsufficientCredits, InvalidArgument
from heller.web import pages, problems, session
from resume_matcher import errors
from resume_matcher.web.shared import PACKAGE

STATUS: dict[type[errors.MatcherError], int] = {
    errors.NotFound: 404,
    errors.UnreadableDocument: 422,
    errors.UnusableJob: 422,
    errors.InvalidInput: 422,
    errors.WorkFailed: 503,
}


def as_heller(error: errors.MatcherError) -> HellerError:
    """The same as a problem: its code, its status, its words."""
    status_of = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)

    class Ours(problems.HttpError):
        __doc__ = type(error).__doc__
        code = error.code
        status = status_of

    return Ours(error.message, hint=error.hint)


def of_validation(error: RequestValidationError) -> HellerError:
    """The first field that is wrong."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return InvalidArgument(f"{place}: {first['msg']}", argument=place)


def of_http(error: HTTPException) -> HellerError:
    """What Starlette raises by itself."""
    kinds: dict[int, type[problems.HttpError]] = {
        404: problems.NotFound,
        405: problems.MethodNotAllowed,
        413: problems.TooLarge,
    }
    return kinds.get(error.status_code, problems.HttpError)(str(error.detail))


def answer(request: Request, error: HellerError) -> Response:
    """A page for people, a problem for programs."""
    request_id = request.state.request_id
    if request.url.path.startswith("/matcher/v1/") or "text/html" not in request.headers.get("accept", ""):
        top_up = (
            f"{request.app.state.settings.address}/portal/buy"
            if isinstance(error, InsufficientCredits)
            else None
        )
        return problems.answer(error, request_id=request_id, top_up=top_up)
    return pages.render(
        request,
        "problem.html",
        principal=session.principal_of(request),
        status=problems.status_of(error),
        package=PACKAGE,
        problem=problems.problem(error, request_id=request_id),
    )
