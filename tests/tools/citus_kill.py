"""Kills a worker of a Citus cluster under load (SIGKILL), starts it again, and looks whether anything is missing or doubled.

``python tests/tools/citus_kill.py --cluster postgresql://postgres@127.0.0.1:45430/ledger --folder /tmp/heller-citus
--pginstall ...``, for a cluster of ``citus_cluster.py`` on which ``heller schema apply --citus`` was run. Without
``--fast``: a server that does not wait for its log loses what it acknowledged when it is killed, whatever ran on it.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
from citus_cluster import run

from heller import Heller, verify
from heller.errors import DatabaseError, HellerError

ACCOUNTS = 200
CALLERS = 32
SECONDS = 15.0
KILL_AFTER_SECONDS = 5.0
DOWN_SECONDS = 3.0
TRANSFERS = 0.1


async def prepare(heller: Heller, names: list[str]) -> None:
    """Accounts that never run out."""
    for operations in (
        [{"verb": "open_account", "account": name} for name in names],
        [{"verb": "grant", "account": name, "amount": 1_000_000, "key": "start"} for name in names],
    ):
        for result in await heller.apply(operations):
            if isinstance(result, HellerError):
                raise result


async def load(heller: Heller, names: list[str], said: Counter[str]) -> list[tuple[str, str]]:
    """Spends and transfers until the time is over; the account and key of each that was acknowledged."""
    done: list[tuple[str, str]] = []
    end = time.monotonic() + SECONDS

    async def caller() -> None:
        while time.monotonic() < end:
            giver, taker, key = *random.sample(names, 2), uuid4().hex
            try:
                if random.random() < TRANSFERS:
                    await heller.transfer(giver, taker, 1, key=key)
                else:
                    await heller.spend(giver, 1, key=key)
            except DatabaseError as error:
                said[type(error).__name__] += 1
                await asyncio.sleep(0.05)
            else:
                said["acknowledged"] += 1
                done.append((giver, key))

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return done


def processes(node: Path) -> list[int]:
    """The server and its children."""
    postmaster = int((node / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


async def kill(pginstall: Path, node: Path) -> None:
    """The server and all its processes, then a new start."""
    await asyncio.sleep(KILL_AFTER_SECONDS)
    for pid in processes(node):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(DOWN_SECONDS)
    await asyncio.to_thread(run, pginstall, "pg_ctl", "-D", node, "-l", f"{node}.log", "-w", "start")


async def main(options: argparse.Namespace) -> int:
    """0 if nothing is wrong."""
    names = [f"killed-{number}" for number in range(ACCOUNTS)]
    said: Counter[str] = Counter()
    async with Heller.connect(options.cluster) as heller:
        await prepare(heller, names)
        done, _ = await asyncio.gather(
            load(heller, names, said), kill(options.pginstall, options.folder / "node-1")
        )
    with psycopg.connect(options.cluster, autocommit=True) as connection:
        connection.execute("select recover_prepared_transactions()")
        rows = connection.execute(
            "select account_id, idempotency_key from heller.transactions where idempotency_key is not null"
        )
        found = Counter((account, key) for account, key in rows)
    missing = [item for item in done if item not in found]
    doubled = [item for item, times in found.items() if times > 1]
    verification = await verify(options.cluster)
    print(f"answers: {dict(said)}; acknowledged and missing: {len(missing)}; twice: {len(doubled)}")
    print(f"verify: {verification.transactions:,} transactions, broken: {list(verification.broken)}")
    return 1 if missing or doubled or verification.broken else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cluster", required=True, help="URL of the coordinator and the ledger's database")
    parser.add_argument(
        "--folder", type=Path, required=True, help="where the cluster's servers have their data"
    )
    parser.add_argument("--pginstall", type=Path, required=True)
    sys.exit(asyncio.run(main(parser.parse_args())))
