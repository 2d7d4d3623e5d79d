"""Signing in and out. With an OIDC provider by the code flow; for development by one click, bound to this machine."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from heller.web import csrf, pages, session
from heller.web.principal import ROLE_SCOPES, Principal, Role
from heller.web.problems import NotFound
from heller.web.settings import is_loopback
from heller.web.wiring import wiring_of

router = APIRouter(include_in_schema=False)

HOME = {Role.customer: "/portal"}


def home_of(principal: Principal) -> str:
    """Where a role begins."""
    return HOME.get(principal.role, "/console")


@router.get("/")
async def root(request: Request) -> RedirectResponse:
    """To the portal or the console."""
    principal = session.principal_of(request)
    return RedirectResponse("/sign-in" if principal is None else home_of(principal), status_code=303)


@router.get("/sign-in")
async def sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002  # the word of the query
    """How to sign in."""
    principal = session.principal_of(request)
    if principal is not None:
        return RedirectResponse(session.safe_next(next), status_code=303)
    settings = wiring_of(request).settings
    return pages.render(
        request,
        "sign_in/index.html",
        principal=None,
        next=session.safe_next(next),
        has_provider=bool(settings.oidc_client_id),
        is_development=settings.development_sign_in,
    )


@router.post("/sign-in/development", dependencies=[Depends(csrf.protect)])
async def sign_in_for_development(
    request: Request,
    role: Annotated[Literal["customer", "support", "operator", "admin"], Form()],
    user: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002  # the word of the form
) -> RedirectResponse:
    """Be anybody: only where nobody but this machine can ask."""
    settings = wiring_of(request).settings
    client = request.client.host if request.client else ""
    if not (settings.development_sign_in and is_loopback(client) and is_loopback(request.url.hostname or "")):
        raise NotFound("There is no such page.")
    is_customer = role == Role.customer.name
    subject = user if is_customer else f"development-{role}"
    principal = Principal(
        subject=subject,
        role=Role[role],
        scopes=ROLE_SCOPES[Role[role]],
        user=user if is_customer else None,
        name=subject,
        via="development",
    )
    session.remember(request, principal)
    goal = session.safe_next(next)
    return RedirectResponse(home_of(principal) if goal == "/" else goal, status_code=303)


@router.post("/sign-out", dependencies=[Depends(csrf.protect)])
async def sign_out(request: Request) -> RedirectResponse:
    """Forget who it was."""
    session.forget(request)
    return RedirectResponse("/sign-in", status_code=303)
