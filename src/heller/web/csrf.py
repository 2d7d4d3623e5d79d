"""Forms and htmx requests carry a token of the session, so that no other site can send them."""

import secrets

from starlette.requests import Request

from heller.web.problems import Forbidden

KEY = "csrf"
FIELD = "csrf"
HEADER = "x-csrf-token"


def token(request: Request) -> str:
    """The token of this session, made at the first use."""
    found: str | None = request.session.get(KEY)
    if found is None:
        found = request.session[KEY] = secrets.token_urlsafe(24)
    return found


async def protect(request: Request) -> None:
    """A dependency for every POST of a page: the header ``X-CSRF-Token`` or the field ``csrf`` is the session's token.

    Raises:
        Forbidden: it is not.
    """
    expected = request.session.get(KEY)
    given = request.headers.get(HEADER)
    if given is None:
        field = (await request.form()).get(FIELD)
        given = field if isinstance(field, str) else ""
    if not expected or not secrets.compare_digest(expected.encode(), given.encode()):
        raise Forbidden("The form has expired.", hint="Load the page again and send it once more.")
