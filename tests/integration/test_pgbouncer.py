"""Behind a real PgBouncer in transaction mode: what works, works and leaves nothing behind; what cannot, says so."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from heller import Heller, backup, embedded, schema, verify, worker
from heller import pooler as pooler_module
from heller.database import connect
from heller.errors import DatabaseUnavailable, SettingsError
from heller.migration.handover.runs import open_sides
from heller.migration.staging import open_workspace
from heller.pooler import is_between, notifications_arrive, require_session
from pooler import Pooler, free_port, running

pytestmark = pytest.mark.skipif(
    shutil.which("pgbouncer") is None, reason="PgBouncer is not on this machine: make test-tools"
)
START_SECONDS_MAX = 60
SPENDS = 60
HELLER = [sys.executable, "-m", "heller.cli.main"]


@pytest.fixture(scope="module")
def pooler() -> Iterator[Pooler]:
    folder = Path(tempfile.mkdtemp(prefix="heller-pooled-"))
    port = free_port()
    server = embedded.start(folder, port=port, temporary=True, options={"fsync": "off"})
    user = urlsplit(server.url).netloc.rpartition("@")[0]
    with running(f"postgresql://{user}@127.0.0.1:{port}/heller") as found:
        asyncio.run(schema.apply(found.pooled))  # through the pooler, as everything here
        yield found
    server.stop()


CLEAN = ([], 0, 0)


async def left_behind(url: str) -> dict[int, tuple[object, ...]]:
    """Settings, prepared statements, locks: what each of PgBouncer's connections to the server keeps of those who used it."""
    found: dict[int, tuple[object, ...]] = {}
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            connection = await psycopg.AsyncConnection.connect(url, prepare_threshold=None)
            await stack.enter_async_context(connection)
            row = await (
                await connection.execute(
                    "select pg_backend_pid(), array(select name from pg_settings where source = 'session' and name <> all (%s)),"
                    " (select count(*) from pg_prepared_statements),"
                    " (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')",
                    [
                        # PgBouncer keeps these itself; a transaction's isolation ends with it, and only says where it came from
                        [
                            "application_name",
                            "client_encoding",
                            "DateStyle",
                            "TimeZone",
                            "transaction_isolation",
                        ]
                    ],
                )
            ).fetchone()
            assert row is not None
            found[row[0]] = row[1:]
    return found


async def test_spends_of_many_clients_are_booked_once_and_leave_nothing_in_the_shared_connections(
    pooler: Pooler,
) -> None:
    async with Heller.connect(pooler.pooled) as one, Heller.connect(pooler.pooled) as two:
        await one.open_account("many")
        await one.grant("many", 1000, source="promotion")
        for round_ in range(3):  # a statement is prepared when it was sent five times
            await asyncio.gather(
                *(
                    heller.spend("many", 1, key=f"{round_}-{n}")
                    for n in range(SPENDS)
                    for heller in (one, two)
                )
            )
            for heller in (one, two, one, two):
                assert (await heller.balance("many")).posted == 1000 - (round_ + 1) * SPENDS
        async with one.hold("many", 10) as hold:
            await hold.capture(4)
        assert (await two.balance("many")).posted == 1000 - 3 * SPENDS - 4
    assert (await verify(pooler.pooled)).is_ok
    assert await schema.verify(pooler.pooled) == []
    left = await left_behind(pooler.pooled)
    assert len(left) > 1, "all went over one connection, so the test showed nothing"
    assert all(state == CLEAN for state in left.values()), left


def command(url: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("STRIPE", "LEGACY"))}
    return subprocess.Popen(
        [*HELLER, *arguments], env=environment | {"DATABASE_URL": url, "HELLER_SECRET_KEY": "k" * 32} | variables,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


async def is_ready(port: int) -> None:
    async with asyncio.timeout(START_SECONDS_MAX), httpx.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{port}/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def test_serve_and_worker_run_and_the_worker_says_that_it_polls(pooler: Pooler) -> None:
    made, _ = command(pooler.pooled, "keys", "create", "pooled", "--scope", "credits:spend").communicate()
    key = made.split()[-1]
    web_port, health_port = free_port(), free_port()
    web = command(pooler.pooled, "serve", "--port", str(web_port))
    working = command(pooler.pooled, "worker", "--health-port", str(health_port))
    try:
        async with Heller.connect(pooler.pooled) as heller:
            await heller.open_account("served")
            await heller.grant("served", 100, source="promotion")
        await asyncio.gather(is_ready(web_port), is_ready(health_port))
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web_port}/v1", headers=headers) as client:
            answers = await asyncio.gather(
                *(client.post("/accounts/served/spend", json={"amount": 1}) for _ in range(40))
            )
        assert {answer.status_code for answer in answers} == {200}
        async with httpx.AsyncClient() as client:
            health = (await client.get(f"http://127.0.0.1:{health_port}/health")).json()
        assert health["wakes_by"] == "polling"
    finally:
        said = []
        for process in (web, working):
            process.send_signal(signal.SIGTERM)
            said.append(process.communicate(timeout=START_SECONDS_MAX)[0])
    assert (web.returncode, working.returncode) == (0, 0), said
    assert "notifications do not arrive, so events are looked for every second" in said[1]
    assert "a job failed" not in said[1]
    assert all(state == CLEAN for state in (await left_behind(pooler.pooled)).values())


async def test_what_needs_a_session_refuses_the_pooler_and_changes_nothing(
    pooler: Pooler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heller.pooler.PROBE_SECONDS_MAX", 0.2)
    refused = r"session of its own(.|\n)*direct address"
    with pytest.raises(SettingsError, match=refused):
        async with open_workspace(pooler.pooled):
            pass
    for legacy, ours in ((pooler.pooled, pooler.direct), (pooler.direct, pooler.pooled)):
        with pytest.raises(SettingsError, match=refused):
            async with open_sides(legacy, ours, needs_fence=False):
                pass
    with pytest.raises(SettingsError, match=refused):
        await backup.backup(pooler.pooled, tmp_path / "backup")
    monkeypatch.setenv("LEGACY_DATABASE_URL", pooler.direct)
    with pytest.raises(SettingsError, match=refused):
        await worker.once(pooler.pooled)
    assert all(state == CLEAN for state in (await left_behind(pooler.pooled)).values())


async def test_session_mode_and_the_direct_address_give_a_session(pooler: Pooler) -> None:
    for url, pooled in ((pooler.direct, False), (pooler.session, True)):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            assert await is_between(connection) is pooled
            await require_session(connection, url, what="This test")
        assert await notifications_arrive(url)


async def test_a_pooler_without_its_server_is_hung_up_on(
    heller_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in: list[psycopg.AsyncConnection] = []

    async def gone(connection: psycopg.AsyncConnection) -> bool:
        let_in.append(connection)
        raise psycopg.OperationalError("server login has been failing")

    monkeypatch.setattr(pooler_module, "is_between", gone)
    with pytest.raises(DatabaseUnavailable, match="server login has been failing"):
        await connect(heller_database)
    assert [connection.closed for connection in let_in] == [True]
