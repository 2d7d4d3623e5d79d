"""HTTP spends per second of one process: the lean route beside the plain FastAPI route, in rounds of one run.

lean      POST /v1/accounts/{account}/spend of the whole application: request id, security headers, API key, scope, strict
          body, idempotency key, and the ledger's batching
plain     FastAPI and pydantic, the same verb by one call of one pooled connection each; no sign-in, no headers

Both on uvicorn with uvloop and httptools in a process of their own, on one PostgreSQL with its default durability. The load
is keep-alive connections over loopback, each with one request at a time, in a third process.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import psycopg
import uvicorn
import uvloop
from fastapi import FastAPI
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field

from ground import machine
from heller import embedded, schema
from heller.database import connect
from heller.web import keys
from heller.web.app import create_app
from heller.web.principal import Role
from heller.web.settings import load

RATIO_BAR = 2.5
RATE_BAR = 5_000
POOL = 8
TICKS = os.sysconf("SC_CLK_TCK")


class Spend(BaseModel):
    """The plain route's body."""

    amount: Annotated[int, Field(ge=1)]
    reason: str | None = None
    metadata: dict[str, Any] | None = None


def plain(url: str) -> FastAPI:
    pool = AsyncConnectionPool(url, min_size=POOL, max_size=POOL, open=False, kwargs={"autocommit": True})
    app = FastAPI()

    @app.post("/v1/accounts/{account}/spend")
    async def spend(account: str, body: Spend) -> dict[str, Any]:
        if pool.closed:
            await pool.open()
        metadata = None if body.metadata is None else Jsonb(body.metadata)
        async with pool.connection() as connection:
            row = await (
                await connection.execute(
                    "select heller.spend(p_account_id => %s, p_amount => %s, p_reason => %s, p_metadata => %s)",
                    [account, body.amount, body.reason, metadata],
                )
            ).fetchone()
        result: dict[str, Any] = row[0] if row else {}
        return result

    return app


def serve(kind: str, url: str, port: int) -> None:
    app = create_app(load(port=port), url=url) if kind == "lean" else plain(url)
    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False, log_level="error"
    )


@contextmanager
def server(kind: str, url: str) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(kind, url, port))
    process.start()
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > deadline or not process.is_alive():
                raise SystemExit(f"the {kind} server did not start")
            time.sleep(0.1)
        yield port, process.pid or 0
    finally:
        process.terminate()
        process.join()


@dataclass
class Tally:
    """What one round saw."""

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0


class Caller(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self, requests: list[bytes], first: int, tally: Tally, stop: asyncio.Event) -> None:
        self._requests, self._next, self._tally, self._stop = requests, first, tally, stop
        self._buffer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        if self._stop.is_set():
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 7

    def data_received(self, data: bytes) -> None:
        """Take an answer, and ask again once it is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = body[length:]
        self._tally.milliseconds.append((time.perf_counter() - self._sent_at) * 1000)
        self._tally.failed += not head.startswith(b"HTTP/1.1 200")
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(None)


def requests(port: int, accounts: int, token: str) -> list[bytes]:
    body = b'{"amount":1,"reason":"job analysis"}'
    head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    return [
        f"POST /v1/accounts/user-{n}/spend HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for n in range(1, accounts + 1)
    ]


async def press(port: int, sent: list[bytes], *, callers: int, seconds: float) -> Tally:
    tally, stop, loop = Tally(), asyncio.Event(), asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda n=n: Caller(sent, n * 31, tally, stop), "127.0.0.1", port))[1]
        for n in range(callers)
    ]
    tally.milliseconds.clear()
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.wait([caller.done for caller in opened], timeout=10)
    return tally


def cpu_seconds(process: int) -> float:
    parts = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / TICKS


async def prepared(url: str, accounts: int) -> str:
    await schema.apply(url)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "select heller.open_account('user-' || n), heller.grant('user-' || n, 1000000000) from generate_series(1, %s) n",
            [accounts],
        )
        await connection.execute("vacuum analyze")
    async with await connect(url) as connection:
        made = await keys.create(
            connection, "benchmark", role=Role.operator, scopes=["credits:spend"], actor="benchmark"
        )
    return made.secret


def measured(url: str, token: str, arguments: argparse.Namespace) -> dict[str, Any]:
    rounds: dict[str, list[dict[str, float]]] = {"lean": [], "plain": []}
    with server("lean", url) as lean, server("plain", url) as other:
        for round_ in range(arguments.rounds + 1):
            for kind, (port, process) in (("lean", lean), ("plain", other)):
                sent = requests(port, arguments.accounts, token)
                before = cpu_seconds(process)
                seconds = arguments.seconds if round_ else min(1.0, arguments.seconds)
                tally = uvloop.run(press(port, sent, callers=arguments.callers, seconds=seconds))
                if tally.failed:
                    raise SystemExit(f"{kind}: {tally.failed} requests failed")
                count = len(tally.milliseconds)
                cuts = statistics.quantiles(tally.milliseconds, n=100)
                if round_:  # the first warms up
                    rounds[kind].append(
                        {
                            "per_second": count / seconds,
                            "p50_ms": cuts[49],
                            "p99_ms": cuts[98],
                            "cpu_us": (cpu_seconds(process) - before) / count * 1e6,
                        }
                    )
    medians = {
        kind: {name: round(statistics.median(one[name] for one in found), 1) for name in found[0]}
        for kind, found in rounds.items()
    }
    ratios = [a["per_second"] / b["per_second"] for a, b in zip(rounds["lean"], rounds["plain"], strict=True)]
    return {**medians, "ratio": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, embedded.running(Path(folder, "postgres")) as running:
        token = asyncio.run(prepared(running.url, arguments.accounts))
        result = measured(running.url, token, arguments) | {"machine": machine(running)}
    result |= {"load": round(os.getloadavg()[0], 1), "callers": arguments.callers}
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        for kind in ("lean", "plain"):
            print(f"{kind:6} {result[kind]['per_second']:8,.0f}/s  p50 {result[kind]['p50_ms']} ms  p99 {result[kind]['p99_ms']} ms"
                  f"  {result[kind]['cpu_us']:.0f} us of CPU a request")  # fmt: skip
        print(
            f"ratio {result['ratio']} (bar {RATIO_BAR}), rounds {result['ratios']}; rate bar {RATE_BAR:,}/s; load {result['load']}"
        )
    sys.exit(0 if result["ratio"] >= RATIO_BAR and result["lean"]["per_second"] >= RATE_BAR else 3)


if __name__ == "__main__":
    main()
