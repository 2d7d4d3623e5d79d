"""A real PostgreSQL for every test: one embedded server per run, one database per test."""

import asyncio
import functools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pytest_socket import socket_allow_hosts

from heller import embedded

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

# Nothing here outlives a crash of the machine, so nothing need reach the disk. `durable_server` is for
# tests of durability.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "256MB",
    "max_connections": "400",
    "max_wal_size": "4GB",
}

MOVES = (
    "test_handover_",
    "test_legacy_app",
    "test_migrat",
    "test_rollout_",
    "test_stripe_homes",
    "test_two_systems",
)
BEFORE_SPREADING = "users are moved before a ledger is spread over a cluster, and this is refused after"


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a database whose role may create others; the workers of a run share one server."""
    if url := os.environ.get("HELLER_TEST_DATABASE_URL"):
        yield url
        return
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid4().hex
    folder = Path(tempfile.gettempdir(), f"heller-tests-{run}")
    server = embedded.start(folder, temporary=True, options=FAST)
    yield server.url
    server.stop()


@pytest.fixture
def durable_server() -> Iterator[embedded.EmbeddedServer]:
    """A server of the test's own with the settings users get (fsync on)."""
    with embedded.running() as server:
        yield server


@functools.cache
def _servers(server_url: str) -> list[str]:
    """The URL itself; on a Citus cluster the workers' as well, for a database is made on each server of it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        if connection.execute("select to_regclass('pg_catalog.pg_dist_node')").fetchall() == [(None,)]:
            return [server_url]
        nodes = connection.execute("select nodename, nodeport from pg_dist_node where groupid > 0").fetchall()
    parts = urlsplit(server_url)
    user = parts.netloc.rpartition("@")[0]
    return [server_url, *(urlunsplit(parts._replace(netloc=f"{user}@{host}:{port}")) for host, port in nodes)]


@pytest.fixture(scope="session")
def servers(server_url: str) -> Callable[[str], list[str]]:
    """The URLs of a database on each server that has it: one, but on a Citus cluster the workers' as well."""
    found = _servers(server_url)
    return lambda url: [with_database(server, urlsplit(url).path[1:]) for server in found]


@pytest.fixture(autouse=True)
def _skip_on_a_cluster(request: pytest.FixtureRequest) -> None:
    mark = request.node.get_closest_marker("one_server")
    reason = mark.args[0] if mark else BEFORE_SPREADING if request.path.name.startswith(MOVES) else ""
    if reason and (url := os.environ.get("HELLER_TEST_DATABASE_URL")) and len(_servers(url)) > 1:
        pytest.skip(reason)


def _everywhere(server_url: str, *statements: sql.Composed) -> None:
    def run(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    servers = _servers(server_url)
    with ThreadPoolExecutor(len(servers)) as threads:
        list(threads.map(run, servers))


def _create(server_url: str, name: str, *, template: str = "template1") -> str:
    how = (
        " strategy file_copy" if len(_servers(server_url)) > 1 else ""
    )  # a third of the time, as they are set
    statement = sql.SQL("create database {} template {}" + how)
    _everywhere(server_url, statement.format(sql.Identifier(name), sql.Identifier(template)))
    return with_database(server_url, name)


def _close(server_url: str, name: str) -> None:
    """Let nobody in, such as Citus' maintenance: a template with a visitor cannot be copied."""
    _everywhere(
        server_url,
        sql.SQL("alter database {} allow_connections false").format(sql.Identifier(name)),
        sql.SQL("select pg_terminate_backend(pid) from pg_stat_activity where datname = {}").format(
            sql.Literal(name)
        ),
    )


def _drop(server_url: str, name: str) -> None:
    if len(_servers(server_url)) > 1:  # Citus' maintenance comes back as often as it is sent away
        _close(server_url, name)
    _everywhere(server_url, sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _database(server_url: str, *, template: str = "template1") -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    yield _create(server_url, name, template=template)
    _drop(server_url, name)


@pytest.fixture(scope="session")
def clone(server_url: str) -> Callable[[str], AbstractContextManager[str]]:
    """Makes a copy of a database that nobody is in, by its name, dropped at the end; for tests that begin with the same rows."""

    @contextmanager
    def copied(template: str) -> Iterator[str]:
        yield from _database(server_url, template=template)

    return copied


@pytest.fixture
def empty_database(server_url: str) -> Iterator[str]:
    """The URL of a new database, dropped after the test."""
    yield from _database(server_url)


@pytest.fixture
def second_database(server_url: str) -> Iterator[str]:
    """Another one, for tests that move data from here to there."""
    yield from _database(server_url)


@pytest.fixture(scope="session")
def heller_template(server_url: str) -> Iterator[str]:
    """The name of a database with the schema heller, made once per worker."""
    from heller import schema  # noqa: PLC0415 - tests without a schema do not need it

    name = f"template_{uuid4().hex[:12]}"
    url = _create(server_url, name)
    citus = len(_servers(server_url)) > 1
    with ThreadPoolExecutor(1) as thread:  # a loop of its own, whatever loop the tests have
        thread.submit(lambda: asyncio.run(_apply(schema.apply, url, citus=citus))).result()
    _close(server_url, name)
    yield name
    _drop(server_url, name)


async def _apply(apply: Callable[..., Awaitable[object]], url: str, *, citus: bool) -> None:
    await apply(url, citus=citus)


@pytest.fixture
def heller_database(server_url: str, heller_template: str) -> Iterator[str]:
    """The URL of a new database with the schema heller, dropped after the test."""
    yield from _database(server_url, template=heller_template)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open autocommit connections that are closed after the test: ``await connect(url)``."""
    opened: list[psycopg.AsyncConnection] = []

    async def open_connection(url: str, *, autocommit: bool = True) -> psycopg.AsyncConnection:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=autocommit)
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        await connection.close()
