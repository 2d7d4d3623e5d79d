"""All verbs at once from many callers: done again one after the other, each answers what it had answered."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from heller import Heller, verify
from heller.errors import HellerError

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
Told = list[tuple[dict[str, Any], dict[str, Any]]]

ACCOUNTS = ["a", "b", "c"]
MEMBERS = ["ann", "ben"]
AGAIN = "again-"  # what all is done again on
SECONDS = 9_000  # no hold ends by itself in the time of a test, and a renewal tells when it was done
# When something was done is not the same again, and a replay says what is available now.
OF_THE_MOMENT = {
    "recorded_at",
    "effective_at",
    "placed_at",
    "closed_at",
    "expires_at",
    "granted_at",
    "ended_at",
}
REFUSALS = {"HL001", "HL002", "HL006", "HL007", "HL008", "HL009", "HL010", "HL012", "HL013"}
SET_UP = (
    [{"verb": "open_account", "account": account, "overdraft_limit": 10 * (account == "c")} for account in ACCOUNTS]
    + [{"verb": "grant", "account": account, "amount": 60, "payment": "p1", "cost": 600, "currency": "eur"} for account in ACCOUNTS]
)  # fmt: skip


def _operation(chance: random.Random, key: str) -> dict[str, Any]:
    account, other = chance.sample(ACCOUNTS, 2)
    amount, number = chance.randint(1, 9), chance.randint(1, 12)
    common = {"account": account, "key": key}
    return chance.choice([
        *[{"verb": "spend", "amount": amount, **common}] * 4,
        {"verb": "spend", "amount": 9 * amount, "allow_partial": True, "min_available_after": 3, **common},
        {"verb": "spend_as", "member": chance.choice(MEMBERS), "amount": amount, **common},
        {"verb": "grant", "amount": 5 * amount, "priority": chance.choice([50, 100]), **common},
        {"verb": "transfer", "to": other, "amount": amount, "allow_partial": chance.random() < 0.5, **common},
        {"verb": "adjust", "amount": -amount, "reason": "by hand", **common},
        {"verb": "clawback", "amount": 2 * amount, "payment": "p1", "policy": chance.choice(["debt", "clamp", "grant"]), **common},
        {"verb": "hold", "amount": amount, "seconds": SECONDS, "overrun_limit": 2, **common},
        {"verb": "capture", "hold": number // 2 + 1, "amount": 2, "final": chance.random() < 0.5, **common},
        {"verb": "release", "hold": number // 2 + 1, "account": account},
        {"verb": "renew", "hold": number // 2 + 1, "seconds": 2 * SECONDS, "account": account},
        {"verb": "refund", "seq": number, **common},
        {"verb": "reverse", "seq": 2 * number, "policy": chance.choice(["refuse", "debt"]), **common},
        {"verb": "reinstate", "seq": number, "amount": 1, **common},
        {"verb": "void", "grant": number // 4 + 1, **common},
    ])  # fmt: skip


async def _do(connection: psycopg.AsyncConnection, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As a batch; a member's spend is a call of its own."""
    if operations[0]["verb"] != "spend_as":
        row = await (await connection.execute("select heller.apply(%s)", [json.dumps(operations)])).fetchone()
        assert row is not None
        answers: list[dict[str, Any]] = row[0]
        return answers
    (one,) = operations
    statement = "select heller.spend_as(%(account)s, %(member)s, %(amount)s, p_key => %(key)s)"
    try:
        row = await (await connection.execute(statement, one)).fetchone()
    except psycopg.Error as error:
        return [{"error": error.sqlstate}]
    assert row is not None
    return [row[0]]


async def _set_up(connection: psycopg.AsyncConnection, prefix: str = "") -> None:
    for answer in await _do(connection, [one | {"account": prefix + one["account"]} for one in SET_UP]):
        assert "error" not in answer
    for account in ACCOUNTS:
        for member in MEMBERS:
            await connection.execute(
                "select heller.put_member(%s, %s, 25, 'ever')", [prefix + account, member]
            )


