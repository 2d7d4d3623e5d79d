"""What the soak runs on: an embedded PostgreSQL that may be killed, and heller's own programs as processes."""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

import legacy_sample
from heller import embedded, migration, schema
from heller.cli.living import legacy
from heller.cli.living.twin import Twin, twin_process
from heller.cli.living.ways import ensure_price
from heller.database import Database, connect
from heller.errors import EmbeddedError
from heller.stripe import API_VERSION
from heller.stripe.events import REQUIRED_TYPES
from legacy_sample.app.webhooks import BACK, PAID

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MB = 1_048_576
ANSWER_SECONDS_MAX = 150.0
STOP_SECONDS_MAX = 60.0
COMMAND_SECONDS_MAX = 180.0
LOOK_SECONDS = 0.1
START_TRIES_MAX = 5
START_PAUSE_SECONDS = 2.0


FAULTS = {"duplicate": 0.3, "lose_answer": 0.02, "lose_attempt": 0.02, "delay_seconds_max": 1.0, "seed": 1}


class Server:
    """PostgreSQL in a folder, on one port for the whole run, so that an address stays true after a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, legacy.free_port()
        self._hold = embedded.start(folder, port=self._port)

    def database(self, name: str) -> str:
        """The address of a database, made if it is not there."""
        return self._hold.ensure_database(name)

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    async def restart(self, *, kill: bool) -> None:
        """Stop it well, or kill -9 its first process; then start it again."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
            old = self._hold
            self._hold = await self._start()
            await asyncio.to_thread(old.stop)
        else:
            await asyncio.to_thread(self._hold.stop)
            self._hold = await self._start()

    async def _start(self) -> embedded.EmbeddedServer:
        """Sessions of a killed server take a moment to notice; until then the new one is refused."""
        for again in range(START_TRIES_MAX):
            try:
                return await asyncio.to_thread(embedded.start, self._folder, port=self._port)
            except EmbeddedError:
                if again + 1 == START_TRIES_MAX:
                    raise
                await asyncio.sleep(START_PAUSE_SECONDS)
        raise AssertionError  # the last try returns or raises

    def private_mb(self) -> float:
        """Memory of all its processes that is theirs alone."""
        return sum(_status_mb(pid, "RssAnon") for pid in (self.pid, *_children(self.pid)))

    def stop(self) -> None:
        """Let go of it."""
        self._hold.stop()


@dataclass(slots=True)
class Program:
    """One of heller's programs, which can be stopped, killed and started again. ``deaths``: ends that nobody asked for."""

    name: str
    arguments: Sequence[str]
    environment: dict[str, str]
    health: str
    log: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    deaths: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "heller.cli.main", *self.arguments,
                env=os.environ | self.environment, stdout=output, stderr=output,
            )  # fmt: skip
        self.starts += 1
        async with httpx.AsyncClient(timeout=5) as client:
            for _ in range(int(ANSWER_SECONDS_MAX / LOOK_SECONDS)):
                if self.process.returncode is not None:
                    break
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(self.health)).is_success:
                        return
                await asyncio.sleep(LOOK_SECONDS)
        raise RuntimeError(f"{self.name} does not answer; its log is {self.log}")

    async def stop(self, *, kill: bool = False) -> None:
        """Ask it to end, or kill -9 it."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            self.deaths.append(f"{self.name} did not end within {STOP_SECONDS_MAX:g} s of SIGTERM")
            self.process.kill()
            await self.process.wait()

    async def restart(self, *, kill: bool) -> dict[str, float]:
        """Stop and start; how many seconds each took."""
        began = time.monotonic()
        await self.stop(kill=kill)
        ended = time.monotonic()
        await self.start()
        return {
            "seconds to end": round(ended - began, 1),
            "to answer again": round(time.monotonic() - ended, 1),
        }

    async def revive(self) -> None:
        """Start it again if it ended by itself, which is a finding."""
        if self.process is not None and self.process.returncode is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            self.deaths.append(
                f"{self.name} ended by itself with {self.process.returncode}: {' '.join(last)}"
            )
            await self.start()


async def heller(*arguments: str, environment: dict[str, str]) -> tuple[int, Any, str]:
    """Run one command with --json; its exit code, its answer (None without one) and what it said beside."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heller.cli.main", *arguments, "--json",
        env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        told, beside = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1, None, f"no answer within {COMMAND_SECONDS_MAX:g} s"
    answer = None
    with contextlib.suppress(ValueError):
        answer = json.loads(told)
    return process.returncode or 0, answer, beside.decode(errors="replace")


