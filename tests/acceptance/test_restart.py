"""Two web processes, restarted one after the other under load as deploy/restart.sh does: nobody waits, nothing is doubled."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from heller import Heller, verify

CALLERS = 4
START_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 30
UNDISTURBED_SECONDS = 0.5


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Web:
    """One web process, or ``workers`` of them, on a port of its own."""

    def __init__(self, database: str, *, workers: int = 1) -> None:
        self.port, self._database, self._workers = free_port(), database, workers
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "heller.cli.main", "serve", "--port", str(self.port), "--workers", str(self._workers)],
            env=os.environ | {"DATABASE_URL": self._database, "HELLER_SECRET_KEY": "k" * 32},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def interrupt(self) -> int:
        """As Ctrl-C in a terminal does, which tells every process of the group."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(timeout=ANSWER_SECONDS_MAX)

    def children(self) -> list[int]:
        """The processes under it, oldest first."""
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def tell_to_stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        self.tell_to_stop()
        return self._process.wait(timeout=ANSWER_SECONDS_MAX)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def is_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        async with httpx.AsyncClient() as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"http://127.0.0.1:{self.port}/ready")).status_code == 200:
                        return
                await asyncio.sleep(0.05)
        pytest.fail("heller serve did not become ready")

    async def refuses(self) -> None:
        """Wait until it takes no new connection."""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionRefusedError:
                    return
                except ConnectionResetError:  # it was waiting to be taken when the last process ended
                    continue
                writer.close()
                await asyncio.sleep(0.01)


@pytest.fixture
def webs(heller_database: str) -> Iterator[list[Web]]:
    both = [Web(heller_database), Web(heller_database)]
    yield both
    for web in both:
        with contextlib.suppress(ProcessLookupError):
            web.stop()


@pytest.fixture
def api_key(heller_database: str) -> str:
    made = subprocess.run(
        [sys.executable, "-m", "heller.cli.main", "keys", "create", "load", "--scope", "credits:spend"],
        env=os.environ | {"DATABASE_URL": heller_database}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return made.stdout.strip()


@pytest.mark.slow
async def test_restart_one_after_the_other_answers_every_spend_once(
    heller_database: str, api_key: str, webs: list[Web]
) -> None:
    headers = {"Authorization": f"Bearer {api_key}"}
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("ann")
        await heller.grant("ann", 1_000_000, source="promotion")
    for web in webs:
        await web.is_ready()
    stop, answers, repeats = asyncio.Event(), Counter[int](), Counter[str]()

    async def spend(caller: int) -> None:
        """As a proxy in front and a client with keys do: the other process at once, the same key."""
        place, number = caller % 2, 0
        while not stop.is_set():
            number += 1
            key = {"Idempotency-Key": f"{caller}-{number}"}
            for attempt in range(20):
                url = f"http://127.0.0.1:{webs[(place + attempt) % 2].port}/v1/accounts/ann/spend"
                try:
                    async with httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX) as client:
                        answer = await client.post(url, json={"amount": 1}, headers=headers | key)
                except httpx.TransportError as error:
                    repeats[type(error).__name__] += 1
                    continue
                answers[answer.status_code] += 1
                break
            else:
                answers[0] += 1
            place += 1

    callers = [asyncio.create_task(spend(caller)) for caller in range(CALLERS)]
    for web in webs:
        before = answers.total()
        assert await asyncio.to_thread(web.stop) == 0
        web.start()
        await web.is_ready()
        assert answers.total() > before, "nobody was served while one process restarted"
    stop.set()
    await asyncio.gather(*callers)
    print(f"{answers[200]} spends, {dict(repeats)} repeated at the other process")
    assert answers.keys() == {200}, answers
    assert repeats.total() > 0, "no caller met a process that was away, so the test showed nothing"
    async with Heller.connect(heller_database) as heller:
        assert (await heller.balance("ann")).posted == 1_000_000 - answers[200]
    assert (await verify(heller_database)).is_ok


@pytest.mark.parametrize("workers", [1, 2])
async def test_told_to_stop_it_refuses_new_connections_and_answers_once_more_on_open_ones(
    heller_database: str, workers: int
) -> None:
    """So a proxy that sends a request on a connection it has kept gets an answer, not a hang-up."""
    web = Web(heller_database, workers=workers)
    await web.is_ready()
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}") as open_,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}") as idle,
    ):
        for client in (open_, idle):
            assert (await client.get("/health")).headers.get("connection") != "close"
        web.tell_to_stop()
        await web.refuses()
        answer = await open_.get("/health")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert await asyncio.to_thread(web.stop) == 0, "the idle connection does not keep it"


