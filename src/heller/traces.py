"""Traces for OpenTelemetry, where somebody collects them: requests, jobs, payments, and the calls of the database within.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT or HELLER_TRACES=console is set; then nothing of OpenTelemetry is imported and
nothing is done. A span has names, ids and numbers: no arguments, no statement's text, no personal data. The request id
is the one in the logs.
"""

import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import psycopg
import structlog

from heller.errors import SettingsError
from heller.settings import settings

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
MISSING = "Install it: pip install 'heller[traces]'."
SERVER_ERROR = 500
_FUNCTION = re.compile(r'"?heller"?\."?([a-z_0-9]+)"?')
_OFF: AbstractContextManager[Any] = nullcontext()

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

log = structlog.get_logger("heller.traces")

_tracer: Any = None


@contextmanager
def tracing(service: str) -> Iterator[bool]:
    """Make spans while the block lasts, if the environment asks for it; whether it does. What is left is sent at the end.

    Raises:
        SettingsError: HELLER_TRACES=console without the extra ``traces``.
    """
    global _tracer  # noqa: PLW0603 - one process, one tracer: a span needs no handle passed through every call
    exporter = _exporter()
    if exporter is None:
        yield False
        return
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only when somebody collects
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over this name
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    before, _tracer = _tracer, provider.get_tracer("heller")
    try:
        yield True
    finally:
        _tracer = before
        provider.shutdown()


def wanted() -> bool:
    """Whether the environment asks for traces."""
    where = settings().traces
    return where == "console" or (where == "auto" and any(os.environ.get(name) for name in ENDPOINTS))


def _exporter() -> Any:
    if not wanted():
        return None
    where = settings().traces
    try:
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - only when asked for

        if where == "console":
            return ConsoleSpanExporter(
                out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n"
            )
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
    except ImportError:
        if where == "console":
            raise SettingsError(
                "HELLER_TRACES needs OpenTelemetry, which is not installed.", hint=MISSING
            ) from None
        log.warning(
            "no traces: OpenTelemetry is not installed", hint=MISSING
        )  # a platform may set it for everybody
        return None
    return OTLPSpanExporter()


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """A span around a block; an error that leaves it marks it. Nothing when traces are off."""
    if _tracer is None:
        return _OFF
    return _span(name, attributes)


@contextmanager
def _span(name: str, attributes: dict[str, Any], **options: Any) -> Iterator[Any]:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - only when on

    given = {f"heller.{key}": value for key, value in attributes.items() if value is not None}
    with _tracer.start_as_current_span(
        name, attributes=given, record_exception=False, set_status_on_exception=False, **options
    ) as current:
        try:
            yield current
        except Exception as error:  # its kind alone: a message may say whose e-mail it is about
            current.set_status(StatusCode.ERROR)
            current.set_attribute("error.type", type(error).__name__)
            raise


class TracedRequests:
    """ASGI: a span for each request, as a child of the caller's where it says so (``traceparent``)."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if _tracer is None or scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from opentelemetry.propagate import extract  # noqa: PLC0415 - only when on
        from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415 - as above

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"]
        with _span(method, {}, kind=SpanKind.SERVER, context=extract(headers)) as current:

            async def sending(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    current.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= SERVER_ERROR:
                        current.set_status(StatusCode.ERROR)
                await send(message)

            current.set_attribute("http.request.method", method)
            try:
                await self.app(scope, receive, sending)
            finally:
                current.set_attribute("heller.request_id", scope.get("state", {}).get("request_id", ""))
                if route := route_of(scope):
                    current.update_name(f"{method} {route}")
                    current.set_attribute("http.route", route)


def route_of(scope: Scope) -> str | None:
    """The path with names in place of what they stand for, such as /v1/accounts/{account}/spend; None for no route."""
    if "endpoint" not in scope:
        return None
    names = {str(value): name for name, value in scope.get("path_params", {}).items()}
    path: str = scope["path"]
    for value in sorted(names, key=len, reverse=True):
        path = (
            re.sub(rf"(?<=/){re.escape(value)}(?=/|$)", f"{{{names[value]}}}", path, count=1)
            if value
            else path
        )
    return path


class TracedCursor(psycopg.AsyncCursor[Any]):
    """A span for each statement within another span: the function that is called, or the first word."""

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """As psycopg's."""
        from opentelemetry.trace import SpanKind, get_current_span  # noqa: PLC0415 - only when on

        # an empty statement is the pool's look whether a connection lives; without a span around it, it is a poll
        if _tracer is None or not query or not get_current_span().is_recording():
            return await super().execute(query, params, **options)
        text = query.as_string(None) if hasattr(query, "as_string") else str(query)
        found = _FUNCTION.search(text)
        what = f"heller.{found[1]}" if found else text.split(None, 1)[0].lower()
        with _span(what, {}, kind=SpanKind.CLIENT) as current:
            current.set_attribute("db.system.name", "postgresql")
            current.set_attribute("db.operation.name", what)
            return await super().execute(query, params, **options)


def cursor_factory() -> type[psycopg.AsyncCursor[Any]] | None:
    """For new connections: cursors that make spans while traces are on, else None for psycopg's own."""
    return None if _tracer is None else TracedCursor
