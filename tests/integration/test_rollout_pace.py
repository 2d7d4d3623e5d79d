"""A rollout that waits while the legacy application queues for locks, and the alert that is tried before the day."""

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from types import SimpleNamespace

import psycopg
import pytest

from handover_world import build_legacy, fenced
from heller.cli import root
from heller.migration.handover import runs

# Apprise imports imghdr when it loads its receivers for the first time.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


async def _queue(
    stack: AsyncExitStack, url: str, wait: int
) -> tuple[psycopg.AsyncConnection, list[asyncio.Task]]:
    """Somebody who holds a row of user 1, and ``wait`` sessions of the application that want it."""
    holder = await stack.enter_async_context(await psycopg.AsyncConnection.connect(url))
    await holder.execute("update users set name = 'held' where id = 1")
    tasks = []
    for _ in range(wait):
        session = await stack.enter_async_context(await psycopg.AsyncConnection.connect(url, autocommit=True))
        tasks.append(asyncio.create_task(session.execute("update users set name = 'wanted' where id = 1")))
    waiting = 0
    while waiting < wait:
        async with await psycopg.AsyncConnection.connect(url) as watcher:
            row = await (await watcher.execute(runs._WAITING)).fetchone()
            waiting = row[0] if row else 0
    return holder, tasks


async def test_a_move_waits_until_the_legacy_application_queues_no_more(
    empty_database, heller_database, monkeypatch
):
    await build_legacy(empty_database, users=3)
    async with fenced(empty_database, heller_database) as sides, AsyncExitStack() as stack:
        holder, waiters = await _queue(stack, empty_database, runs.WAITING_SESSIONS_MAX)
        pauses = []

        async def pause(seconds: float) -> None:
            assert await sides.legacy.epochs(["2"]) == {"2": 0}, "moved while the application was waiting"
            pauses.append(seconds)
            if len(pauses) == 3:
                await holder.commit()
                await asyncio.gather(*waiters)

        monkeypatch.setattr(runs, "asyncio", SimpleNamespace(sleep=pause))
        (outcome,) = await runs.paced(sides.coordinator().hand_over, sides)(["2"])
        assert (outcome.outcome, pauses) == ("moved", [runs.LOAD_PAUSE_SECONDS] * 3)

        holder, waiters = await _queue(stack, empty_database, runs.WAITING_SESSIONS_MAX - 1)
        pauses.clear()
        (outcome,) = await runs.paced(sides.coordinator().hand_over, sides)(["3"])
        assert (outcome.outcome, pauses) == ("moved", [])  # a few that wait are everyday life
        await holder.commit()
        await asyncio.gather(*waiters)


async def test_a_queue_that_does_not_end_does_not_stop_a_rollout(
    empty_database, heller_database, monkeypatch
):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides, AsyncExitStack() as stack:
        holder, waiters = await _queue(stack, empty_database, runs.WAITING_SESSIONS_MAX)
        pauses = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)

        monkeypatch.setattr(runs, "asyncio", SimpleNamespace(sleep=pause))
        (outcome,) = await runs.paced(sides.coordinator().hand_over, sides)(["2"])
        assert (outcome.outcome, len(pauses)) == ("moved", runs.LOAD_PAUSES_MAX)
        await holder.commit()
        await asyncio.gather(*waiters)


@contextmanager
def _receiver(status: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Somebody who takes alerts, or answers that he does not."""
    told: list[dict[str, str]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"json://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()


Alert = Callable[..., int]


@pytest.fixture
def alert(monkeypatch: pytest.MonkeyPatch) -> Alert:
    """``heller rollout alert`` in this process; its exit code."""

    def call(url: str, *words: str, database: str) -> int:
        for name, value in {"HELLER_ALERT_URLS": url, "DATABASE_URL": database, "USER": "ann"}.items():
            monkeypatch.setenv(name, value)
        return root.call(["rollout", "alert", *words])

    return call


def _evidence(database: str) -> list[tuple[str, bool]]:
    with psycopg.connect(database) as connection:
        return connection.execute("select kind, ok from heller.evidence order by 1, 2").fetchall()


def test_a_test_alert_is_sent_and_written_down(alert: Alert, heller_database: str) -> None:
    with _receiver(200) as (url, told):
        assert (alert(url, "--test", database=heller_database), len(told)) == (0, 1)
        assert (told[0]["title"], "sent by ann" in told[0]["message"]) == ("heller: a test", True)
        assert _evidence(heller_database) == [("alert", True)]


def test_a_test_alert_that_nobody_takes_fails(
    alert: Alert, heller_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with _receiver(500) as (url, told):
        assert alert(url, "--test", database=heller_database) == 1
    assert len(told) > 0
    assert "Not every receiver took the alert" in capsys.readouterr().err
    assert _evidence(heller_database) == [("alert", False)]