async def test_an_interrupt_lets_several_processes_answer_what_is_under_way(
    heller_database: str, api_key: str
) -> None:
    web = Web(heller_database, workers=2)
    await web.is_ready()
    async with (
        Heller.connect(heller_database) as heller,
        await psycopg.AsyncConnection.connect(heller_database) as other,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}", timeout=ANSWER_SECONDS_MAX) as client,
    ):
        await heller.open_account("ann")
        await heller.grant("ann", 10)
        await other.execute("select from heller.accounts where account_id = 'ann' for update")
        said = {"authorization": f"Bearer {api_key}", "idempotency-key": "1"}
        spending = asyncio.create_task(
            client.post("/v1/accounts/ann/spend", json={"amount": 1}, headers=said)
        )
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while not await waiting(other):  # noqa: ASYNC110  # of another process
                await asyncio.sleep(0.05)
        stopping = asyncio.create_task(asyncio.to_thread(web.interrupt))
        await web.refuses()
        cut_off, _ = await asyncio.wait([spending], timeout=UNDISTURBED_SECONDS)
        assert not cut_off
        await other.rollback()
        assert (await spending).status_code == 200
        assert await stopping == 0


async def waiting(connection: psycopg.AsyncConnection) -> bool:
    """Whether anybody waits for a lock."""
    return await (await connection.execute("select from pg_locks where not granted")).fetchone() is not None


async def test_a_process_of_several_that_dies_is_replaced_and_none_outlives_the_first(
    heller_database: str,
) -> None:
    web = Web(heller_database, workers=2)
    await web.is_ready()
    before = web.children()
    os.kill(before[-1], signal.SIGKILL)
    async with asyncio.timeout(START_SECONDS_MAX):
        while len(web.children()) < len(before) or web.children() == before:  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.05)
    await web.is_ready()
    web.kill()
    await web.refuses()


def proxied(folder: Path, ports: list[int]) -> tuple[subprocess.Popen[bytes], int]:
    """nginx with the file of deploy/ before these processes, without TLS; and its port."""
    front = free_port()
    text = (Path(__file__).parents[2] / "deploy" / "nginx" / "heller.conf").read_text(encoding="utf-8")
    text = re.sub(r"^ *ssl_.*\n", "", text, flags=re.MULTILINE)
    for theirs, ours in (("127.0.0.1:8001", f"127.0.0.1:{ports[0]}"), ("127.0.0.1:8002", f"127.0.0.1:{ports[1]}"), ("listen 443 ssl;", f"listen 127.0.0.1:{front};")):  # fmt: skip
        assert theirs in text
        text = text.replace(theirs, ours)
    folder.chmod(0o755)
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
    (folder / "nginx.conf").write_text(
        f"daemon off; user root; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {paths}\n{text}\n}}"
    )
    command = ["nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL), front


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not on this machine: make test-tools")
async def test_behind_nginx_no_request_fails_while_both_are_restarted(
    heller_database: str, api_key: str, webs: list[Web], tmp_path: Path
) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("ann")
        await heller.grant("ann", 1_000_000, source="promotion")
    for web in webs:
        await web.is_ready()
    proxy, front = proxied(tmp_path, [web.port for web in webs])
    stop, answers = asyncio.Event(), Counter[int]()

    async def spend(client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            answers[(await client.post("/v1/accounts/ann/spend", json={"amount": 1})).status_code] += 1

    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{front}", headers={"Authorization": f"Bearer {api_key}"}, timeout=ANSWER_SECONDS_MAX
    ) as client:  # fmt: skip
        await until_answered(client)
        callers = [asyncio.create_task(spend(client)) for _ in range(CALLERS)]
        for web in webs:
            before = answers.total()
            assert await asyncio.to_thread(web.stop) == 0
            web.start()
            await web.is_ready()
            assert answers.total() > before, "nobody was served while one process restarted"
        stop.set()
        await asyncio.gather(*callers)
    proxy.terminate()
    proxy.wait()
    assert "connect() failed" in (tmp_path / "error.log").read_text(), "nginx met no process that was away"
    assert answers.keys() == {200}, answers
    async with Heller.connect(heller_database) as heller:
        assert (await heller.balance("ann")).posted == 1_000_000 - answers[200]


async def until_answered(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/health")).status_code == 200:
                    return
            await asyncio.sleep(0.02)
