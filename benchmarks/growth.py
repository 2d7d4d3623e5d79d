"""What a spend and a balance read cost in a ledger that is a thousand times as large.

``python benchmarks/growth.py --plot docs/growth.png`` measures at 10 k to 10 M transactions and 1 k to 1 M accounts.
"""

import argparse
import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ground
import spend
from heller import Heller, embedded

HISTORY = (10_000, 100_000, 1_000_000, 10_000_000)
ACCOUNTS = (1_000, 10_000, 100_000, 1_000_000)
ACCOUNTS_OF_HISTORY = 10_000


def reader(heller: Heller, accounts: int) -> Callable[[int], Awaitable[int]]:
    """One balance a call."""

    async def read(_: int) -> int:
        await heller.balance(ground.account_name(random.randint(1, accounts)))
        return 1

    return read


async def point(
    server: embedded.EmbeddedServer, options: argparse.Namespace, *, accounts: int, history: int
) -> dict[str, Any]:
    """Both costs at one size, in a database of its own."""
    name = f"a{accounts}_t{history}"
    url = server.ensure_database(name)
    await ground.prepare(url, accounts=accounts, history=history)
    pick = spend.picker(accounts, hot=False)
    async with Heller.connect(url) as heller:
        spends = [
            await ground.load(server, spend.batch(heller, pick), callers=1, seconds=options.seconds)
            for _ in range(options.rounds)
        ]
        reads = [
            await ground.load(server, reader(heller, accounts), callers=1, seconds=options.seconds)
            for _ in range(options.rounds)
        ]
    await ground.drop(server.url, name)
    found: dict[str, Any] = {
        "accounts": accounts,
        "transactions": max(history, accounts),
        "spend": ground.median(spends).as_json(),
        "balance": ground.median(reads).as_json(),
    }
    ground.say(
        f"{accounts:,} accounts, {found['transactions']:,} transactions: spend {found['spend']['server_cpu_us']} us, "
        f"balance {found['balance']['server_cpu_us']} us of the server's CPU"
    )
    return found


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All sizes up to the limit."""
    with embedded.running() as server:
        return {
            "by_transactions": [
                await point(server, options, accounts=ACCOUNTS_OF_HISTORY, history=size)
                for size in HISTORY
                if size <= options.limit
            ],
            "by_accounts": [
                await point(server, options, accounts=size, history=size)
                for size in ACCOUNTS
                if size <= options.limit
            ],
            "machine": ground.machine(server),
        }


def plot(result: dict[str, Any], path: Path) -> None:
    """CPU of the server for a spend and for a balance, against both sizes."""
    import matplotlib as mpl  # noqa: PLC0415 - only --plot needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
    for side, by in zip(axes, ("transactions", "accounts"), strict=True):
        points = result[f"by_{by}"]
        for what, label in (("spend", "a spend, in batches of 2,000"), ("balance", "a balance read")):
            values = [one[what]["server_cpu_us"] for one in points]
            side.plot([one[by] for one in points], values, marker="o", label=label)
        side.set_xscale("log")
        side.set_xlabel(f"{by} in the ledger")
        side.set_ylim(bottom=0)
        side.grid(alpha=0.3)
    axes[0].set_ylabel("server's CPU, us")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=HISTORY[-1], help="leave larger sizes out")
    parser.add_argument("--plot", type=Path, help="write the plot there (needs matplotlib)")
    options = parser.parse_args()
    result = asyncio.run(measure(options))
    if options.plot:
        plot(result, options.plot)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
