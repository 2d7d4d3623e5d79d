"""The worker in operation: its health and figures, its leases, its alarms, and what it does where nobody can wake it."""

import asyncio
import contextlib
import http.server
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from handover_world import build_legacy, fenced
from heller import Heller, metrics, worker
from heller.database import Database, call, call_many
from heller.pooler import notifications_arrive

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
START_SECONDS_MAX = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def running_worker(url: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("STRIPE", "LEGACY"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heller.cli.main", "worker", "--database", url, *arguments,
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS_MAX)
        assert b"worker started" in line, line
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while not await condition():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)


async def test_health_readiness_and_figures_on_a_port(heller_database: str) -> None:
    port = free_port()
    async with (
        running_worker(heller_database, "--health-port", str(port)) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        health = (await client.get("/health")).json()
        assert (health["status"], health["wakes_by"]) == ("ok", "notify")
        assert (await client.get("/ready")).json() == {"status": "ok"}

        async def has_run() -> bool:
            return (
                'heller_job_last_success_timestamp_seconds{job_name="due"}'
                in (await client.get("/metrics")).text
            )

        await eventually(has_run)
        families = {f.name: f for f in text_string_to_metric_families((await client.get("/metrics")).text)}
        assert families["heller_up"].samples[0].value == 1
        assert families["heller_trial_balance_difference_credits"].samples[0].value == 0
        assert {s.labels["status"] for s in families["heller_inbox_events"].samples} >= {"parked", "dead"}
        assert set(metrics.FIGURES) <= families.keys()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_figures_of_a_database_that_is_away_say_so(heller_database: str) -> None:
    database = await Database.open(heller_database, pool_max=1)
    await database.close()
    assert b"heller_up 0.0" in await metrics.exposition(database)


async def test_told_to_end_a_worker_finishes_what_is_under_way(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)
    await connection.execute(
        "create or replace function heller.run_due(p_after text default '', p_limit integer default 200) returns text"
        " language sql as $$ select nullif(pg_sleep(2)::text, '') $$"
    )

    async def jobs() -> dict[str, dict[str, object]]:
        return {job["job"]: job for job in await call_many(connection, "jobs_list")}

    async def is_running() -> bool:
        return (await jobs()).get("due", {}).get("is_running") is True

    async with running_worker(heller_database) as process:
        await eventually(is_running)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    done = (await jobs())["due"]
    assert (done["lease_until"], done["error"], done["answer"]) == (None, None, {"value": 0})


async def test_job_of_a_killed_worker_is_taken_over_when_its_lease_ends(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)
    await connection.execute(
        "create or replace function heller.run_due(p_after text default '', p_limit integer default 200) returns text language sql"
        " as $$ select pg_sleep(600)::text $$"
    )

    async def state() -> list[tuple[str, bool]]:
        return [
            (j["job"], j["is_running"]) for j in await call_many(connection, "jobs_list") if j["job"] == "due"
        ]

    async def is_running() -> bool:
        return await state() == [("due", True)]

    async with running_worker(heller_database) as process:
        await eventually(is_running)
        process.kill()
        await process.wait()
    await connection.execute(
        "create or replace function heller.run_due(p_after text default '', p_limit integer default 200) returns text language sql as 'select null'"
    )
    assert (await worker.once(heller_database))["due"] is None, "still leased"
    await connection.execute("update heller.jobs set lease_until = clock_timestamp()")
    assert (await worker.once(heller_database))["due"] == 0


@asynccontextmanager
async def deaf(url: str) -> AsyncIterator[str]:
    """The same database through a relay that keeps notifications back, as PgBouncer does in transaction mode."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    folder, port = query["host"][0], query.get("port", ["5432"])[0]

    relays: list[asyncio.Task[None]] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relays.append(asyncio.current_task())  # type: ignore[arg-type]  # there is one
        theirs, ours = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")

        async def up() -> None:
            while data := await reader.read(65536):
                ours.write(data)

        sending = asyncio.create_task(up())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await theirs.readexactly(5)
                body = await theirs.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                if head[:1] != b"A":  # NotificationResponse
                    writer.write(head + body)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        for end in (writer, ours):
            end.close()
            with contextlib.suppress(ConnectionError):
                await end.wait_closed()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        place = server.sockets[0].getsockname()[1]
        user = parts.netloc.rpartition("@")[0]
        yield f"postgresql://{user}@127.0.0.1:{place}{parts.path}?sslmode=disable&gssencmode=disable"
        await asyncio.wait_for(asyncio.gather(*relays), START_SECONDS_MAX)


async def test_worker_knows_whether_it_can_be_woken(heller_database: str) -> None:
    assert await notifications_arrive(heller_database) is True
    if "host=" not in heller_database:
        pytest.skip("the relay needs the embedded server's socket")
    async with deaf(heller_database) as relayed:
        assert await notifications_arrive(relayed) is False


class Receiver(http.server.BaseHTTPRequestHandler):
    told: list[dict[str, str]]

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, str]]]]:
    kind = type("Its", (Receiver,), {"told": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_address[1]}", kind.told
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.one_server("a migration is done before a ledger is spread")
async def test_broken_invariant_is_told_once_without_any_rollout(
    empty_database: str,
    heller_database: str,
    connect: Connect,
    receiver: tuple[str, list[dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, told = receiver
    await build_legacy(empty_database, users=3)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1", "2"])
    connection = await connect(heller_database)
    monkeypatch.setenv("HELLER_ALERT_URLS", url)
    monkeypatch.setenv("LEGACY_DATABASE_URL", empty_database)

    async def look() -> dict[str, object]:
        found: dict[str, object] = (await worker.once(heller_database))["invariants"]
        return found

    async with Heller.connect(heller_database) as heller:
        bought = await heller.grant("1", 50, source="purchase", payment="pi_9")
        voided = await heller.void("1", bought.grant or 0)
        await heller.reverse("1", voided.seq or 0)
    assert (await look())["ok"] is True, "a purchase that was voided and reversed is still one purchase"
    await connection.execute("update heller.accounts set posted = posted + 1 where account_id = '1'")
    assert [(await look())["ok"], (await look())["ok"]] == [False, False]
    assert len(told) == 1
    assert "1" in told[0]["message"]
    (shown,) = await call_many(connection, "evidence_of", kind="alert")
    assert (shown["ok"], "broken invariants" in shown["detail"]["title"]) == (True, True)
    figures = {
        family.name: family.samples for family in metrics.families_of(await call(connection, "metrics"))
    }
    assert [sample.value for sample in figures["heller_rollout_invariants_ok"]] == [0], (
        "the alert has a figure"
    )
    assert {s.labels["home"]: s.value for s in figures["heller_homes"]} == {
        "heller": 2,
        "legacy": 1,
        "moving": 0,
    }