def rss_mb(pid: int) -> float:
    """The resident memory of a process; 0 when it is gone."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / MB
    return 0.0


def _status_mb(pid: int, name: str) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def loopback(port: int) -> str:
    """The address of a port of this machine."""
    return f"http://{legacy.LOOPBACK}:{port}"


@dataclass(slots=True)
class World:
    """What runs."""

    server: Server
    legacy_url: str
    url: str
    environment: dict[str, str]
    folder: Path
    options: argparse.Namespace
    twin: httpx.AsyncClient
    programs: dict[str, Program] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)  # pids of what is never restarted
    samples: list[dict[str, Any]] = field(default_factory=list)
    acts: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the traffic began."""
        return round(time.monotonic() - self.started, 1)

    async def run(self, *arguments: str) -> tuple[int, Any, str]:
        """One of heller's commands on this world."""
        return await heller(*arguments, environment=self.environment)


# -- the stage


@asynccontextmanager
async def stage(options: argparse.Namespace, folder: Path) -> AsyncIterator[World]:
    """A migrated sample with its fence, both systems' programs, Stripe's stand-in with its faults."""
    server = await asyncio.to_thread(Server, folder / "postgres")
    async with AsyncExitStack() as stack:
        stack.callback(server.stop)
        old, ours = server.database("legacy"), server.database("ours")
        await legacy_sample.build(
            old, shape="production", users=options.users, seed=7, truth=folder / "truth.json"
        )
        await schema.apply(ours)
        await migration.run(old, ours, folder, decide="recommended")
        twin = await stack.enter_async_context(twin_process())
        stripe = await stack.enter_async_context(httpx.AsyncClient(base_url=twin.url, timeout=120))
        world = World(
            server, old, ours, {"DATABASE_URL": ours, "LEGACY_DATABASE_URL": old}, folder, options, stripe
        )
        code, _, said = await world.run("migrate", "fence", "install")
        if code:
            raise SystemExit(f"the fence is not closed: {said}")
        await _price(world)
        await _programs(world, twin, stack)
        (await stripe.post("/_twin/set_faults", json=FAULTS)).raise_for_status()
        yield world


async def _price(world: World) -> None:
    database = await Database.open(world.url, pool_max=1)
    await ensure_price(database)
    await database.close()


async def _programs(world: World, twin: Twin, stack: AsyncExitStack) -> None:
    ports = {name: legacy.free_port() for name in ("web steady", "web restarted")}
    hooks = [
        await twin.add_endpoint(f"{loopback(port)}/v1/webhooks/stripe", sorted(REQUIRED_TYPES), api_version=API_VERSION)
        for port in ports.values()
    ]  # fmt: skip
    world.environment |= {
        "STRIPE_SECRET_KEY": "sk_test_demo", "STRIPE_MODE": "test", "STRIPE_API_BASE": twin.url, "STRIPE_RECEIPTS": "off",
        "STRIPE_WEBHOOK_SECRETS": ",".join(hooks), "STRIPE_REQUESTS_PER_SECOND": "500", "HELLER_SECRET_KEY": secrets.token_hex(32),
    }  # fmt: skip
    for name, port in ports.items():
        world.programs[name] = _program(
            world, name, ["serve", "--port", str(port)], f"{loopback(port)}/health"
        )
    for name in ("worker steady", "worker restarted"):
        port = legacy.free_port()
        world.programs[name] = _program(
            world, name, ["worker", "--health-port", str(port)], f"{loopback(port)}/health"
        )
    for program in world.programs.values():
        stack.push_async_callback(program.stop)
        await program.start()
    port = legacy.free_port()
    secret = await twin.add_endpoint(f"{loopback(port)}/webhooks/stripe", (*PAID, *BACK))
    old = Program(
        "legacy application", ["sample", "app", "--port", str(port)],
        {
            "LEGACY_DATABASE_URL": world.legacy_url, "LEGACY_WEBHOOK_SECRET": secret, "LEGACY_SESSION_SECRET": secrets.token_hex(16),
            "STRIPE_API_BASE": twin.url, "DATABASE_URL": world.url,
        },
        f"{loopback(port)}/health", world.folder / "legacy application.log",
    )  # fmt: skip
    world.programs[old.name] = old
    stack.push_async_callback(old.stop)
    await old.start()
    world.environment["APP"] = loopback(port)
    async with await connect(world.url) as connection:
        rows = await (
            await connection.execute("select name from heller.identities where kind = 'stripe_customer'")
        ).fetchall()
    await twin.remember_customers(row[0] for row in rows)
    world.others = {"Stripe's stand-in": _listening(int(twin.url.rsplit(":", 1)[1]))}


def _program(world: World, name: str, arguments: list[str], health: str) -> Program:
    return Program(name, arguments, world.environment, health, world.folder / f"{name}.log")


def _listening(port: int) -> int:
    """The child of this process that listens on a port."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any(c.laddr.port == port for c in child.net_connections("tcp") if c.status == "LISTEN"):
                return int(child.pid)
    raise RuntimeError(f"nobody listens on {port}")
