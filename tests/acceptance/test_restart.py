"""Two web processes, restarted one after the other under load as deploy/restart.sh does: nobody waits, nothing is doubled."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from heller import Heller, verify

CALLERS = 4
START_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 30


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Web:
    """One web process on a port of its own."""

    def __init__(self, database: str) -> None:
        self.port, self._database = free_port(), database
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "heller.cli.main", "serve", "--port", str(self.port)],
            env=os.environ | {"DATABASE_URL": self._database, "HELLER_SECRET_KEY": "k" * 32},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=ANSWER_SECONDS_MAX)

    async def is_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        async with httpx.AsyncClient() as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"http://127.0.0.1:{self.port}/ready")).status_code == 200:
                        return
                await asyncio.sleep(0.05)
        pytest.fail("heller serve did not become ready")


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
