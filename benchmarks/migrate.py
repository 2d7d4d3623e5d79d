"""Speed and memory of a migration, beside a raw COPY of the same rows and beside the row-by-row way.

Everything runs on one embedded PostgreSQL with its default durability (fsync on). A round measures
``copy`` from nothing, and then, into a fresh ledger, ``audit``, ``plan``, ``copy`` of what was planned, and
``verify``, each in a process of its own. Then it pipes the rows that the copy wrote, from a table in the source database and in the source's order, into a second heller schema
by binary COPY: with its keys in place, and with its keys built afterwards. Only the ratios of one
round are worth comparing; the seconds are the machine's and its load's.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql

from heller import embedded, migration, schema
from legacy_sample import build
from migrate_otherwise import TABLES, lay_out, pipe, row_by_row

USERS_SMALL = 20_000
USERS_FULL = 200_000
SEED = 7
MEMORY_MB_MAX = 200
RATIO_MIN = 0.8
STEP_SECONDS_MAX = 6 * 3600
STEPS = ("copy_from_nothing", "audit", "plan", "copy", "verify")
Figures = dict[str, Any]


def main() -> int:
    """Measure, print, write the JSON. Exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--users", type=int, default=USERS_SMALL, help="users of the sample (10 transactions each)"
    )
    parser.add_argument(
        "--full", action="store_true", help=f"{USERS_FULL:,} users: 2 M transactions, 300 k payments"
    )
    parser.add_argument("--samples", default="clean,messy", help="clean, messy or both")
    parser.add_argument("--rounds", type=int, default=1, help="rounds; the figures are medians")
    parser.add_argument("--by-hand", type=int, default=3_000, metavar="ROWS", help="rows to move row by row")
    parser.add_argument(
        "--steps-only", action="store_true", help="leave out the raw COPY (for sizes beyond it)"
    )
    parser.add_argument("--out", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of the table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(asyncio.run(_child(**json.load(sys.stdin)))))
        return 0
    users = USERS_FULL if arguments.full else arguments.users
    samples = arguments.samples.split(",")
    with embedded.running() as server, TemporaryDirectory() as folder:
        result: Figures = {
            "machine": machine(server.url),
            "users": users,
            "samples": {
                name: measure(
                    server, Path(folder), name=name, users=users, rounds=arguments.rounds,
                    by_hand=arguments.by_hand, raw=not arguments.steps_only,
                )
                for name in samples
            },
        }  # fmt: skip
    text = json.dumps(result, indent=2)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text if arguments.json else "\n".join(table(result)))
    return 0 if all(sample["ok"] for sample in result["samples"].values()) else 1


def machine(url: str) -> Figures:
    """What the figures were measured on."""
    with psycopg.connect(url) as connection:
        names = (
            "server_version",
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "shared_buffers",
            "max_wal_size",
        )
        settings = {name: _one(connection, "select current_setting(%s)", name) for name in names}
    models = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": memory[0] // 1_048_576,
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": platform.release(),
        "postgresql": settings,
    }


def measure(
    server: embedded.EmbeddedServer,
    folder: Path,
    *,
    name: str,
    users: int,
    rounds: int,
    by_hand: int,
    raw: bool,
) -> Figures:
    """One sample: its rows, the median figures of its rounds, every round, and whether the bars are met."""
    source = server.ensure_database(f"legacy_{name}")
    summary = asyncio.run(build(source, shape="production", users=users, seed=SEED, clean=name == "clean"))
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute(
            "vacuum (analyze)"
        )  # as a database that lives; else a vacuum runs beside what is measured
    legacy = ("users", "stripe_customers", "payments", "credit_transactions", "credit_ledger")
    measured = []
    for number in range(rounds):
        figures = _steps(server, source, folder / f"{name}-{number}")
        if raw:
            figures |= _raw(server, source, rows=figures["rows"], first=number == 0)
            for key, step in (("ratio", "copy"), ("ratio_from_nothing", "copy_from_nothing")):
                figures[key] = round(figures["raw_seconds"] / figures[f"{step}_seconds"], 3)
                figures[f"{key}_cpu"] = round(figures["raw_cpu_seconds"] / figures[f"{step}_cpu_seconds"], 3)
        measured.append(figures)
    keys = [key for key, value in measured[0].items() if isinstance(value, int | float) and key != "ok"]
    medians = {key: statistics.median(figures[key] for figures in measured) for key in keys}
    if by_hand:
        target = _fresh(server, "by_hand")
        medians["by_hand_rows_per_second"] = asyncio.run(row_by_row(source, target, rows=by_hand))
    return {
        "source_rows": {table: summary.rows[table] for table in legacy},
        "medians": medians,
        "rounds": measured,
        "ok": all(figures["ok"] for figures in measured) and not missed(medians),
    }


