"""Who looks at a page: the principal in the signed session cookie, and the dependency that asks for a role."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse

from heller.web.principal import ROLE_SCOPES, Principal, Role
from heller.web.problems import Forbidden

KEY = "principal"
COOKIE = "heller_session"


class SignInNeeded(Exception):  # a fact, like the errors of the domain
    """Nobody is signed in; the answer is a redirect to the sign-in that comes back to ``next``."""

    def __init__(self, path: str) -> None:
        super().__init__("Sign in first.")
        self.next = path


def remember(request: Request, principal: Principal) -> None:
    """Sign somebody in. The old session goes, so that nobody can plant one."""
    request.session.clear()
    request.session[KEY] = {
        "subject": principal.subject,
        "role": principal.role.name,
        "user": principal.user,
        "name": principal.name,
        "email": principal.email,
        "via": principal.via,
    }


def forget(request: Request) -> None:
    """Sign out."""
    request.session.clear()


def principal_of(request: Request) -> Principal | None:
    """Who is signed in, if anybody."""
    raw: Any = request.session.get(KEY)
    if raw is None:
        return None
    role = Role[raw["role"]]
    if raw["via"] == "development" and not request.app.state.settings.development_sign_in:
        return None
    return Principal(
        subject=raw["subject"],
        role=role,
        scopes=ROLE_SCOPES[role],
        user=raw["user"],
        name=raw["name"],
        email=raw["email"],
        via=raw["via"],
    )


def page_principal(least: Role) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: who looks, at least of that role. Nobody is sent to sign in, the others get 403."""

    async def found(request: Request) -> Principal:
        principal = principal_of(request)
        if principal is None:
            raise SignInNeeded(_here(request))
        if principal.role < least:
            raise Forbidden(f"This page is for the role {least.name}.", hint="Ask an admin for it.")
        return principal

    return found


def _here(request: Request) -> str:
    if request.method != "GET":
        return "/"
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def to_sign_in(path: str) -> RedirectResponse:
    """The redirect of ``SignInNeeded``."""
    return RedirectResponse(f"/sign-in?next={quote(path, safe='')}", status_code=303)


def safe_next(path: str | None) -> str:
    """A path of this site to go on to; anything else becomes ``/``."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or "\\" in path:
        return "/"
    parts = urlsplit(path)
    return "/" if parts.scheme or parts.netloc or any(ord(c) < 32 for c in path) else path  # noqa: PLR2004  # control characters
