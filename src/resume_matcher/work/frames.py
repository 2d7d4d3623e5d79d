"""Messages over a pipe: four bytes of length, then msgpack."""

import asyncio
import struct
from typing import IO, Any

import msgspec

FRAME_BYTES_MAX = 64 * 1024 * 1024
_LENGTH = struct.Struct("!I")


def packed(message: Any) -> bytes:
    """A message as a frame."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def read(stream: IO[bytes]) -> bytes | None:
    """The body of the next frame, or None at the end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    body = stream.read(_LENGTH.unpack(head)[0])
    return body or None


async def read_async(stream: asyncio.StreamReader) -> Any:
    """The next message. Raises ``asyncio.IncompleteReadError`` at the end."""
    (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise asyncio.IncompleteReadError(b"", length)
    return msgspec.msgpack.decode(await stream.readexactly(length))
