"""Soak: everything at once for a long time, with restarts, and then the sums.

The legacy application and heller serve the same customers on one PostgreSQL. Customers spend, undo, buy through Stripe's
stand-in and get money back in both systems; programs use accounts of heller through the API. Stripe delivers webhooks
twice and loses answers. Users change homes in both directions, by command and by rollouts under their guardrails. Web and
worker processes, the legacy application and PostgreSQL are stopped or killed and started again. One web process and one
worker live through the whole run: of them memory is judged.

    python benchmarks/soak.py --minutes 60 --out soak.json --report docs/performance-soak.md

Exit 1 when something is not as it must be. ``--from`` only writes the report of what ``--out`` holds.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

import soak_report
from heller.database import connect
from heller.errors import HellerError
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.runs import open_sides
from legacy_sample.traffic import customers_of
from soak_api import Due, programs
from soak_judge import IDLE, IDLE_SECONDS, judge, settle
from soak_rollout import rollouts
from soak_stage import FAULTS, World, rss_mb, stage

SAMPLE_SECONDS = 10.0
ACT_SECONDS = 20.0
VERIFY_SECONDS = 150.0
CALM_SECONDS = 5.0
MOVE_LOOK_SECONDS, MOVE_LOOKS_MAX = 0.02, 3_000
AT_HOME = "select count(*) from heller.accounts where epoch % 2 = 1"
MOVED_WORDS = ("moved", "returned", "busy", "draining", "quarantined", "skipped", "refused")


# -- who uses it


@asynccontextmanager
async def customers(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    """The traffic of the sample, as a process with its own record."""
    options = world.options
    command = [
        sys.executable, "-m", "heller.cli.main", "sample", "traffic", "--app", world.environment["APP"],
        "--customers", str(options.customers), "--rate", str(options.rate), "--seed", "1", "--seconds", "1000000",
        "--record", str(world.folder / "traffic.jsonl"), "--json",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | world.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )  # fmt: skip
    world.others["customers"] = process.pid
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


# -- what happens to it


async def chaos(world: World, stop: asyncio.Event) -> None:
    """One disturbance after the other, round and round."""
    acts = _acts(world)
    for number in range(100_000):
        name, act = acts[number % len(acts)]
        began, answer = world.seconds, None
        try:
            answer = await act()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding and the run goes on
            answer = f"FAILED: {error!r}"
        world.acts.append(
            {"at": began, "act": name, "seconds": round(world.seconds - began, 1), "answer": answer}
        )
        print(f"{began:7.0f} s  {name}: {answer or 'done'}", flush=True)
        for program in world.programs.values():
            await program.revive()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(1.0, ACT_SECONDS - (world.seconds - began)))
        if stop.is_set():
            return


def _acts(world: World) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
    web, worker = world.programs["web restarted"], world.programs["worker restarted"]
    old = world.programs["legacy application"]

    def move(verb: str, *which: str) -> Callable[[], Awaitable[Any]]:
        async def go() -> Any:
            code, answer, said = await world.run("migrate", verb, *which)
            if code or not isinstance(answer, dict):
                return f"exit {code}: {said[-300:] or answer}"
            return {name: value for name, value in answer.items() if name in MOVED_WORDS and value}

        return go

    async def kill_between() -> Any:
        """PostgreSQL dies when the first users of a handover have moved; the next one finishes what was begun."""
        before = await _at_home(world)
        moving = asyncio.create_task(move("handover", "--percent", "80")())
        for _ in range(MOVE_LOOKS_MAX):
            if moving.done() or await _at_home(world) > before:
                break
            await asyncio.sleep(MOVE_LOOK_SECONDS)
        await world.server.restart(kill=True)
        return {"moved before": await _at_home(world) - before, "the handover said": await moving}

    return [
        ("handover to 30 %", move("handover", "--percent", "30")),
        ("web: SIGTERM", lambda: web.restart(kill=False)),
        ("worker: kill -9", lambda: worker.restart(kill=True)),
        ("PostgreSQL: restart", lambda: world.server.restart(kill=False)),
        ("handover to 60 %", move("handover", "--percent", "60")),
        ("web: kill -9", lambda: web.restart(kill=True)),
        ("return of 20 %", move("return", "--percent", "20")),
        ("PostgreSQL: kill -9 during a handover to 80 %", kill_between),
        ("recover", move("recover")),
        ("worker: SIGTERM", lambda: worker.restart(kill=False)),
        ("legacy application: kill -9", lambda: old.restart(kill=True)),
        ("handover of all", move("handover", "--all")),
        ("return of 70 %", move("return", "--percent", "70")),
        ("PostgreSQL: kill -9", lambda: world.server.restart(kill=True)),
        ("return of all", move("return", "--all")),
        *rollouts(world),
    ]


async def _at_home(world: World) -> int:
    async with await connect(world.url) as connection:
        row = await (await connection.execute(AT_HOME)).fetchone()
    return int(row[0]) if row else 0


# -- what is looked at


async def watch(world: World, stop: asyncio.Event) -> None:
    """A sample every so often; a verification less often."""
    verified, next_at = world.seconds, world.seconds
    while not stop.is_set():
        world.samples.append(await sample(world))
        if world.seconds - verified >= VERIFY_SECONDS:
            verified = world.seconds
            code, answer, said = await world.run("verify")
            world.checks.append(
                {"at": verified, "what": "verify", "code": code, "said": said[-300:], "answer": answer}
            )
        next_at = max(next_at + SAMPLE_SECONDS, world.seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), next_at - world.seconds)


async def sample(world: World) -> dict[str, Any]:
    """Memory, the inbox, holds, sessions, the invariants."""
    found: dict[str, Any] = {"at": world.seconds, "load": os.getloadavg()[0]}
    found["rss_mb"] = {name: rss_mb(pid) for name, pid in world.others.items()} | {
        name: rss_mb(one.process.pid) for name, one in world.programs.items() if one.process and one.process.returncode is None
    }  # fmt: skip
    found["generation"] = {name: one.starts for name, one in world.programs.items()}
    try:
        found["postgres_private_mb"] = world.server.private_mb()
        async with asyncio.timeout(30), open_sides(world.legacy_url, world.url) as sides:
            ours = sides.ours.connection
            row = await (
                await ours.execute(
                    "select heller.stripe_queue(), (select count(*) from heller.holds where state = 'open'), (select count(*) from heller.transactions)"
                )
            ).fetchone()
            found["queue"], found["open_holds"], found["transactions"] = row or (None, None, None)
            found["idle_in_transaction"] = (
                await (await ours.execute(IDLE, [IDLE_SECONDS])).fetchone() or (0,)
            )[0]
            seen = await check_invariants(sides)
            found["homes"], found["breaches"] = (
                seen.at_home,
                [f"{b.invariant} {b.account}: {b.sentence}" for b in seen.breaches],
            )
    except (HellerError, psycopg.Error, OSError, TimeoutError) as error:
        found["away"] = f"{type(error).__name__}: {error}"[:300]
    return found


async def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole run."""
    began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    load = [os.getloadavg()]
    async with stage(options, folder) as world:
        who = await customers_of(world.legacy_url, count=options.customers, seed=1)
        due, stop, calm = Due(), asyncio.Event(), asyncio.Event()
        world.started = time.monotonic()
        async with customers(world) as people, asyncio.TaskGroup() as tasks:
            tasks.create_task(programs(world, due, stop))
            disturbing = tasks.create_task(chaos(world, calm))
            tasks.create_task(watch(world, stop))
            await asyncio.sleep(options.minutes * 60)
            calm.set()
            await disturbing
            await asyncio.sleep(CALM_SECONDS)
            duration = world.seconds
            told: Any = {"error": "the customers ended early"}
            if people.returncode is None:
                people.terminate()
            answer, trouble = await people.communicate()
            with contextlib.suppress(ValueError):
                told = json.loads(answer)
            stop.set()
        load.append(os.getloadavg())
        settled = await settle(world)
        result = await judge(world, who, due)
        if "error" in told:
            result["findings"].append(
                f"customers: {told['error']}: {trouble.decode(errors='replace')[-500:]}"
            )
            result["ok"] = False
        return {
            "began": began, "minutes": round(duration / 60, 1), "settled_seconds": settled, "load": load, "told": told,
            "cores": os.cpu_count(), "users": options.users, "rate": options.rate, "faults": FAULTS,
            "load_median": statistics.median(s["load"] for s in world.samples),
            "starts": {name: one.starts for name, one in world.programs.items()},
            **result, "acts": world.acts, "checks": world.checks, "samples": world.samples,
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--users", type=int, default=600, help="of the legacy sample")
    parser.add_argument("--customers", type=int, default=200, help="who take part")
    parser.add_argument("--rate", type=float, default=20, help="operations of customers a second")
    parser.add_argument("--out", type=Path, required=True, help="every sample, as JSON")
    parser.add_argument(
        "--report", type=Path, help="write Markdown there, and a plot beside it (needs matplotlib)"
    )
    parser.add_argument("--from", dest="earlier", action="store_true", help="only report what --out holds")
    parser.add_argument("--folder", type=Path, help="keep databases and logs there")
    options = parser.parse_args()
    if not options.earlier:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing it started outlives it
        with tempfile.TemporaryDirectory(prefix="heller-soak-") as temporary:
            result = asyncio.run(soak(options, (options.folder or Path(temporary)).absolute()))
        options.out.write_text(json.dumps(result, indent=1, default=str), encoding="utf-8")
    result = json.loads(options.out.read_text(encoding="utf-8"))
    if options.report:
        soak_report.write(result, options.report)
    for finding in result["findings"]:
        print(f"FINDING  {finding}"[:1000])
    print("clean" if result["ok"] else f"{len(result['findings'])} findings")
    raise SystemExit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