def missed(medians: Figures) -> list[str]:
    """The bars that the medians miss, in words."""
    bars = {
        f"copy below {RATIO_MIN} of the raw rate": medians.get("ratio", 1) < RATIO_MIN,
        "audit slower than a copy from nothing": medians["audit_seconds"]
        > medians["copy_from_nothing_seconds"],
        "verify slower than a copy from nothing": medians["verify_seconds"]
        > medians["copy_from_nothing_seconds"],
        f"more than {MEMORY_MB_MAX} MB": max(medians[f"{step}_peak_mb"] for step in STEPS) > MEMORY_MB_MAX,
    }
    return [words for words, is_missed in bars.items() if is_missed]


def _steps(server: embedded.EmbeddedServer, source: str, out: Path) -> Figures:
    """A copy from nothing; then audit, plan, copy and verify of a fresh target: each in a process of its own."""
    figures: Figures = {"ok": True, "load": os.getloadavg()[0]}
    target = _fresh(server, "target")
    for step in STEPS:
        if step == "audit":
            target = _fresh(server, "target")
        _checkpoint(server)
        answer = _in_child(verb=step, source=source, database=target, out=str(out))
        for figure in ("seconds", "cpu_seconds", "peak_mb", "phases"):
            figures[f"{step}_{figure}"] = answer[figure]
        figures["ok"] &= answer["ok"] or step == "audit"
    with psycopg.connect(target) as connection:
        figures["rows"] = sum(
            _one(connection, sql.SQL("select count(*) from heller.{}").format(sql.Identifier(table)))
            for table in TABLES
        )
    figures["copy_rows_per_second"] = round(figures["rows"] / figures["copy_seconds"])
    return figures


def _raw(server: embedded.EmbeddedServer, source: str, *, rows: int, first: bool) -> Figures:
    """The same rows from the same source by raw COPY, with keys in place and with keys built after."""
    if first:
        lay_out(source, server.database_url("target"))
    figures: Figures = {}
    for name, after in (("raw", False), ("raw_keys_after", True)):
        target = _fresh(server, "raw")
        _checkpoint(server)
        seconds, cpu = pipe(source, target, keys_after=after, cpu=partial(cpu_seconds, server.url))
        figures |= {f"{name}_seconds": seconds, f"{name}_cpu_seconds": cpu}
        figures[f"{name}_rows_per_second"] = round(rows / seconds)
    copied = server.database_url("target")
    with psycopg.connect(copied) as one, psycopg.connect(server.database_url("raw")) as other:
        query = "select sum(delta), count(*), max(seq) from heller.transactions"
        if one.execute(query).fetchone() != other.execute(query).fetchone():
            raise SystemExit("the raw copy holds other rows than the copy: nothing here can be compared")
    _drop(server, "raw")  # an automatic vacuum of it would be counted with the next copy
    return figures


def _in_child(**request: str) -> Figures:
    done = subprocess.run(
        [sys.executable, __file__, "--child"],
        input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True, timeout=STEP_SECONDS_MAX,
    )  # fmt: skip
    answer: Figures = json.loads(done.stdout)
    return answer


