"""Everything at once, in processes of their own: spenders of both systems, purchases delivered to both endpoints, coordinators
that flap users both ways and are killed at random. Each writes what was acknowledged to its own file.

``python tests/handover_torture.py ROLE LEGACY_URL DATABASE LOG SEED SECONDS USERS`` runs one of them.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import psycopg

from handover_world import legacy_purchase, legacy_spend
from heller.errors import AccountAway, HellerError, InsufficientCredits
from heller.ledger import Heller
from heller.migration.handover.runs import open_sides, recover_all

LEVELS = ("read committed", "repeatable read", "serializable")
GONE = (psycopg.OperationalError, OSError)


class Log:
    def __init__(self, path):
        self.file = Path(path).open("a", buffering=1)  # noqa: SIM115 - open for the life of the process

    def write(self, **entry):
        self.file.write(json.dumps(entry) + "\n")


async def legacy_spender(legacy, _ours, log, seed, until, users):
    """The legacy application: any isolation level, both orders of its two statements, never a retry of what was refused."""
    chance, number = random.Random(seed), 0
    while time.monotonic() < until:
        try:
            async with await psycopg.AsyncConnection.connect(legacy) as connection:
                while time.monotonic() < until:
                    number += 1
                    user, amount, key = (
                        str(chance.randint(1, users)),
                        chance.randint(1, 3),
                        f"l{seed}-{number}",
                    )
                    await connection.execute(f"set transaction isolation level {chance.choice(LEVELS)}")
                    try:
                        if chance.random() < 0.5:
                            done = await legacy_spend(connection, user, amount, key)
                        else:
                            done = await _other_order(connection, user, amount, key)
                        await asyncio.sleep(chance.random() * 0.003)
                        await connection.commit()
                        if done:
                            log.write(op="spend", user=user, delta=-amount, key=key)
                    except psycopg.Error as error:
                        if error.sqlstate is None or error.sqlstate.startswith(("57", "08")):
                            raise
                        await connection.rollback()
                        log.write(op="refused", code=error.sqlstate)
                    await asyncio.sleep(chance.random() * 0.004)
        except GONE:
            await asyncio.sleep(0.2)  # the server was restarted


async def _other_order(connection, user, amount, key):
    row = await (
        await connection.execute("select credits_balance from users where id = %s for update", [int(user)])
    ).fetchone()
    if row is None or row[0] < amount:
        return False
    await connection.execute(
        "insert into credit_transactions (user_id, delta_credits, reason, meta) values (%s, %s, 'usage', json_build_object('key', %s::text))",
        [user, -amount, key],
    )
    await connection.execute(
        "update users set credits_balance = credits_balance - %s where id = %s", [amount, int(user)]
    )
    return True


async def heller_spender(_legacy, ours, log, seed, until, users):
    """The new application: spends and refunds with keys, retried with the same key when the answer was lost."""
    chance, number = random.Random(seed), 0
    while time.monotonic() < until:
        try:
            async with Heller.connect(ours, pool_max=4) as heller:
                while time.monotonic() < until:
                    number += 1
                    user, amount, key = (
                        str(chance.randint(1, users)),
                        chance.randint(1, 3),
                        f"h{seed}-{number}",
                    )
                    await _spend_in_heller(heller, log, user, amount, key)
                    await asyncio.sleep(chance.random() * 0.004)
        except (HellerError, *GONE):
            await asyncio.sleep(0.2)


async def _spend_in_heller(heller, log, user, amount, key):
    for _ in range(50):
        try:
            await heller.spend(user, amount, key=key)
        except (AccountAway, InsufficientCredits):
            return
        except HellerError as error:
            if "no account" in str(error):
                return
            await asyncio.sleep(0.1)  # lost answer: the same key again
        else:
            log.write(op="spend", user=user, delta=-amount, key=key)
            return


async def buyer(legacy, ours, log, seed, until, users):
    """Purchases, delivered to both endpoints at least once each, duplicated, in any order, until both have taken them."""
    chance, number, waiting = random.Random(seed), 0, []
    end = until + 5
    while time.monotonic() < until or (waiting and time.monotonic() < end):
        try:
            async with (
                await psycopg.AsyncConnection.connect(legacy) as theirs,
                await psycopg.AsyncConnection.connect(ours) as mine,
            ):
                while time.monotonic() < until or (waiting and time.monotonic() < end):
                    if time.monotonic() < until and len(waiting) < 40:
                        number += 1
                        user, credits = str(chance.randint(1, users)), chance.randint(1, 9)
                        intent = f"pi_{seed}x{number}"
                        log.write(op="bought", user=user, delta=credits, key=intent)
                        endpoints = ("legacy", "heller") * chance.choice((1, 1, 2))
                        waiting.extend((endpoint, user, credits, intent) for endpoint in endpoints)
                    if not waiting:
                        break
                    place = chance.randrange(len(waiting))
                    if await _deliver(theirs, mine, log, waiting[place]):
                        del waiting[place]  # only now: a delivery that a crash cut off is made again
                    await asyncio.sleep(0.002)
        except GONE:
            await asyncio.sleep(0.2)
    for endpoint, user, credits, intent in waiting:  # heller's inbox keeps what it may not credit yet
        if endpoint == "heller":
            log.write(op="pending", user=user, delta=credits, key=intent)


async def _deliver(theirs, mine, log, delivery):
    """True when the endpoint answered for good: credited, a repetition, or refused with the sender's last word."""
    endpoint, user, credits, intent = delivery
    if endpoint == "legacy":
        try:
            await legacy_purchase(theirs, user, credits, intent)
            await theirs.commit()
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate.startswith(("57", "08")):
                raise
            await theirs.rollback()
            log.write(op="webhook refused", code=error.sqlstate)
            return error.sqlstate in {"MG003", "23505"}
        return True
    try:
        # heller's inbox: credited when the user is at home here; otherwise it stays pending unless legacy has credited it
        row = await (
            await mine.execute(
                "select heller.credit_purchase(%s, %s, %s, p_intent => %s)", [user, intent, credits, intent]
            )
        ).fetchone()
        await mine.commit()
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate.startswith(("57", "08")):
            raise
        await mine.rollback()
        return False
    return row is not None


