"""Spends a second of heller, of pgbench and of the peers from PyPI, each in a database of its own on one server.

``uv pip install --group peers`` brings the peers; those that are not installed are left out.
``python benchmarks/compare.py --plot docs/peers.png`` draws the table.
"""

import argparse
import asyncio
import importlib
import json
import random
from pathlib import Path
from typing import Any

import ground
import spend
from ground import Keys, Measured
from heller import Heller, embedded

PEERS = ("hf_nostro", "pantheon_credit_ledger", "gringotts_api")


async def _peer(
    server: embedded.EmbeddedServer, module: str, options: argparse.Namespace
) -> dict[str, Any] | None:
    try:
        peer = importlib.import_module(f"peers.{module}").Peer()
    except ImportError as error:
        ground.say(f"{module} is left out: {error}")
        return None
    await peer.open(server.ensure_database(module), options.accounts, options.callers)
    keys, found = Keys(), {}
    for load in ("uniform", "hot"):

        async def once(_: int, *, hot: bool = load == "hot") -> int:
            await peer.spend(0 if hot else random.randrange(options.accounts), keys.next())
            return 1

        runs = [
            await ground.load(server, once, callers=options.callers, seconds=options.seconds)
            for _ in range(options.rounds)
        ]
        found[load] = ground.median(runs).as_json()
        ground.say(f"{peer.name}, {load}: {found[load]['per_second']:,}/s")
    await peer.close()
    return {"name": peer.name, **found}


async def _heller(server: embedded.EmbeddedServer, options: argparse.Namespace) -> list[dict[str, Any]]:
    runs: dict[tuple[str, str], list[Measured]] = {}
    common = {"callers": options.callers, "seconds": options.seconds}
    await ground.prepare(server.url, accounts=options.accounts, history=options.accounts)
    for _ in range(options.rounds):
        for load in ("uniform", "hot"):
            hot = load == "hot"
            pick = spend.picker(options.accounts, hot=hot)
            async with Heller.connect(server.url) as heller:
                one = await ground.load(server, spend.single(heller, pick), **common)
            base = await asyncio.to_thread(
                ground.pgbench, server, accounts=options.accounts, hot=hot, **common
            )
            runs.setdefault(("heller", load), []).append(one)
            runs.setdefault(("pgbench (no key)", load), []).append(base)
    return [
        {"name": name} | {load: ground.median(runs[name, load]).as_json() for load in ("uniform", "hot")}
        for name in ("heller", "pgbench (no key)")
    ]


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All of them, one after the other."""
    with embedded.running(options={"max_connections": str(options.callers + 60)}) as server:
        rows = await _heller(server, options)
        rows += [row for module in PEERS if (row := await _peer(server, module, options))]
        return {
            "callers": options.callers,
            "accounts": options.accounts,
            "rows": rows,
            "machine": ground.machine(server),
        }


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    lines = ["| | uniform/s | p99 ms | one hot account/s | p99 ms |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['name']} | {row['uniform']['per_second']:,} | {row['uniform']['p99_ms']:.1f} "
        f"| {row['hot']['per_second']:,} | {row['hot']['p99_ms']:.1f} |"
        for row in result["rows"]
    ]
    return "\n".join(lines)


def plot(result: dict[str, Any], path: Path) -> None:
    """The same as bars, on a logarithmic scale."""
    import matplotlib as mpl  # noqa: PLC0415 - only --plot needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    rows = result["rows"][::-1]
    for shift, load in ((0.2, "uniform"), (-0.2, "hot")):
        values = [row[load]["per_second"] for row in rows]
        bars = axes.barh([place + shift for place in range(len(rows))], values, height=0.38, label=load)
        axes.bar_label(bars, labels=[f" {value:,}" for value in values], fontsize=8)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.set_xscale("log")
    axes.set_xlabel(f"spends a second, {result['callers']} callers, fsync on (logarithmic)")
    axes.set_xlim(right=max(row["uniform"]["per_second"] for row in rows) * 4)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--plot", type=Path, help="write the plot there (needs matplotlib)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = asyncio.run(measure(options))
    if options.plot:
        plot(result, options.plot)
    print(json.dumps(result, indent=2) if options.json else table(result))


if __name__ == "__main__":
    main()
