"""Signing in and out. With an OIDC provider by the code flow; for development by one click, bound to this machine."""

import hashlib
import warnings
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode

import httpx
from authlib.common.errors import AuthlibBaseError
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import JoseError

from heller.database import call
from heller.errors import InvalidArgument
from heller.web import csrf, pages, session
from heller.web.auth import principal_of
from heller.web.oidc import TIMEOUT_SECONDS, ProviderUnavailable
from heller.web.principal import ROLE_SCOPES, Principal, Role
from heller.web.problems import HttpError, NotFound
from heller.web.settings import is_loopback
from heller.web.wiring import wiring_of

with warnings.catch_warnings(record=True):  # it would rather have httpx's successor, and tells every user so
    from authlib.integrations.starlette_client import OAuth

router = APIRouter(include_in_schema=False)

HOME = {Role.customer: "/portal"}
NEXT = "next"
PROVIDER = "provider"


class SignInFailed(HttpError):
    """The sign-in did not come to its end."""

    code: ClassVar[str] = "sign_in_failed"
    status: ClassVar[int] = 400


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
    if is_customer and not (user.strip() and user.isprintable()):
        raise InvalidArgument(
            "This cannot be a user's id.", hint="Write it in letters, such as ann.", argument="user"
        )
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


def _provider(request: Request) -> Any:
    """The provider's side of the code flow, with PKCE; its metadata are fetched at the first use and kept."""
    settings = wiring_of(request).settings
    if not settings.oidc_client_id:
        raise NotFound("No OpenID provider is set up.")
    if not hasattr(request.app.state, PROVIDER):
        oauth = OAuth()
        oauth.register(
            PROVIDER,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value() or None,
            server_metadata_url=settings.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile email",
                "code_challenge_method": "S256",
                "timeout": TIMEOUT_SECONDS,
            },
        )
        setattr(request.app.state, PROVIDER, oauth.create_client(PROVIDER))
    return getattr(request.app.state, PROVIDER)


@router.get("/sign-in/oidc")
async def to_provider(request: Request, next: str = "/") -> Response:  # noqa: A002  # the word of the query
    """To the OpenID provider; it sends people back to ``/sign-in/callback``."""
    provider = _provider(request)
    request.session[NEXT] = session.safe_next(next)
    address = wiring_of(request).settings.address
    try:
        response: Response = await provider.authorize_redirect(request, f"{address}/sign-in/callback")
    except (httpx.HTTPError, AuthlibBaseError, KeyError, ValueError) as error:
        raise ProviderUnavailable(f"The sign-in provider does not answer: {error}") from error
    return response


@router.get("/sign-in/callback")
async def from_provider(request: Request) -> RedirectResponse:
    """Back from the provider: its code becomes verified claims, those a principal, that a session."""
    provider = _provider(request)
    goal = session.safe_next(request.session.get(NEXT))
    try:
        token = await provider.authorize_access_token(
            request, leeway=wiring_of(request).settings.oidc_leeway_seconds
        )
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"The sign-in provider does not answer: {error}") from error
    except (AuthlibBaseError, JoseError, ValueError) as error:
        raise SignInFailed(
            f"The sign-in failed: {error}", hint="Begin again from the sign-in page."
        ) from error
    if "userinfo" not in token:
        raise SignInFailed("The provider sent no identity.", hint="Its client must allow the scope openid.")
    wiring = wiring_of(request)
    principal = await principal_of(wiring.database, wiring.settings, token["userinfo"], via="session")
    session.remember(request, principal)
    return RedirectResponse(home_of(principal) if goal == "/" else goal, status_code=303)


@router.get("/sign-in/portal")
async def from_application(
    request: Request, secret: Annotated[str, Query(min_length=20, max_length=100)]
) -> RedirectResponse:
    """A link that an application made for one of its users: it works once."""
    async with wiring_of(request).database.connection() as connection:
        found = await call(
            connection, "use_portal_session", secret_hash=hashlib.sha256(secret.encode()).digest()
        )
    if found is None:
        raise SignInFailed("This link was used already, or its time is over.", hint="Ask for a new one.")
    user = found["user"]
    principal = Principal(
        subject=user, role=Role.customer, scopes=ROLE_SCOPES[Role.customer], user=user, name=user, via="link"
    )
    session.remember(request, principal)
    return RedirectResponse(found["path"], status_code=303)


@router.post("/sign-out", dependencies=[Depends(csrf.protect)])
async def sign_out(request: Request) -> RedirectResponse:
    """Forget who it was, here and at the provider."""
    principal = session.principal_of(request)
    session.forget(request)
    back = "/sign-in"
    if principal is not None and principal.via == "session":
        settings = wiring_of(request).settings
        end = (await _provider(request).load_server_metadata()).get("end_session_endpoint")
        if end:
            query = {
                "client_id": settings.oidc_client_id,
                "post_logout_redirect_uri": f"{settings.address}/sign-in",
            }
            back = f"{end}?{urlencode(query)}"
    return RedirectResponse(back, status_code=303)
