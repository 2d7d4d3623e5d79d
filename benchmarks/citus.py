"""Spends on a Citus cluster beside one server, in turn, on one machine: what each costs in CPU, and how many a second.

``python benchmarks/citus.py --cluster postgresql://postgres@127.0.0.1:45430/ledger --folder /tmp/heller-citus``. The database
lies on all servers of the cluster (``tests/tools/citus_cluster.py start --fast``) and has the schema
(``heller schema apply --citus``); the one server is started here. Neither waits for the disk: on one machine all share it.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from ground import account_name, cluster_cpu_seconds, say
from heller import Heller, embedded, schema, verify
from heller.errors import HellerError
from spend import BATCH, BATCH_CALLERS, batch, picker, single

ACCOUNTS = 2_000
PREPARED_AT_ONCE = 500
GRANT = 1_000_000_000
AT_ONCE = 500
CALLS = {"a spend alone": 150, f"a spend of {AT_ONCE} in apply_at": 6, "a transfer": 10}
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "120"}

Side = tuple[str, list[Path]]
Spend = Callable[[int], Awaitable[int]]


async def prepare(url: str) -> None:
    """Accounts with more credits than anybody spends; again, it finds them there."""
    async with Heller.connect(url) as heller:
        for first in range(1, ACCOUNTS + 1, PREPARED_AT_ONCE):
            names = [account_name(number) for number in range(first, first + PREPARED_AT_ONCE)]
            for operations in (
                [{"verb": "open_account", "account": name} for name in names],
                [{"verb": "grant", "account": name, "amount": GRANT, "key": "prepared"} for name in names],
            ):
                for result in await heller.apply(operations):
                    if isinstance(result, HellerError):
                        raise result


def call(connection: psycopg.Connection, what: str, names: list[str]) -> int:
    """One call of a statement; how many spends it made. ``names`` lie in one shard."""
    one = random.choice(names)
    if what == "a spend alone":
        connection.execute("select heller.spend(%s, 1, 'job analysis', %s)", [one, uuid4().hex])
        return 1
    if what == "a transfer":
        other = account_name(random.randint(1, ACCOUNTS))
        connection.execute("select heller.transfer(%s, %s, 1, null, %s)", [one, other, uuid4().hex])
        return 1
    spends = [{"verb": "spend", "account": random.choice(names), "amount": 1, "key": uuid4().hex} for _ in range(AT_ONCE)]  # fmt: skip
    connection.execute("select r::text from heller.apply_at(%s, %s::jsonb) r", [one, json.dumps(spends)])
    return AT_ONCE


def cost(connection: psycopg.Connection, what: str, names: list[str], servers: list[Path]) -> list[float]:
    """Microseconds of CPU of one spend: on the server that is called, and on the workers together."""
    before = [cluster_cpu_seconds(data) for data in servers]
    made = sum(call(connection, what, names) for _ in range(CALLS[what]))
    used = [cluster_cpu_seconds(data) - then for data, then in zip(servers, before, strict=True)]
    return [used[0] / made * 1e6, sum(used[1:]) / made * 1e6]


def costs(sides: dict[str, Side], rounds: int) -> None:
    """Print what each statement costs on each side, warm, one call at a time."""
    found: dict[tuple[str, str], list[list[float]]] = {}
    names = [account_name(number) for number in range(1, ACCOUNTS + 1)]
    for turn in range(rounds + 1):  # the first warms up: plans, connections between the servers
        for side, (url, servers) in sides.items():
            with psycopg.connect(url, autocommit=True) as connection:
                row: Any = connection.execute("select heller.shards_of(%s::text[])", [names]).fetchone()
                shards = row[0] or [0] * ACCOUNTS
                near = [name for name, shard in zip(names, shards, strict=True) if shard == shards[0]]
                for what in CALLS:
                    call(connection, what, near)
                    here = cost(connection, what, near, servers)
                    if turn:
                        found.setdefault((what, side), []).append(here)
    for (what, side), several in sorted(found.items()):
        called, workers = (statistics.median(column) for column in zip(*several, strict=True))
        print(
            f"{what:32} {side:10}  CPU: {called:>6,.0f} us where it is called, {workers:>6,.0f} us on workers"
        )


async def rates(sides: dict[str, Side], options: argparse.Namespace) -> None:
    """Print how many spends a second the library makes on each side."""
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for side, (url, _servers) in sides.items():
            async with Heller.connect(url) as heller:
                pick = picker(ACCOUNTS, hot=False)
                for what, spend, callers in (
                    (f"single, {options.callers} callers", single(heller, pick), options.callers),
                    (f"batches of {BATCH:,}", batch(heller, pick), BATCH_CALLERS),
                ):
                    await per_second(spend, callers, options.seconds / 2)  # warms up
                    found.setdefault((what, side), []).append(
                        await per_second(spend, callers, options.seconds)
                    )
    for (what, side), several in sorted(found.items()):
        print(f"{what:32} {side:10}  {statistics.median(several):>8,.0f} spends/s")


async def per_second(spend: Spend, callers: int, seconds: float) -> float:
    """``callers`` that call again as soon as they have their answer."""
    made, begun = 0, time.perf_counter()

    async def caller(number: int) -> None:
        nonlocal made
        while time.perf_counter() < begun + seconds:
            made += await spend(number)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return made / (time.perf_counter() - begun)


async def measure(options: argparse.Namespace) -> None:
    """Both sides in turn; ends with a verification of both ledgers."""
    with embedded.running(options=FAST) as server:
        await schema.apply(server.url)
        sides: dict[str, Side] = {
            "one server": (server.url, [server.directory / "data"]),
            "cluster": (options.cluster, sorted(options.folder.glob("node-?"))),
        }
        for url, _ in sides.values():
            await prepare(url)
        say(f"{os.cpu_count()} cores for all servers and the callers, load {os.getloadavg()[0]:.1f}; medians")
        await asyncio.to_thread(costs, sides, options.rounds)
        await rates(sides, options)
        for side, (url, _) in sides.items():
            verification = await verify(url)
            say(f"{side}: {verification.transactions:,} transactions, broken: {list(verification.broken)}")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cluster", required=True, help="URL of the coordinator and the ledger's database")
    parser.add_argument(
        "--folder", type=Path, required=True, help="where the cluster's servers have their data"
    )
    parser.add_argument("--seconds", type=float, default=5, help="of each run of the library")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side")
    parser.add_argument("--callers", type=int, default=64)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
