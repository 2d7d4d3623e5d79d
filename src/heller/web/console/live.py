"""Parts of pages that follow what happens, by server-sent events. Without JavaScript the page is as it was loaded."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
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

Read = Callable[[], Awaitable[dict[str, Any]]]

_TIME = re.compile(r"(<time [^>]*>)[^<]*")
_open = 0


def follow(request: Request, parts: Mapping[str, str], read: Read) -> EventSourceResponse:
    """The stream of some parts (name and template): a whole new one whenever it says something else.

    Raises:
        TooManyRequests: very many are open already; the browser comes again by itself.
    """
    if _open >= STREAMS_MAX:
        raise TooManyRequests("Too many pages are followed live.", hint="Close some; the page still loads.")
    return EventSourceResponse(_events(request, parts, read), ping=PING_SECONDS)


async def _events(request: Request, parts: Mapping[str, str], read: Read) -> AsyncIterator[ServerSentEvent]:
    global _open  # noqa: PLW0603  # how many streams this process has open
    _open += 1
    language = pages.language(request)
    until, last = time.monotonic() + STREAM_SECONDS_MAX, dict.fromkeys(parts, "")
    try:
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                context = await read()
            except DatabaseError:  # it comes back; the page keeps what it shows
                context = {}
            for name, template in parts.items() if context else ():
                html = (
                    pages.environment(language)
                    .get_template(f"console/{template}")
                    .render(context, lang=language)
                )
                said = _TIME.sub(r"\1", html)  # browsers count relative times by themselves
                if said != last[name]:
                    last[name] = said
                    yield ServerSentEvent(html, event=name)
            await asyncio.sleep(max(LOOK_SECONDS, (time.monotonic() - began) / LOOK_COST_MAX))
    finally:
        _open -= 1
