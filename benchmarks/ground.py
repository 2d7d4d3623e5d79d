"""What the benchmarks of the ledger share: a durable server, accounts with a history, pgbench, the CPU's clock."""

import asyncio
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from heller import embedded, schema

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PATIENCE = (1, 4, 16)

# The loop to beat: one transaction a spend, no key, no hash, no history to keep honest.
PGBENCH_TABLES = """
create table pgbench_account (id bigint primary key, balance bigint not null) with (fillfactor = 70);
create table pgbench_entry (
  id bigint generated always as identity primary key, account bigint not null, amount bigint not null,
  balance_after bigint not null, at timestamptz not null default now());
insert into pgbench_account select n, 1000000000000 from generate_series(1, {accounts}) n;
"""
PGBENCH_SPEND = r"""
\set account {account}
begin;
update pgbench_account set balance = balance - 1 where id = :account and balance >= 1 returning balance as rest \gset
insert into pgbench_entry (account, amount, balance_after) values (:account, -1, :rest);
commit;
"""
# Rows of the shape the ledger writes, made by the thousand; their hashes are not chained.
HISTORY = """
insert into heller.transactions (account_id, unit, seq, delta, balance_after, kind, reason, idempotency_key, effective_at, recorded_at, hash)
select 'user-' || a, 'credit', s, case s when 1 then 1000000000000 else -1 end, 1000000000001 - s, case s when 1 then 'grant' else 'spend' end,
       'job analysis', 'history-' || s, now(), now(), sha256((a || ' ' || s)::bytea)
from generate_series({first}, {last}) a, generate_series(1, {each}) s
"""
ACCOUNTS = """
insert into heller.accounts (account_id, posted, last_seq, version, settled_seq, settled_posted, head_hash)
select 'user-' || a, 1000000000001 - {each}, {each}, {each}, {each}, 1000000000001 - {each}, sha256((a || ' ' || {each})::bytea)
from generate_series({first}, {last}) a
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one side."""

    per_second: float
    p50_ms: float
    p99_ms: float
    client_cpu_us: float
    server_cpu_us: float

    def as_json(self) -> dict[str, float]:
        """Rounded to what a reader can use."""
        return {
            "per_second": round(self.per_second),
            "p50_ms": round(self.p50_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
            "client_cpu_us": round(self.client_cpu_us, 1),
            "server_cpu_us": round(self.server_cpu_us, 1),
        }


def median(runs: list[Measured]) -> Measured:
    """The middle of each figure."""
    return Measured(*(statistics.median(getattr(r, name) for r in runs) for name in Measured.__slots__))


def say(text: str) -> None:
    """Talk goes to stderr; stdout is for the result."""
    print(text, file=sys.stderr, flush=True)


def account_name(number: int) -> str:
    """The id of the n-th account."""
    return f"user-{number}"


async def prepare(url: str, *, accounts: int, history: int) -> None:
    """Schema, accounts and their history, and the tables of pgbench."""
    await schema.apply(url)
    each = max(history // accounts, 1)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("set synchronous_commit = off")
        step = max(200_000 // each, 1)
        for first in range(1, accounts + 1, step):
            span = {"first": first, "last": min(first + step - 1, accounts), "each": each}
            await connection.execute(HISTORY.format(**span))
            await connection.execute(ACCOUNTS.format(**span))
        await connection.execute(PGBENCH_TABLES.format(accounts=accounts))
        for table in ("heller.accounts", "heller.transactions", "pgbench_account"):
            await connection.execute(f"vacuum analyze {table}")


async def drop(url: str, name: str) -> None:
    """Remove a database that was measured."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def server_cpu_seconds(server: embedded.EmbeddedServer) -> float:
    """CPU of the server's processes, those that have ended included."""
    return cluster_cpu_seconds(server.directory / "data")


def cluster_cpu_seconds(data: Path) -> float:
    """The same of a server by its data directory."""
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    own = _stat(postmaster)
    total = sum(int(own[i]) for i in (11, 12, 13, 14))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = _stat(int(entry.name))
                if int(fields[1]) == postmaster:
                    total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_SECOND


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


async def load(
    server: embedded.EmbeddedServer,
    spend: Callable[[int], Awaitable[int]],
    *,
    callers: int,
    seconds: float,
) -> Measured:
    """``callers`` that call again as soon as they have their answer; ``spend(caller)`` says how many it made."""
    latencies: list[float] = []
    made = 0

    async def caller(number: int) -> None:
        nonlocal made
        while (begun := time.perf_counter()) < end:
            done = await spend(number)
            made += done
            latencies.append(time.perf_counter() - begun)

    end = time.perf_counter() + min(seconds / 4, 1)  # the plans, the pool, the caches
    await asyncio.gather(*(caller(number) for number in range(callers)))
    latencies.clear()
    made, begun = 0, time.perf_counter()
    end = begun + seconds
    client, cpu = time.process_time(), server_cpu_seconds(server)
    await asyncio.gather(*(caller(number) for number in range(callers)))
    took = time.perf_counter() - begun
    client, cpu = time.process_time() - client, server_cpu_seconds(server) - cpu
    latencies.sort()
    return Measured(
        made / took,
        latencies[len(latencies) // 2] * 1e3,
        latencies[len(latencies) * 99 // 100] * 1e3,
        client / made * 1e6,
        cpu / made * 1e6,
    )


def pgbench(
    server: embedded.EmbeddedServer, *, accounts: int, callers: int, seconds: float, hot: bool
) -> Measured:
    """The same number of callers, each with its own connection and one transaction a spend."""
    with tempfile.TemporaryDirectory(prefix="heller-pgbench-") as folder:
        script = Path(folder, "spend.sql")
        script.write_text(PGBENCH_SPEND.format(account="1" if hot else f"random(1, {accounts})"))
        threads = min(callers, os.cpu_count() or 1)
        command = [
            str(embedded.program("pgbench")),
            *(
                "-n",
                "-M",
                "prepared",
                "-c",
                str(callers),
                "-j",
                str(threads),
            ),
            *("-f", str(script), "-l", "--log-prefix", str(Path(folder, "log")), server.url),
        ]
        # its clock runs while it connects, which on a busy machine may take all the time it has
        for patience in PATIENCE:
            client, cpu = resource.getrusage(resource.RUSAGE_CHILDREN), server_cpu_seconds(server)
            answer = subprocess.run(
                [*command[:-1], "-T", str(max(round(seconds), 1) * patience), command[-1]],
                capture_output=True, text=True, check=True, cwd=folder,
            ).stdout  # fmt: skip
            cpu = server_cpu_seconds(server) - cpu
            if "actually processed: 0" not in answer:
                break
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - client.ru_utime - client.ru_stime
        rate = re.search(r"^tps = ([0-9.]+)", answer, re.MULTILINE)
        if rate is None:
            raise RuntimeError(f"pgbench did nothing in {seconds} seconds: {answer}")
        latencies = sorted(
            int(line.split()[2])
            for log in Path(folder).glob("log.*")
            for line in log.read_text().splitlines()
        )
    made = len(latencies)
    return Measured(
        float(rate[1]),
        latencies[made // 2] / 1e3,
        latencies[made * 99 // 100] / 1e3,
        spent / made * 1e6,
        cpu / made * 1e6,
    )


def machine(server: embedded.EmbeddedServer) -> dict[str, Any]:
    """Where it was measured."""
    with psycopg.connect(server.url) as connection:
        row = connection.execute(
            "select current_setting('server_version'), current_setting('fsync')"
        ).fetchone()
    model = ""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "postgresql": row[0] if row else "",
        "fsync": row[1] if row else "",
    }


class Keys:
    """Keys as applications make them: ordered by time, never the same."""

    def __init__(self) -> None:
        self._made = 0
        self._prefix = f"{time.time_ns():x}-{random.randrange(1 << 20):05x}"

    def next(self) -> str:
        """A new one."""
        self._made += 1
        return f"{self._prefix}-{self._made:x}"
