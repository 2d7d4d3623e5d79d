"""How fast users move, how long one is at home nowhere, and what the guard costs the legacy application.

``python benchmarks/handover.py [--users 2000] [--rounds 3]`` starts its own two servers. Seconds on the clock depend on what else the
machine does, so each figure comes with the load average and the CPU a user took; over several rounds the median is shown.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from ground import server_cpu_seconds
from handover_world import TABLES, legacy_spend  # the same small legacy application as in the tests
from heller import embedded, schema
from heller.migration.copying import copy
from heller.migration.handover import fence
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.runs import move_many, open_sides

ROWS_A_USER = 12
PAIRS = 12
STATEMENTS = 400
ONE_BY_ONE = 300


async def build(url: str, users: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(TABLES)
        await connection.execute(
            "insert into users (email, credits_balance)"
            " select 'user' || n || '@example.com', 1000 - %s from generate_series(1, %s) n",
            [ROWS_A_USER - 1, users],
        )
        await connection.execute(
            "insert into credit_transactions (user_id, delta_credits, reason)"
            " select n::text, case when k = 1 then 1000 else -1 end, case when k = 1 then 'welcome' else 'usage' end"
            " from generate_series(1, %s) n, generate_series(1, %s) k",
            [users, ROWS_A_USER],
        )
        await connection.execute("vacuum analyze")


async def spends(connection: psycopg.AsyncConnection, users: int, name: str) -> float:
    """Milliseconds a legacy spend takes, in the median."""
    times = []
    for n in range(STATEMENTS):
        started = time.perf_counter()
        await legacy_spend(connection, str(n % users + 1), 1, f"{name}-{n}")
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


async def guard_cost(legacy: str, users: int) -> tuple[float, float]:
    """A legacy spend without and with the guard, interleaved on one connection: the median of each."""
    without, with_guard = [], []
    async with await psycopg.AsyncConnection.connect(legacy, autocommit=True) as connection:
        for n in range(PAIRS):
            for state, results in (("disable", without), ("enable always", with_guard)):
                for table in ("users", "credit_transactions"):
                    await connection.execute(f"alter table {table} {state} trigger zz_heller_fence")
                results.append(await spends(connection, users, f"{state}-{n}"))
    return statistics.median(without), statistics.median(with_guard)


Servers = tuple[embedded.EmbeddedServer, embedded.EmbeddedServer]


async def moves(
    servers: Servers, legacy: str, ours: str, users: int, *, batch: int, back: bool
) -> dict[str, float]:
    """Move so many users and say how fast."""
    async with open_sides(legacy, ours) as sides:
        coordinator = sides.coordinator()

        async def wanted() -> AsyncIterator[str]:
            left = users
            async for user, _ in sides.legacy.users(away=back):
                if left == 0:
                    return
                left -= 1
                yield user

        cpu = time.process_time() + sum(server_cpu_seconds(server) for server in servers)
        started = time.perf_counter()
        done = await move_many(
            coordinator.send_back if back else coordinator.hand_over, wanted(), batch_users=batch
        )
        seconds = time.perf_counter() - started
        cpu = time.process_time() + sum(server_cpu_seconds(server) for server in servers) - cpu
        told = done.as_json()
        count = told["returned"] if back else told["moved"]
        if not told["ok"] or count != users:
            raise SystemExit(f"not everybody moved: {told}")
        return {
            "users_per_second": count / seconds,
            "median_ms": told["frozen_ms_median"],
            "p99_ms": told["frozen_ms_p99"],
            "cpu_ms": cpu / count * 1000,
            "load": os.getloadavg()[0],
        }


async def busy(legacy: str, users: int, until: asyncio.Event) -> tuple[int, int]:
    """The legacy application keeps spending; how many went through, and how many users had moved."""
    done = moved = 0
    async with await psycopg.AsyncConnection.connect(legacy, autocommit=True) as connection:
        n = 0
        while not until.is_set():
            n += 7
            try:
                await legacy_spend(connection, str(n % users + 1), 1, f"busy-{n}")
                done += 1
            except psycopg.Error as error:
                if error.sqlstate != "MG001":
                    raise
                moved += 1
            await asyncio.sleep(0.001)
    return done, moved


def show(what: str, results: list[dict[str, float]]) -> None:
    of = {name: statistics.median(result[name] for result in results) for name in results[0]}
    print(
        f"{what:42} {of['users_per_second']:8,.0f} users/s   at home nowhere {of['median_ms']:6.1f} ms median, {of['p99_ms']:6.1f} ms p99"
        f"   {of['cpu_ms']:5.2f} ms CPU a user   load {of['load']:4.1f}",
        flush=True,
    )


async def there_and_back(servers: Servers, legacy: str, ours: str, users: int, *, rounds: int) -> None:
    there, back = [], []
    for _ in range(rounds):
        there.append(await moves(servers, legacy, ours, users, batch=50, back=False))
        back.append(await moves(servers, legacy, ours, users, batch=50, back=True))
    show("handover, batches of 50, pre-copied", there)
    show("return, batches of 50", back)
    some = min(users, ONE_BY_ONE)
    show("handover, one at a time", [await moves(servers, legacy, ours, some, batch=1, back=False)])
    await moves(servers, legacy, ours, some, batch=50, back=True)


async def while_spending(servers: Servers, legacy: str, ours: str, users: int, *, rounds: int) -> None:
    found, done, moved = [], 0, 0
    for number in range(rounds):
        stop = asyncio.Event()
        spending = asyncio.create_task(busy(legacy, users, stop))
        found.append(await moves(servers, legacy, ours, users, batch=50, back=False))
        stop.set()
        more, away = await spending
        done, moved = done + more, moved + away
        if number < rounds - 1:
            await moves(servers, legacy, ours, users, batch=50, back=True)
    show("handover while the application spends", found)
    print(
        f"meanwhile {done:,} legacy spends went through, {moved:,} met the clear 'moved' error, none any other"
    )


async def main(users: int, rounds: int) -> None:
    with embedded.running() as first, embedded.running() as second:
        servers = first, second
        legacy, ours = first.ensure_database("legacy"), second.ensure_database("heller")
        await schema.apply(ours)
        await build(legacy, users)
        with tempfile.TemporaryDirectory() as folder:
            await copy(legacy, ours, Path(folder), decide="recommended", replan=True)
        async with open_sides(legacy, ours, needs_fence=False) as sides:
            started = time.perf_counter()
            await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout)
            print(
                f"fence for {users:,} users built and tested in {time.perf_counter() - started:.2f} s",
                flush=True,
            )
        await there_and_back(servers, legacy, ours, users, rounds=rounds)
        without, with_guard = await guard_cost(legacy, users)
        print(
            f"legacy spend {without:.3f} ms without the guard, {with_guard:.3f} ms with it:"
            f" {with_guard - without:+.3f} ms, x {with_guard / without:.2f}"
        )
        tail = 2 * PAIRS * STATEMENTS / users
        show(
            f"handover with a tail of {tail:.1f} rows a user",
            [await moves(servers, legacy, ours, users, batch=50, back=False)],
        )
        await moves(servers, legacy, ours, users, batch=50, back=True)
        await while_spending(servers, legacy, ours, users, rounds=rounds)
        async with open_sides(legacy, ours) as sides:
            result = await check_invariants(sides, strict=True)
            if not result.ok:
                raise SystemExit(f"an invariant is broken: {result.breaches[:3]}")
            print(result.conservation.line())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(main(options.users, options.rounds))
