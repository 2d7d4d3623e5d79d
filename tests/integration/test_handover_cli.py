"""The commands of the handover as an operator types them: whom they move, what they answer, how they pause."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import psycopg
import pytest

from handover_world import build_legacy, fenced
from heller.rollout.buckets import bucket, keyed_bucket

USERS = 40


@pytest.fixture
async def world(empty_database, heller_database):
    await build_legacy(empty_database, users=USERS)
    async with fenced(empty_database, heller_database) as sides:
        yield sides, os.environ | {"LEGACY_DATABASE_URL": empty_database, "DATABASE_URL": heller_database}


def _start(environment, *arguments):
    command = [sys.executable, "-m", "heller.cli.main", "migrate", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _told(environment, *arguments, code=0):
    process = _start(environment, *arguments, "--json")
    out, trouble = process.communicate(timeout=120)
    assert process.returncode == code, out + trouble
    return json.loads(out)


async def _away(sides):
    return {user async for user, _ in sides.legacy.users(away=True)}


async def test_each_way_of_saying_whom_moves_exactly_them(world):
    sides, environment = world
    by_plan = {str(n): bucket(f"user{n}@example.com") for n in range(1, USERS + 1)}
    first = next(iter(by_plan.values()))
    _told(environment, "handover", "--bucket", str(first))
    expected = {user for user, place in by_plan.items() if place == first}
    assert await _away(sides) == expected
    _told(environment, "handover", "--percent", "30")
    expected |= {user for user, place in by_plan.items() if place < 30}
    assert await _away(sides) == expected
    _told(environment, "return", "--all")
    assert await _away(sides) == set()
    _told(environment, "handover", "--percent", "50", "--salt", "s")
    keyed = {user for user in by_plan if keyed_bucket(user, "s") < 50}
    assert await _away(sides) == keyed
    stay = next(user for user in by_plan if user not in keyed)
    _told(environment, "handover", "--user", f"user{stay}@example.com")
    assert await _away(sides) == keyed | {stay}
    assert _told(environment, "handover", "--user", "nobody", code=2)["error"] == "invalid_argument"
    assert _told(environment, "handover", "--all", "--percent", "3", code=2)["argument"] == "user"
    assert _told(environment, "drain", "--reason", "booked", code=2)["argument"] == "reason"
    assert _told(environment, "status")["heller"] == len(keyed) + 1
    assert _told(environment, "invariants")["ok"]
    await sides.ours.connection.execute(
        "update heller.accounts set posted = posted + 1 where account_id = %s", [stay]
    )
    broken = _told(environment, "invariants", code=3)
    assert {(breach["invariant"], breach["account"]) for breach in broken["breaches"]} >= {("I4", stay)}


async def test_interrupted_handover_leaves_nobody_between_the_homes_and_goes_on(world, empty_database):
    sides, environment = world
    async with await psycopg.AsyncConnection.connect(empty_database) as writer:
        await writer.execute("update users set credits_balance = credits_balance - 1 where id = 1")  # in use
        process = _start(environment, "handover", "--all", "--batch", "1")
        while len(await _away(sides)) < 3:
            assert process.poll() is None
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, trouble = process.communicate(timeout=60)
        assert process.returncode == 130, trouble
        assert "To go on: heller migrate handover --all --batch 1" in trouble
        before = await _away(sides)
        assert "1" not in before  # quiet users first: who is busy waits at the end
        theirs, ours = await sides.legacy.epochs(), await sides.ours.epochs()
        assert {user for user, epoch in theirs.items() if epoch != max(ours.get(user, 0), 0)} == set()
        await writer.rollback()
    await sides.legacy.seal(["40"])  # as a coordinator leaves it that was killed
    assert _told(environment, "handover", "--all")["moved"] == USERS - len(before)
    assert len(await _away(sides)) == USERS