async def _child(*, verb: str, source: str, database: str, out: str) -> Figures:
    """One verb and what it took; the phases are those its progress names."""
    marks: list[tuple[str, float, float]] = [("connect", time.monotonic(), cpu_seconds(database))]

    def progress(step: str, done: int, total: int) -> None:
        del done, total
        phase = step.split(maxsplit=1)[0]
        if marks[-1][0] != phase:
            marks.append((phase, time.monotonic(), cpu_seconds(database)))

    folder, is_ok = Path(out), True
    if verb == "audit":
        await migration.audit(source, database, folder, progress=progress)
    elif verb == "plan":
        await migration.plan(source, database, folder, decide="recommended", progress=progress)
    elif verb == "verify":
        is_ok = (await migration.verify(source, database, folder, progress=progress)).ok
    else:
        replan = verb == "copy_from_nothing"
        is_ok = (
            await migration.copy(
                source, database, folder, decide="recommended", replan=replan, progress=progress
            )
        ).ok
    marks.append(("end", time.monotonic(), cpu_seconds(database)))
    phases: dict[str, dict[str, float]] = {}
    for (phase, begun, cpu_before), (_, ended, cpu_after) in pairwise(marks):
        spent = phases.setdefault(phase, {"seconds": 0.0, "cpu_seconds": 0.0})
        spent["seconds"] = round(spent["seconds"] + ended - begun, 3)
        spent["cpu_seconds"] = round(spent["cpu_seconds"] + cpu_after - cpu_before, 3)
    peak = next(int(line.split()[1]) for line in _lines("/proc/self/status") if line.startswith("VmHWM"))
    return {
        "ok": is_ok, "seconds": round(marks[-1][1] - marks[0][1], 3),
        "cpu_seconds": round(marks[-1][2] - marks[0][2], 3), "peak_mb": peak // 1024, "phases": phases,
    }  # fmt: skip


def cpu_seconds(url: str) -> float:
    """CPU time of this process and of the whole server so far: what a busy machine does not distort."""
    with psycopg.connect(url) as connection:
        postmaster = _stat(connection.info.backend_pid)[3]
        ticks = 0
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
                of_server = stat[0] == postmaster or stat[3] == postmaster
                ticks += sum(stat[13:15]) if of_server else 0
                ticks += sum(stat[15:17]) if stat[0] == postmaster else 0  # backends that have ended
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def _stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat in their places; empty for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return []
    return [pid, 0, 0, *map(int, text.rpartition(") ")[2].split()[1:])]


def _fresh(server: embedded.EmbeddedServer, name: str) -> str:
    _drop(server, name)
    url = server.ensure_database(name)
    asyncio.run(schema.apply(url))
    return url


def _drop(server: embedded.EmbeddedServer, name: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _checkpoint(server: embedded.EmbeddedServer) -> None:
    """Start each measurement with nothing left to write from the one before."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("checkpoint")


def _one(connection: psycopg.Connection, query: str | sql.Composed, *values: str) -> Any:
    row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def table(result: Figures) -> Iterator[str]:
    """The figures for a person."""
    here = result["machine"]
    yield f"{here['cpu']}, {here['cores']} cores, PostgreSQL {here['postgresql']['server_version']}, fsync {here['postgresql']['fsync']}"
    for name, sample in result["samples"].items():
        found = sample["medians"]
        yield f"\n{name}: {result['users']:,} users, {found['rows']:,.0f} rows written, {len(sample['rounds'])} round(s), medians"
        for step in STEPS:
            words = step.replace("_", " ")
            yield f"  {words:<24}{found[f'{step}_seconds']:>9.1f} s {found[f'{step}_peak_mb']:>7.0f} MB at most"
        for key, words in (("raw", "raw COPY, keys in place"), ("raw_keys_after", "raw COPY, keys after")):
            if f"{key}_seconds" in found:
                yield f"  {words:<24}{found[f'{key}_seconds']:>9.1f} s {found[f'{key}_rows_per_second']:>9,.0f} rows/s"
        for key, words in (("ratio", "the copy"), ("ratio_from_nothing", "a copy from nothing")):
            if key in found:
                yield f"  of the raw COPY, {words}: {found[key]:.2f} by the clock, {found[f'{key}_cpu']:.2f} by CPU"
        if "by_hand_rows_per_second" in found:
            yield f"  {'row by row':<24}{found['by_hand_rows_per_second']:>24,.0f} rows/s"
        for bar in missed(found):
            yield f"  missed: {bar}"


if __name__ == "__main__":
    sys.exit(main())
