"""``heller-resume-matcher`` as a process of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

START_SECONDS_MAX = 150


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def matcher_process(database_url: str, port: int, **environment: str) -> Iterator[subprocess.Popen]:
    """The application, ready; killed at the end if it still runs."""
    log = Path(tempfile.gettempdir(), f"matcher-{port}.log")
    command = [sys.executable, "-m", "resume_matcher.cli", "--port", str(port)]
    variables = os.environ | {"HELLER_SECRET_KEY": "a key for tests of the pages, long enough"} | environment
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=variables | {"DATABASE_URL": database_url}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + START_SECONDS_MAX
        while not _is_ready(port):
            if time.monotonic() > until or process.poll() is not None:
                pytest.fail(f"the application did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(START_SECONDS_MAX)
        log.unlink()


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready").is_success
    except httpx.TransportError:
        return False


class Visitor:
    """A browser without pictures: signed in for development, with the token of its session."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    @classmethod
    @contextlib.contextmanager
    def signed_in(cls, url: str, user: str) -> "Iterator[Visitor]":
        with httpx.Client(base_url=url, follow_redirects=True, timeout=30) as client:
            form = client.get("/sign-in?next=/matcher").text
            data = {"role": "customer", "user": user, "next": "/matcher", "csrf": _token(form)}
            client.post("/sign-in/development", data=data).raise_for_status()
            yield cls(client)

    def finished(self, order: str, seconds_max: float = 30) -> dict:
        """The only analysis of an order, once nothing more will happen to it."""
        until = time.monotonic() + seconds_max
        while not (found := self.client.get(f"/matcher/v1/orders/{order}").json())["finished"]:
            assert time.monotonic() < until, found
            time.sleep(0.1)
        return found["analyses"][0]

    def post(self, path: str, **options) -> httpx.Response:
        """A request of a page's script, with the session's token."""
        token = _token(self.client.get("/matcher/resumes").text)
        return self.client.post(
            path, headers={"X-CSRF-Token": token, "accept": "application/json"}, **options
        )


def _token(page: str) -> str:
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]