async def _program(
    connection: psycopg.AsyncConnection, chance: random.Random, number: int, told: Told
) -> None:
    for step in range(25):
        # some keys are shared with another caller
        key = f"shared-{chance.randint(0, 9)}" if chance.random() < 0.2 else f"{number}-{step}"
        operations = [_operation(chance, key)]
        if operations[0]["verb"] != "spend_as":
            more = (
                _operation(chance, f"{number}-{step}-{place}") for place in range(chance.choice([0, 0, 4]))
            )
            operations += [one for one in more if one["verb"] != "spend_as"]
        told.extend(zip(operations, await _do(connection, operations), strict=True))


async def _library_program(heller: Heller, chance: random.Random, number: int, told: Told) -> None:
    for step in range(25):
        one = {"verb": "spend", "account": chance.choice(ACCOUNTS), "amount": chance.randint(1, 4), "key": f"lib-{number}-{step}"}  # fmt: skip
        try:
            t = await heller.spend(one["account"], one["amount"], key=one["key"])  # type: ignore[arg-type]
        except HellerError:
            continue
        fields = ("seq", "delta", "balance_after", "available", "replayed", "key")
        at = t.recorded_at.isoformat() if t.recorded_at else ""
        told.append((one, {name: getattr(t, name) for name in fields} | {"recorded_at": at}))


def _when(asked: dict[str, Any], answer: dict[str, Any]) -> tuple[datetime, int] | None:
    """The instant at which a verb took effect: it reads the clock while it holds the account. None: it had none."""
    if asked["verb"] == "renew":
        return datetime.fromisoformat(answer["expires_at"]) - timedelta(seconds=asked["seconds"]), 0
    at = answer.get("recorded_at") or (
        answer["closed_at" if asked["verb"] == "release" else "placed_at"] if "placed_at" in answer else None
    )
    return None if at is None else (datetime.fromisoformat(at), answer.get("seq") or 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_all_verbs_at_once_answer_as_one_after_the_other(
    heller_database: str, connect: Connect, seed: int
) -> None:
    setup = await connect(heller_database)
    await _set_up(setup)
    told: Told = []
    async with Heller.connect(heller_database) as heller:
        programs = [
            _program(await connect(heller_database), random.Random(seed * 1000 + n), n, told)
            for n in range(10)
        ]
        programs += [
            _library_program(heller, random.Random(seed * 1000 + n), n, told) for n in range(100, 110)
        ]
        await asyncio.gather(*programs)
    assert (await verify(heller_database)).is_ok
    done = [(asked, answer) for asked, answer in told if "error" not in answer]
    assert {answer["error"] for _, answer in told if "error" in answer} <= REFUSALS
    effects = [
        (when, asked, answer)
        for asked, answer in done
        if not answer["replayed"] and (when := _when(asked, answer))
    ]
    assert len({asked["verb"] for _, asked, _ in effects}) >= 9, Counter(
        asked["verb"] for _, asked, _ in effects
    )
    effects.sort(key=lambda effect: effect[0])
    await _set_up(setup, AGAIN)
    for _, asked, answer in effects:
        (now,) = await _do(setup, [_moved(asked)])
        assert "error" not in now, (asked, answer, now)
        seen = {name: value for name, value in now.items() if name in answer and name not in OF_THE_MOMENT}
        assert seen == {name: value for name, value in _moved(answer).items() if name in seen}, asked
    assert (await verify(heller_database)).is_ok
    for account in ACCOUNTS:
        assert await _state(setup, account) == await _state(setup, AGAIN + account)


def _moved(fields: dict[str, Any]) -> dict[str, Any]:
    """The same about the accounts on which all is done again."""
    names = {"account", "to", "counterparty"} & {name for name, value in fields.items() if value is not None}
    return fields | {name: AGAIN + fields[name] for name in names}


async def _state(connection: psycopg.AsyncConnection, account: str) -> list[Any]:
    """What an account has in the end, instants apart."""
    return [
        await (await connection.execute(query, [account])).fetchall()
        for query in (
            "select posted, held, version, last_seq, last_grant from heller.accounts where account_id = %s",
            "select g ->> 'grant', g ->> 'remaining', g ->> 'cost' from heller.grants_of(%s, p_all => true) g order by (g ->> 'grant')::bigint",
            "select hold_id, captured, state from heller.holds where account_id = %s order by hold_id",
        )
    ]
