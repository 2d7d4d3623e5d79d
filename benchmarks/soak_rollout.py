"""The soak's rollouts: stages that the guardrails promote by themselves, and one that they roll back by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg

from heller.database import connect
from heller.errors import HellerError
from heller.rollout.state import Rollout, log_of, rollout_of
from soak_stage import World

STAGES = "10,50,100"
STAGE_SECONDS = 15
# a shared machine is slow by itself: what is to be found is the lock, which lasts longer
LIMITS = {"users_min": 10, "auto_promote": True, "slow_milliseconds": 4_000}
LOCK = "lock table heller.transactions in share row exclusive mode"
LOCK_SECONDS, PAUSE_SECONDS = (
    7.0,
    0.5,
)  # the lock shorter than heller's own lock timeout: slow, but nothing fails
LOOK_SECONDS = 1.0
STATE_SECONDS_MAX = 300.0
HALTS_MAX = 3
WHO = ("--actor", "soak")
AT_HOME = "select count(*) from heller.homes join heller.accounts using (account_id) where epoch % 2 = 1"

Acts = list[tuple[str, Callable[[], Awaitable[Any]]]]


def rollouts(world: World) -> Acts:
    """What may be done with a rollout; everybody must be at home in the legacy system before, and is after the last."""
    return [
        ("rollout 10 -> 50 -> 100 %, promoted by the guardrails; web killed at 50 %", lambda: climb(world)),
        ("rollout rolled back by hand; PostgreSQL: kill -9 on the way", lambda: go_back(world)),
        (
            "rollout slow at 50 %, rolled back by the guardrails; worker: kill -9 on the way",
            lambda: fall(world),
        ),
    ]


async def climb(world: World) -> dict[str, Any]:
    """Every stage is passed, and each next one entered, by the guardrails alone."""
    began = world.seconds
    await _start(world, "the guardrails are to promote")
    await _until(world, lambda now: now.stage == 2 or _was_slow(now))
    await world.programs["web restarted"].restart(kill=True)
    now = await _until(world, lambda now: now.state == "done" or _was_slow(now))
    if now.state != "done":
        return {"rolled back, rightly": now.breach} | await _events(world)
    return {"all there after": f"{world.seconds - began:.0f} s"} | await _events(world)


async def go_back(world: World) -> dict[str, Any]:
    """A person ends it; what PostgreSQL forgot is finished by the worker."""
    if (await _until(world, lambda now: now.state in {"done", "rolled_back"})).state == "rolled_back":
        return {"nothing to do": "it was rolled back"}
    code, _, said = await world.run("rollout", "rollback", *WHO, "--reason", "that was all")
    if code:
        raise RuntimeError(said)
    await asyncio.sleep(LOOK_SECONDS)
    await world.server.restart(kill=True)
    await _until(world, lambda now: now.state == "rolled_back")
    return await _events(world)


async def fall(world: World) -> dict[str, Any]:
    """At 50 % heller becomes slow and the legacy system does not: the guardrails return everyone."""
    began = world.seconds
    await _start(world, "the guardrails are to roll back")
    await _until(world, lambda now: now.stage == 2)
    slow = world.seconds
    async with _slow(world):
        await _until(world, lambda now: now.state != "running")
    noticed = world.seconds
    await world.programs["worker restarted"].restart(kill=True)
    await _until(world, lambda now: now.state == "rolled_back")
    events = await _events(world)
    if "breach_rollback (worker)" not in events["log"]:
        raise RuntimeError(f"the guardrails did not roll back: {events}")
    return {
        "slow at": f"{slow - began:.0f} s", "noticed after": f"{noticed - slow:.0f} s", "all back after": f"{world.seconds - noticed:.0f} s",
    } | events  # fmt: skip


def _was_slow(now: Rollout) -> bool:
    """Rolled back because operations took so long: on a machine with much other work, that is right."""
    return (
        now.state == "rolled_back" and bool(now.breach) and (now.breach or {}).get("guardrail") == "latency"
    )


async def _start(world: World, why: str) -> None:
    code, _, said = await world.run(
        "rollout", "start", *WHO, "--reason", why, "--stages", STAGES, "--soak", str(STAGE_SECONDS), "--limits", json.dumps(LIMITS)
    )  # fmt: skip
    if code:
        raise RuntimeError(said)


async def _until(world: World, is_there: Callable[[Rollout], bool]) -> Rollout:
    """Wait for a state. A halt is resumed by name, as by a person who has looked; too many of them are a finding."""
    halts, now = 0, None
    for _ in range(int(STATE_SECONDS_MAX / LOOK_SECONDS)):
        with suppress(HellerError, psycopg.Error):  # PostgreSQL may be away
            now = await _now(world)
        if now is None:
            continue
        if is_there(now):
            return now
        if now.state == "rolled_back" or (now.state == "halted" and halts == HALTS_MAX):
            break
        if now.state == "halted":
            halts += 1
            await world.run("rollout", "resume", *WHO, "--reason", f"looked at: {now.reason}"[:200])
        await asyncio.sleep(LOOK_SECONDS)
    raise RuntimeError(
        "no rollout"
        if now is None
        else f"it is {now.state} at stage {now.stage}: {now.reason}; {now.verdict}"
    )


async def _now(world: World) -> Rollout | None:
    async with await connect(world.url) as connection:
        return await rollout_of(connection)


async def _events(world: World) -> dict[str, Any]:
    """What the log has of this rollout, oldest first, and where its users are now."""
    async with await connect(world.url) as connection:
        found: list[str] = []
        for entry in await log_of(connection):
            found.insert(0, entry.event if entry.event == "start" else f"{entry.event} ({entry.actor})")
            if entry.event == "start":
                break
        row = await (await connection.execute(AT_HOME)).fetchone()
    return {"log": ", ".join(found), "at home in heller": row and row[0]}


@asynccontextmanager
async def _slow(world: World) -> AsyncIterator[None]:
    """Somebody holds a lock that every change in heller waits for, again and again; reading goes on."""

    async def hold() -> None:
        while True:
            with suppress(psycopg.Error):
                async with await psycopg.AsyncConnection.connect(world.url) as connection:
                    await connection.execute(LOCK)
                    await asyncio.sleep(LOCK_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    holding = asyncio.create_task(hold())
    try:
        yield
    finally:
        holding.cancel()
        await asyncio.wait([holding])
