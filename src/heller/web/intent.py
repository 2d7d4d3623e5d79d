"""What a request asks for, as a digest: two requests under one Idempotency-Key are one only if they ask for the same.

The draft of the header's standard (draft-ietf-httpapi-idempotency-key-header, "Idempotency Fingerprint") leaves to the server what it is made of.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

BODY_BYTES_MAX = 1_048_576  # a longer one, or one of unknown length, may be a stream
BLOCK_BYTES = 65_536
DIGEST_CHARACTERS = 32
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


async def digest_of(request: Request) -> str:
    """The digest of method, path, query and body. A form counts by its fields, for each sending draws a boundary of its own.

    A long body that nobody has read yet counts by its length, for it may be a stream.
    """
    if not is_parsed(request) and _is_short(request):
        await request.body()  # is kept, so that the route can read it again, as whatever it takes it for
    if _is_form(request):
        return await _digest_of_form(request)
    return _digest([*_head(request), await request.body() if _is_read(request) else _length(request)])


async def digest_ahead(scope: Scope, receive: Receive) -> tuple[str, Receive]:
    """As ``digest_of``, before an application has the request; and what it is to read then, in place of ``receive``.

    Raises:
        ClientDisconnect: nobody waits for an answer any more.
    """
    request = Request(scope, receive)
    if not _is_short(request):
        return _digest([*_head(request), _length(request)]), receive
    body = await request.body()
    looked_at = Request(scope, _replayed(body, receive))
    try:
        return await digest_of(looked_at), _replayed(body, receive)
    except MultiPartException:  # the application refuses it
        return _digest([*_head(request), body]), _replayed(body, receive)
    finally:
        await looked_at.close()


def is_parsed(request: Request) -> bool:
    """Whether somebody, such as FastAPI, has read the request as a form, and closes its files when it is time."""
    return request._form is not None  # noqa: SLF001 - there is no other way to know


def _is_read(request: Request) -> bool:
    return hasattr(request, "_body")


def _is_short(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= BODY_BYTES_MAX


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in FORMS


def _length(request: Request) -> bytes:
    return request.headers.get("content-length", "").encode()


def _head(request: Request) -> list[bytes]:
    return [request.method.encode(), request.url.path.encode(), request.url.query.encode()]


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read, then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


async def _digest_of_form(request: Request) -> str:
    parts = _head(request)
    for name, value in (await request.form()).multi_items():
        parts += [
            name.encode(),
            await _content(value) if isinstance(value, UploadFile) else value.encode(),
        ]
    return _digest(parts)


async def _content(file: UploadFile) -> bytes:
    """The digest of a file that was sent, which is left as it was found."""
    digest = sha256((file.filename or "").encode())
    await file.seek(0)
    while block := await file.read(BLOCK_BYTES):
        digest.update(block)
    await file.seek(0)
    return digest.digest()


def _digest(parts: list[bytes]) -> str:
    """Of each part's length and bytes, so that no two lists are alike."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:DIGEST_CHARACTERS]
