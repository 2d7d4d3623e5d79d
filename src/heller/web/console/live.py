"""Parts of pages that follow what happens, by server-sent events. Without JavaScript the page is as it was loaded."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from heller.errors import DatabaseError
from heller.web import pages
from heller.web.problems import TooManyRequests

LOOK_SECONDS = 2.0
LOOK_COST_MAX = 0.1  # looking may take a tenth of the time, so that a slow database is looked at less often
STREAM_SECONDS_MAX = (
    600  # then the browser connects again, and whoever was signed out meanwhile is not let in
)
STREAMS_MAX = 100
PING_SECONDS = 15

_open = 0


def part(request: Request, template: str, context: dict[str, Any]) -> str:
    """A part of a page, in the reader's language."""
    language = pages.language(request)
    return pages.environment(language).get_template(f"console/{template}").render(context, lang=language)


def follow(
    request: Request, template: str, read: Callable[[], Awaitable[dict[str, Any]]]
) -> EventSourceResponse:
    """The stream of a part: a whole new one whenever it would look different.

    Raises:
        TooManyRequests: very many are open already; the browser comes again by itself.
    """
    if _open >= STREAMS_MAX:
        raise TooManyRequests("Too many pages are followed live.", hint="Close some; the page still loads.")
    return EventSourceResponse(_events(request, template, read), ping=PING_SECONDS)


async def _events(
    request: Request, template: str, read: Callable[[], Awaitable[dict[str, Any]]]
) -> AsyncIterator[ServerSentEvent]:
    global _open  # noqa: PLW0603  # how many streams this process has open
    _open += 1
    until, last = time.monotonic() + STREAM_SECONDS_MAX, ""
    try:
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                html = part(request, template, await read())
            except DatabaseError:  # it comes back; the page keeps what it shows
                html = last
            if html != last:
                last = html
                yield ServerSentEvent(html, event="part")
            await asyncio.sleep(max(LOOK_SECONDS, (time.monotonic() - began) / LOOK_COST_MAX))
    finally:
        _open -= 1
