"""The application in this process, over ASGI, on a database of the test's own."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fakes.oidc import free_port
from heller.web import keys
from heller.web.app import create_app
from heller.web.principal import Role
from heller.web.settings import load
from heller.web.wiring import Wiring

START_SECONDS_MAX = 120
BASE = "http://127.0.0.1:8000"
SECRET = "a secret of the tests, long enough to sign"  # noqa: S105  # of no use elsewhere


@dataclass
class Web:
    """An application under test: ``api`` is an operator's client, ``client`` one of nobody."""

    app: FastAPI
    api: httpx.AsyncClient

    @property
    def wiring(self) -> Wiring:
        return self.app.state.wiring

    def client(self, token: str | None = None, **options: Any) -> httpx.AsyncClient:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(self.app, client=(options.pop("address", "127.0.0.1"), 40_000))
        return httpx.AsyncClient(transport=transport, base_url=options.pop("base_url", BASE), headers=headers)

    async def key(self, *scopes: str, role: Role = Role.operator, **options: Any) -> str:
        async with self.wiring.database.connection() as connection:
            made = await keys.create(
                connection, "test", role=role, actor="tests", scopes=scopes or None, **options
            )
        return made.secret

    async def open(self, account: str, credits: int = 0, **properties: Any) -> None:
        await self.wiring.heller.open_account(account, **properties)
        if credits:
            await self.wiring.heller.grant(account, credits)


@asynccontextmanager
async def serving(url: str, **options: Any) -> AsyncIterator[Web]:
    app_options = {name: options.pop(name) for name in ("stripe", "legacy_url") if name in options}
    app = create_app(load(secret_key=SECRET, **options), url=url, **app_options)
    async with app.router.lifespan_context(app):
        web = Web(app, None)  # type: ignore[arg-type]
        web.api = web.client(await web.key(role=Role.admin))
        async with web.api:
            yield web


@pytest.fixture
async def web(heller_database: str) -> AsyncIterator[Web]:
    async with serving(heller_database) as running:
        yield running


@pytest.fixture
def serve() -> Callable[..., Any]:
    """``serve(url, **settings)`` for a test that needs settings of its own."""
    return serving


@dataclass
class Served:
    """A ``heller serve`` process, and its database."""

    url: str
    database: str


@pytest.fixture(scope="session")
def served(clone: Callable[[str], AbstractContextManager[str]], heller_template: str) -> Iterator[Served]:
    """One for all tests that need a process: each uses accounts of its own."""
    with clone(heller_template) as database:
        yield from _serve(database)


def _serve(database: str) -> Iterator[Served]:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "heller.cli.main", "serve", "--port", str(port)],
        env=os.environ | {"DATABASE_URL": database}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            if httpx.get(f"{url}/ready").is_success:
                break
        except httpx.HTTPError:
            assert server.poll() is None, server.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
    yield Served(url, database)
    server.terminate()
    _, log = server.communicate(timeout=60)
    assert "a request failed" not in log, log
    assert server.returncode == 0, "SIGTERM is a good end"