async def coordinator(legacy, ours, log, seed, until, users):
    """Flaps users both ways; dies at a random named point now and then; also gives users back by refusal."""
    chance = random.Random(seed)

    def maybe_die(point):
        if chance.random() < 0.012:
            log.write(op="died", point=point)
            os.kill(os.getpid(), signal.SIGKILL)

    while time.monotonic() < until:
        try:
            async with open_sides(legacy, ours) as sides:
                await recover_all(sides)
                moves = sides.coordinator(reached=maybe_die)
                while time.monotonic() < until:
                    some = [
                        str(n) for n in chance.sample(range(1, users + 1), min(users, chance.randint(1, 8)))
                    ]
                    action = chance.random()
                    if action < 0.1:
                        await sides.legacy.seal(some)
                        await moves.refuse(some)
                    elif action < 0.55:
                        await moves.hand_over(some)
                    else:
                        await moves.send_back(some)
                    if chance.random() < 0.2:
                        await recover_all(sides)
        except (HellerError, psycopg.Error, OSError) as error:
            log.write(
                op="coordinator stumbled",
                error=str(error).splitlines()[0] if str(error) else type(error).__name__,
            )
            await asyncio.sleep(0.2)


ROLES = {
    "legacy_spender": legacy_spender,
    "heller_spender": heller_spender,
    "buyer": buyer,
    "coordinator": coordinator,
}

if __name__ == "__main__":
    role, legacy_url, database, log_path, seed_text, seconds, user_count = sys.argv[1:]
    asyncio.run(
        ROLES[role](
            legacy_url,
            database,
            Log(log_path),
            int(seed_text),
            time.monotonic() + float(seconds),
            int(user_count),
        )
    )
