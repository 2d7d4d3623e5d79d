"""Forms and htmx requests carry a token of the session, so that no other site can send them."""

import base64
import binascii
import secrets

from starlette.requests import Request

from heller.web.problems import Forbidden

KEY = "csrf"
FIELD = "csrf"
HEADER = "x-csrf-token"
BYTES = 24


def token(request: Request) -> str:
    """A token of this session. Each is masked anew: the size of a compressed page says nothing about it (BREACH)."""
    secret = _secret(request)
    if secret is None:
        secret = secrets.token_bytes(BYTES)
        request.session[KEY] = base64.urlsafe_b64encode(secret).decode()
    mask = secrets.token_bytes(BYTES)
    return base64.urlsafe_b64encode(mask + _xor(mask, secret)).decode()


async def protect(request: Request) -> None:
    """A dependency for every POST of a page: the header ``X-CSRF-Token`` or the field ``csrf`` is a token of the session.

    Raises:
        Forbidden: it is not.
    """
    given = request.headers.get(HEADER)
    if given is None:
        field = (await request.form()).get(FIELD)
        given = field if isinstance(field, str) else ""
    secret, masked = _secret(request), _decoded(given)
    is_ours = len(masked) == 2 * BYTES and secret is not None
    if not is_ours or not secrets.compare_digest(_xor(masked[:BYTES], masked[BYTES:]), secret or b""):
        raise Forbidden("The form has expired.", hint="Load the page again and send it once more.")


def _secret(request: Request) -> bytes | None:
    kept: str | None = request.session.get(KEY)
    return None if kept is None else _decoded(kept)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return b""


def _xor(mask: bytes, value: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(mask, value, strict=True))
