"""The webhook as an ASGI application of its own, to be mounted anywhere (``/v1/webhooks/stripe``)."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

import structlog

from heller.stripe.ingest import BODY_BYTES_MAX, IngestResult

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
log = structlog.get_logger("heller.stripe")


class Receiver(Protocol):
    """What takes deliveries: an ``Ingest``, or a gateway around one."""

    async def ingest(self, body: bytes, headers: Mapping[str, str]) -> IngestResult:
        """Take one delivery."""

    def refuse_too_large(self) -> IngestResult:
        """The answer to a body that was not even read."""


class WebhookApp:
    """POST takes a delivery; anything else is 405. Never a redirect, never 200 on an error."""

    def __init__(self, ingest: Receiver) -> None:
        self._ingest = ingest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _answer(send, IngestResult(405, "method", "Only POST."))
            return
        try:
            result = await self._take(scope, receive)
        except Exception:  # a defect of ours must not look like success, nor leave the sender waiting
            log.exception("a delivery could not be taken")
            result = IngestResult(500, "defect", "The event was not stored; send it again.")
        if result is not None:
            await _answer(send, result)

    async def _take(self, scope: Scope, receive: Receive) -> IngestResult | None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > BODY_BYTES_MAX:
            return self._ingest.refuse_too_large()
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > BODY_BYTES_MAX:
                return self._ingest.refuse_too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return await self._ingest.ingest(b"".join(chunks), headers)


async def _answer(send: Send, result: IngestResult) -> None:
    body = json.dumps({"outcome": result.outcome, "message": result.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": result.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
