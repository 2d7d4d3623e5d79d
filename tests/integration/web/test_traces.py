"""Traces reach a collector, in the order of who called whom, with ids and nothing else; without one nothing is loaded."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from heller import settings as settings_module
from heller import traces, worker

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OFF = (
    "import sys, heller.web.app, heller.worker, heller.traces as t\n"
    "with t.tracing('x') as on: assert not on\n"
    "assert t.cursor_factory() is None\n"
    "assert not [m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))]"
)


@dataclass
class Collector:
    """What was sent over OTLP/HTTP: spans by service."""

    url: str
    services: dict[str, list[Span]] = field(default_factory=dict)

    @property
    def spans(self) -> list[Span]:
        return [span for spans in self.services.values() for span in spans]

    def named(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = attributes(group.resource)["service.name"]
                into = collected.services.setdefault(service, [])
                into += [span for scope in group.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collected = Collector(f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
    yield collected
    server.shutdown()
    server.server_close()


def attributes(of: object) -> dict[str, object]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in of.attributes}


async def test_a_request_its_database_calls_and_who_called_it(serve, heller_database, collector) -> None:
    async with serve(heller_database) as web:
        await web.open("anna@example.org", 100)
        answer = await web.api.post(
            "/v1/accounts/anna@example.org/grants", json={"amount": 7, "reason": "for anna@example.org"},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "idempotency-key": "k-anna@example.org"},
        )  # fmt: skip
        assert answer.is_success
        assert (await web.api.get("/v1/accounts/anna@example.org")).is_success
        assert (await web.api.get("/v1/nothing/anna@example.org")).status_code == 404
    request = collector.named("POST /v1/accounts/{account}/grants")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    seen = attributes(request)
    assert seen["http.response.status_code"] == answer.status_code
    assert seen["heller.request_id"] == answer.headers["x-request-id"]
    calls = [span for span in collector.spans if span.parent_span_id == request.span_id]
    assert "heller.apply" in {span.name for span in calls}
    assert collector.named("GET /v1/accounts/{account}")
    assert collector.named("GET")  # no route, so no path
    assert set(collector.services) == {"heller-serve"}
    assert "anna" not in str(collector.spans)


async def test_a_job_of_the_worker_and_one_that_fails(heller_database, collector, monkeypatch) -> None:
    async def fails(self: worker.Worker, _previous: object) -> None:
        raise worker.HellerError("anna@example.org is unwell")

    monkeypatch.setattr(worker.Worker, "tell", fails)
    done = await worker.once(heller_database)
    assert done["alerts"].startswith("failed")
    due = collector.named("job due")
    assert [span.name for span in collector.spans if span.parent_span_id == due.span_id] == ["heller.run_due"]
    failed = collector.named("job alerts")
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert attributes(failed)["error.type"] == "HellerError"
    assert set(collector.services) == {"heller-worker"}
    assert "anna" not in str(collector.spans)


def test_without_a_collector_nothing_is_loaded() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "HELLER"))}
    done = subprocess.run([sys.executable, "-c", OFF], env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_console_without_the_package_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setenv("HELLER_TRACES", "console")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    settings_module.settings.cache_clear()
    try:
        with (
            pytest.raises(traces.SettingsError, match="not installed") as caught,
            traces.tracing("heller-serve"),
        ):
            pass
        assert "heller[traces]" in caught.value.hint
    finally:
        monkeypatch.delenv("HELLER_TRACES")
        settings_module.settings.cache_clear()


@pytest.mark.parametrize(
    ("path", "params", "route"),
    [
        ("/v1/accounts/spend/spend", {"account": "spend"}, "/v1/accounts/{account}/spend"),
        ("/v1/accounts/a.b/holds/7", {"account": "a.b", "hold": 7}, "/v1/accounts/{account}/holds/{hold}"),
        ("/health", {}, "/health"),
    ],
)
def test_a_route_has_names_in_place_of_values(path: str, params: dict, route: str) -> None:
    assert traces.route_of({"path": path, "path_params": params, "endpoint": None}) == route
    assert traces.route_of({"path": path}) is None
