"""What a request asks for, as a digest: two requests under one Idempotency-Key are one only if they ask for the same.

The draft of the header's standard (draft-ietf-httpapi-idempotency-key-header, "Idempotency Fingerprint") leaves to the server what it is made of.
"""

from hashlib import sha256

from starlette.datastructures import UploadFile
from starlette.requests import Request

BODY_BYTES_MAX = 1_048_576  # a longer one, or one of unknown length, counts by its length: it may be a stream
BLOCK_BYTES = 65_536
DIGEST_CHARACTERS = 32
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def head_of(method: str, path: str, query: bytes) -> str:
    """The digest of a request whose body is not looked at."""
    return _digest([method.encode(), path.encode(), query])


async def digest_of(request: Request) -> str:
    """The digest of method, path, query and body. A form counts by its fields, for each sending draws a boundary of its own."""
    parts = [request.method.encode(), request.url.path.encode(), request.url.query.encode()]
    if request.headers.get("content-type", "").startswith(FORMS):
        for name, value in (await request.form()).multi_items():
            parts += [
                name.encode(),
                await _content(value) if isinstance(value, UploadFile) else value.encode(),
            ]
    else:
        length = request.headers.get("content-length", "")
        is_short = length.isdecimal() and int(length) <= BODY_BYTES_MAX
        parts.append(await request.body() if is_short else length.encode())
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
