"""The end of a soak: everything drains, and then the sums."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

import soak_api
import soak_operations
import soak_report
from heller.cli.living.balances import balances
from heller.database import connect
from legacy_sample.traffic import Customer, Record
from soak_api import Due
from soak_stage import World

DRAIN_SECONDS_MAX = 240.0
LOGGED_MAX = 10
LEVEL = re.compile(r'"level": "(\w+)"|^(?:\x1b\S+)?(INFO|WARNING|ERROR)\b')
IDLE_SECONDS = 5
WRONG_ROWS = 3  # exit code
IDLE = (
    "select count(*) from pg_stat_activity where state like 'idle in transaction%%'"
    " and clock_timestamp() - state_change > make_interval(secs => %s)"
)
# what the legacy application sold; and what heller sold to users who live there now, where the legacy system does it
THE_OTHER_ONES = frozenset({"no_order", "home_legacy"})
CHECKS = {"recovered": ("migrate", "recover"), "invariants": ("migrate", "invariants"), "verify": ("verify",)}
ALL_TO_ONE_PLACE = {"handed over": ("migrate", "handover", "--all")} | CHECKS
WAITING = "select distinct payment_key from heller.inbox where status = 'parked' and reason = 'home_legacy'"
PARKED = "select reason, count(*) from heller.inbox where status = 'parked' group by reason"


async def settle(world: World) -> float:
    """Everybody is up, every delivery has been tried, the inbox is empty; how many seconds that took."""
    began = time.monotonic()
    for program in world.programs.values():
        await program.revive()
    while time.monotonic() - began < DRAIN_SECONDS_MAX:
        (await world.twin.post("/_twin/drain", json={"timeout_seconds": 60})).raise_for_status()
        async with await connect(world.url) as connection:
            row = await (await connection.execute("select heller.stripe_queue()")).fetchone()
        if row and row[0]["pending"] == 0:
            break
        await asyncio.sleep(1)
    await soak_api.settled(world)
    return round(time.monotonic() - began, 1)


async def judge(world: World, who: list[Customer], due: Due) -> dict[str, Any]:
    """The sums at the end; a list of findings, empty when all is well."""
    record = read_record(world.folder / "traffic.jsonl")
    findings, answers = await _commands(world, CHECKS)
    findings += _on_the_way(world)
    async with await connect(world.legacy_url) as old, await connect(world.url) as ours:
        waiting, now = await _waiting(ours, world.folder / "traffic.jsonl", who)
        wrong = record.wrong(now, await balances(old, ours, [one.user for one in who]))
        facts = await _facts(ours)
    findings += [f"customer {one}" for one in wrong]
    of_programs, programs = await soak_api.findings(world, due)
    findings += of_programs
    findings += (await _commands(world, ALL_TO_ONE_PLACE))[0]
    async with await connect(world.url) as ours:
        by_name, operations = await soak_operations.findings(ours, world.folder / "traffic.jsonl", who)
    findings += by_name
    if facts["queue"]["pending"] or facts["queue"]["dead"]:
        findings.append(f"the inbox is not empty: {facts['queue']}")
    if odd := set(facts["parked"]) - THE_OTHER_ONES:
        findings.append(f"events are parked: {odd}")
    if facts["idle_in_transaction"]:
        findings.append(f"{facts['idle_in_transaction']} sessions are idle in a transaction")
    in_logs, levels = read_logs(program.log for program in world.programs.values())
    findings += in_logs
    memory = soak_report.memory(world.samples)
    findings += [
        f"memory of {one['name']} is not flat: {one['growth_mb']} MB"
        for one in memory
        if one["judged"] and not one["flat"]
    ]
    return facts | answers | {
        "ok": not findings, "findings": findings, "memory": memory, "traffic": record.as_json(), "customers": len(who),
        "customers_without_doubt": sum(1 for one in who if not record.unsure[one.user]),
        "programs": programs, "operations": operations, "logs": levels, "waiting": waiting,
    }  # fmt: skip


async def _commands(world: World, commands: dict[str, tuple[str, ...]]) -> tuple[list[str], dict[str, Any]]:
    """What heller's own commands say of the two systems."""
    findings, answers = [], {}
    for name, command in commands.items():
        code, answers[name], said = await world.run(*command)
        if code:
            findings.append(f"{' '.join(command)}: exit {code} {answers[name] or said}")
    return findings, answers


def _on_the_way(world: World) -> list[str]:
    """What was not well while it ran."""
    findings = [death for program in world.programs.values() for death in program.deaths]
    findings += [
        f"{act['act']} at {act['at']:.0f} s: {act['answer']}" for act in world.acts if str(act["answer"]).startswith(("FAILED", "exit"))
    ]  # fmt: skip
    findings += [f"verify at {c['at']:.0f} s: {c['answer']}" for c in world.checks if c["code"] == WRONG_ROWS]
    findings += [
        f"invariants at {s['at']:.0f} s: {s['breaches'][:3]}" for s in world.samples if s.get("breaches")
    ]
    return findings


async def _waiting(ours: AsyncConnection, path: Path, who: list[Customer]) -> tuple[int, list[Customer]]:
    """Payments that wait, parked, until their buyer comes home to heller, and the customers as they stand without those."""
    parked = {key for (key,) in await (await ours.execute(WAITING)).fetchall()}
    told, count, now = soak_operations.read(path), 0, []
    for one in who:
        mine = told.get(one.user, soak_operations.Told())
        late = mine.payments.keys() & parked
        count += len(late)
        now.append(
            replace(one, balance=one.balance - sum(mine.payments[name] - mine.back[name] for name in late))
        )
    return count, now


async def _facts(ours: AsyncConnection) -> dict[str, Any]:
    """The inbox, and sessions that hold a transaction."""
    queue = (await (await ours.execute("select heller.stripe_queue()")).fetchone() or ({},))[0]
    idle = (await (await ours.execute(IDLE, [IDLE_SECONDS])).fetchone() or (0,))[0]
    events, deliveries = await (
        await ours.execute("select count(*), coalesce(sum(deliveries), 0)::bigint from heller.inbox")
    ).fetchone() or (0, 0)
    parked = await (await ours.execute(PARKED)).fetchall()
    return {
        "queue": queue, "idle_in_transaction": idle, "inbox": {"events": events, "deliveries": deliveries},
        "parked": dict(parked),
    }  # fmt: skip


def read_logs(paths: Iterable[Path]) -> tuple[list[str], dict[str, int]]:
    """A traceback is a finding; how many lines there are of each level."""
    findings, levels = [], Counter[str]()
    for path in paths:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            found = LEVEL.search(line)
            levels[(found[1] or found[2]).lower() if found else "plain"] += 1
            if "Traceback" in line:
                findings.append(f"{path.stem} logged: {line[-300:]}")
    return findings[:LOGGED_MAX], dict(levels)


def read_record(path: Path) -> Record:
    """What the customers wrote down: the same tallies as in their own process."""
    record, people = Record(), {}
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        one = people.setdefault(entry["user"], Customer(entry["user"], "", 0))
        if "delta" in entry:
            record.note(entry["what"], one, entry["delta"], way=entry["way"], ref=entry["ref"])
        else:
            record.doubt(entry["what"], one, entry["credits"], ref=entry["ref"], why=Exception(entry["why"]))
    return record
