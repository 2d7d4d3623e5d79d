"""Spends a second on a Citus cluster beside one server, in turn, on one machine: what the way over the coordinator costs.

``python benchmarks/citus.py --cluster postgresql://postgres@127.0.0.1:45430/ledger``. The database lies on all servers of the
cluster (``tests/tools/citus_cluster.py``) and has the schema (``heller schema apply --citus``); the one server is started here.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable

from ground import Keys, account_name, say
from heller import Heller, embedded, schema, verify
from heller.errors import HellerError
from spend import BATCH, BATCH_CALLERS, batch, picker, single

ACCOUNTS = 2_000
PREPARED_AT_ONCE = 500
GRANT = 1_000_000_000
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

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


async def per_second(spend: Spend, *, callers: int, seconds: float) -> float:
    """``callers`` that call again as soon as they have their answer."""
    made = 0
    begun = time.perf_counter()

    async def caller(number: int) -> None:
        nonlocal made
        while time.perf_counter() < begun + seconds:
            made += await spend(number)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return made / (time.perf_counter() - begun)


async def transfer(heller: Heller) -> Spend:
    """Between any two accounts: half of them lie on two servers."""
    pick, keys = picker(ACCOUNTS, hot=False), Keys()

    async def spend(_: int) -> int:
        giver = pick()
        taker = account_name(int(giver.rpartition("-")[2]) % ACCOUNTS + 1)
        await heller.transfer(giver, taker, 1, key=keys.next())
        return 1

    return spend


async def measure(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Rounds of both, in turn; medians. Ends with a verification of both ledgers."""
    settings = {"max_connections": "120"} | (FAST if options.fast else {})
    with embedded.running(options=settings) as server:
        await schema.apply(server.url)
        sides = {"one server": server.url, "cluster": options.cluster}
        found: dict[str, dict[str, list[float]]] = {}
        for url in sides.values():
            await prepare(url)
        for number in range(1, options.rounds + 1):
            for side, url in sides.items():
                async with Heller.connect(url) as heller:
                    pick = picker(ACCOUNTS, hot=False)
                    for name, spend, callers in (
                        ("single spends", single(heller, pick), options.callers),
                        (f"batches of {BATCH:,}", batch(heller, pick), BATCH_CALLERS),
                        ("one hot account", single(heller, picker(ACCOUNTS, hot=True)), options.callers),
                        ("transfers", await transfer(heller), options.callers),
                    ):
                        speed = await per_second(spend, callers=callers, seconds=options.seconds)
                        found.setdefault(name, {}).setdefault(side, []).append(speed)
                        say(f"round {number}, {side}, {name}: {speed:,.0f}/s")
        for side, url in sides.items():
            verification = await verify(url)
            say(f"verify, {side}: {verification.transactions:,} transactions, broken: {verification.broken}")
    return {
        name: {side: statistics.median(speeds) for side, speeds in by.items()} for name, by in found.items()
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cluster", required=True, help="URL of the coordinator and the ledger's database")
    parser.add_argument("--seconds", type=float, default=5, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument(
        "--fast", action="store_true", help="the cluster was started with --fast: so is the one server"
    )
    result = asyncio.run(measure(parser.parse_args()))
    print(f"{os.cpu_count()} cores for all servers and the callers, load {os.getloadavg()[0]:.1f}")
    for name, by in result.items():
        print(f"{name:20}" + "".join(f"  {side} {speed:>8,.0f}/s" for side, speed in by.items()))


if __name__ == "__main__":
    main()
