"""Spends a second through the library, beside pgbench doing UPDATE + INSERT one by one, on one durable server.

``python benchmarks/spend.py --seconds 5 --json``. The two take turns; figures are medians of the rounds, so
that a slow minute of the machine falls on both.
"""

import argparse
import asyncio
import json
import random
import statistics
from collections.abc import Awaitable, Callable
from typing import Any

import ground
from ground import Keys, Measured, account_name
from heller import Heller, embedded
from heller.errors import HellerError

BATCH = 2_000
BATCH_CALLERS = 4
REASON = "job analysis"


def picker(accounts: int, *, hot: bool) -> Callable[[], str]:
    """Which account the next spend is for."""
    return (lambda: account_name(1)) if hot else (lambda: account_name(random.randint(1, accounts)))


def single(heller: Heller, pick: Callable[[], str]) -> Callable[[int], Awaitable[int]]:
    """One spend a call, each with a key of its own."""
    keys = Keys()

    async def spend(_: int) -> int:
        await heller.spend(pick(), 1, key=keys.next(), reason=REASON)
        return 1

    return spend


def batch(heller: Heller, pick: Callable[[], str]) -> Callable[[int], Awaitable[int]]:
    """2,000 spends a call."""
    keys = Keys()

    async def spend(_: int) -> int:
        results = await heller.apply(
            [
                {"verb": "spend", "account": pick(), "amount": 1, "key": keys.next(), "reason": REASON}
                for _ in range(BATCH)
            ]
        )
        failed = next((result for result in results if isinstance(result, HellerError)), None)
        if failed is not None:
            raise failed
        return len(results)

    return spend


async def rounds(
    server: embedded.EmbeddedServer, options: argparse.Namespace, callers: int
) -> dict[str, Any]:
    """All scenarios at so many callers, the two sides in turn."""
    runs: dict[str, list[Measured]] = {}
    common = {"callers": callers, "seconds": options.seconds}
    for number in range(1, options.rounds + 1):
        for load in ("uniform", "hot"):
            hot = load == "hot"
            pick = picker(options.accounts, hot=hot)
            async with Heller.connect(server.url) as heller:
                found = await ground.load(server, single(heller, pick), **common)
                runs.setdefault(f"{load} heller", []).append(found)
            base = await asyncio.to_thread(
                ground.pgbench, server, accounts=options.accounts, hot=hot, **common
            )
            runs.setdefault(f"{load} pgbench", []).append(base)
            async with Heller.connect(server.url) as heller:
                many = await ground.load(
                    server, batch(heller, pick), callers=BATCH_CALLERS, seconds=options.seconds
                )
                runs.setdefault(f"{load} batch", []).append(many)
            ground.say(
                f"round {number}, {callers} callers, {load}: heller {found.per_second:,.0f}/s, "
                f"pgbench {base.per_second:,.0f}/s, in batches {many.per_second:,.0f}/s"
            )
    return {
        "uniform": _compared(runs["uniform heller"], runs["uniform pgbench"]),
        "hot": _compared(runs["hot heller"], runs["hot pgbench"]),
        "batch": {
            load: _compared(runs[f"{load} batch"], runs[f"{load} pgbench"]) | {"size": BATCH}
            for load in ("uniform", "hot")
        },
    }


def _compared(ours: list[Measured], theirs: list[Measured]) -> dict[str, Any]:
    ratio = statistics.median(a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True))
    left, right = ground.median(ours).as_json(), ground.median(theirs).as_json()
    return {
        "heller": left.pop("per_second"),
        "pgbench": right.pop("per_second"),
        "ratio": round(ratio, 2),
        **{name: {"heller": value, "pgbench": right[name]} for name, value in left.items()},
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Start a server, fill it, measure, stop it."""
    callers = [int(count) for count in options.callers.split(",")]
    with embedded.running(options={"max_connections": str(max(callers) + 40)}) as server:
        ground.say(f"preparing {options.accounts:,} accounts, {options.history:,} transactions")
        await ground.prepare(server.url, accounts=options.accounts, history=options.history)
        found = {count: await rounds(server, options, count) for count in callers}
        main = 64 if 64 in found else callers[0]
        return found[main] | {
            "callers": main,
            "accounts": options.accounts,
            "history": options.history,
            "seconds": options.seconds,
            "rounds": options.rounds,
            "by_callers": {str(count): result for count, result in found.items() if count != main},
            "machine": ground.machine(server),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side")
    parser.add_argument("--callers", default="64", help="concurrent callers, or several: 1,16,64,256")
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--history", type=int, default=100_000, help="transactions that are there before")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    result = asyncio.run(measure(options))
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, found in (
        ("single, uniform", result["uniform"]),
        ("single, one hot account", result["hot"]),
        ("batches, uniform", result["batch"]["uniform"]),
        ("batches, one hot account", result["batch"]["hot"]),
    ):
        print(
            f"{name:26} heller {found['heller']:>8,}/s   pgbench {found['pgbench']:>7,}/s   x {found['ratio']}"
        )


if __name__ == "__main__":
    main()
