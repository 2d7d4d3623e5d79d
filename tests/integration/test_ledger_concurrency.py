"""Many at once, with real connections that start together."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from heller import Heller, verify
from heller.errors import InsufficientCredits
from heller.ledger import Transaction

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def _all_at_once(
    connections: list[psycopg.AsyncConnection], statements: list[tuple[str, list[Any]]]
) -> list[Any]:
    """Run one statement on each connection, all started behind one barrier; results or errors in place."""
    barrier = asyncio.Barrier(len(connections))

    async def one(connection: psycopg.AsyncConnection, statement: str, values: list[Any]) -> Any:
        await barrier.wait()
        try:
            row = await (await connection.execute(statement, values)).fetchone()  # type: ignore[arg-type]
        except psycopg.Error as error:
            return error
        assert row is not None
        return row[0]

    return await asyncio.gather(*(one(c, s, v) for c, (s, v) in zip(connections, statements, strict=True)))


async def test_64_connections_spend_50_credits_and_50_succeed(heller_database: str, connect: Connect) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("hot")
        await heller.grant("hot", 50)
    connections = [await connect(heller_database) for _ in range(64)]
    results = await _all_at_once(
        connections, [("select heller.spend('hot', 1, p_key => %s)", [f"k{n}"]) for n in range(64)]
    )
    refused = [r for r in results if isinstance(r, psycopg.Error)]
    assert len(refused) == 14
    assert {r.sqlstate for r in refused} == {"HL002"}
    assert sorted(r["balance_after"] for r in results if isinstance(r, dict)) == list(range(50))
    assert (await verify(heller_database)).is_ok


async def test_64_callers_of_the_library_spend_50_credits_and_50_succeed(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("hot")
        await heller.grant("hot", 50)
        results = await asyncio.gather(
            *(heller.spend("hot", 1, key=f"k{n}") for n in range(64)), return_exceptions=True
        )
        assert (await heller.balance("hot")).posted == 0
    assert sum(isinstance(r, InsufficientCredits) for r in results) == 14
    assert sorted(r.balance_after for r in results if isinstance(r, Transaction)) == list(range(50))
    assert (await verify(heller_database)).is_ok


@pytest.mark.parametrize("library", [True, False])
async def test_one_key_20_times_at_once_has_one_effect(
    heller_database: str, connect: Connect, library: bool
) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("hot")
        await heller.grant("hot", 50)
        if library:
            done = await asyncio.gather(*(heller.spend("hot", 7, key="once") for _ in range(20)))
            results = [(t.seq, t.replayed) for t in done]
        else:
            connections = [await connect(heller_database) for _ in range(20)]
            rows = await _all_at_once(
                connections, [("select heller.spend('hot', 7, p_key => 'once')", [])] * 20
            )
            results = [(row["seq"], row["replayed"]) for row in rows]
        assert Counter(results) == {(2, False): 1, (2, True): 19}
        assert (await heller.balance("hot")).posted == 43


@pytest.mark.parametrize("statement", [
    "select heller.grant('hot', 7, p_key => 'once')",
    "select heller.adjust('hot', 7, 'by hand', p_key => 'once')",
    "select heller.transfer('hot', 'other', 7, p_key => 'once')",
    "select heller.hold('hot', 7, p_key => 'once')",
    "select heller.refund('hot', 2, p_key => 'once')",
    "select heller.clawback('hot', 7, p_key => 'once')",
    "select heller.void('hot', 1, p_key => 'once')",
])  # fmt: skip
async def test_any_verb_with_one_key_20_times_at_once_has_one_effect(
    heller_database: str, connect: Connect, statement: str
) -> None:
    setup = await connect(heller_database)
    await setup.execute("select heller.open_account('hot'), heller.open_account('other')")
    await setup.execute("select heller.grant('hot', 50)")
    await setup.execute("select heller.spend('hot', 20)")
    connections = [await connect(heller_database) for _ in range(20)]
    rows = await _all_at_once(connections, [(statement, [])] * 20)
    assert Counter(row["replayed"] for row in rows) == {False: 1, True: 19}
    assert len({(row.get("seq"), row.get("hold")) for row in rows}) == 1


async def test_one_key_on_two_units_at_once_is_one_effect_and_one_refusal(
    heller_database: str, connect: Connect
) -> None:
    setup = await connect(heller_database)
    await setup.execute("select heller.open_account('a', 'credit'), heller.open_account('a', 'token')")
    connections = [await connect(heller_database) for _ in range(20)]
    statements = [
        ("select heller.grant('a', 5, p_unit => %s, p_key => 'once')", [unit])
        for unit in ("credit", "token") * 10
    ]
    rows = await _all_at_once(connections, statements)
    refused = [row for row in rows if isinstance(row, psycopg.Error)]
    assert {error.sqlstate for error in refused} == {"HL013"}
    assert len(refused) == 10
    assert Counter(row["replayed"] for row in rows if isinstance(row, dict)) == {False: 1, True: 9}


async def test_transfers_in_both_directions_do_not_deadlock(heller_database: str, connect: Connect) -> None:
    # names whose order differs between the locale's collation and the bytes'
    names = ["alpha", "Beta", "ab-c", "abd"]
    setup = await connect(heller_database)
    for name in names:
        await setup.execute("select heller.open_account(%s)", [name])
        await setup.execute("select heller.grant(%s, 1000)", [name])

    async def worker(seed: int) -> None:
        chance = random.Random(seed)
        connection = await connect(heller_database)
        for number in range(40):
            giver, taker = chance.sample(names, 2)
            if number % 4:
                await connection.execute("select heller.transfer(%s, %s, 1)", [giver, taker])
            else:
                batch = [{"verb": "spend", "account": name, "amount": 1} for name in (taker, giver)]
                batch += [{"verb": "transfer", "account": taker, "to": giver, "amount": 1}]
                await connection.execute("select heller.apply(%s)", [json.dumps(batch)])

    await asyncio.gather(*(worker(seed) for seed in range(12)))
    result = await verify(heller_database)
    assert result.is_ok, result.broken
    row = await (await setup.execute("select sum(posted) from heller.account_balances")).fetchone()
    assert row == (4000 - 12 * 10 * 2,)


PROGRAM_ACCOUNTS = ["a", "b", "c"]
Told = list[tuple[dict[str, Any], dict[str, Any]]]


def _operation(chance: random.Random, key: str) -> dict[str, Any]:
    account, other = chance.sample(PROGRAM_ACCOUNTS, 2)
    amount = chance.randint(1, 9)
    kind = chance.choice(["spend"] * 6 + ["grant", "transfer", "adjust", "partial", "clawback"])
    base = {"verb": kind, "account": account, "amount": amount, "key": key}
    return {
        "transfer": base | {"to": other},
        "adjust": base | {"amount": -amount, "reason": "by hand"},
        "partial": base | {"verb": "spend", "allow_partial": True},
        "clawback": base | {"policy": "clamp"},
    }.get(kind, base)


async def _program_in_sql(
    connection: psycopg.AsyncConnection, chance: random.Random, number: int, told: Told
) -> None:
    for step in range(25):
        # a quarter of the keys is shared with another caller
        key = f"shared-{chance.randint(0, 9)}" if chance.random() < 0.25 else f"{number}-{step}"
        keys = [key, *(f"{key}-{number}-{step}-{place}" for place in range(chance.choice([0, 0, 4])))]
        operations = [_operation(chance, each) for each in keys]
        row = await (await connection.execute("select heller.apply(%s)", [json.dumps(operations)])).fetchone()
        assert row is not None
        told.extend(zip(operations, row[0], strict=True))


async def _program_in_python(heller: Heller, chance: random.Random, number: int, told: Told) -> None:
    for step in range(40):
        account = chance.choice(PROGRAM_ACCOUNTS)
        with contextlib.suppress(InsufficientCredits):
            t = await heller.spend(account, chance.randint(1, 4), key=f"lib-{number}-{step}")
            told.append(({"verb": "spend"}, {name: getattr(t, name) for name in ANSWERED}))


ANSWERED = ("account", "seq", "delta", "balance_after", "replayed")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_programs_run_at_once_have_a_serial_explanation(
    heller_database: str, connect: Connect, seed: int
) -> None:
    """What each caller was told is exactly what the rows say, and the rows in their order explain each answer."""
    setup = await connect(heller_database)
    for name in PROGRAM_ACCOUNTS:
        await setup.execute("select heller.open_account(%s)", [name])
        await setup.execute("select heller.grant(%s, 60)", [name])
    told: Told = []
    async with Heller.connect(heller_database) as heller:
        programs = [
            _program_in_sql(await connect(heller_database), random.Random(seed * 1000 + n), n, told)
            for n in range(8)
        ]
        programs += [
            _program_in_python(heller, random.Random(seed * 1000 + n), n, told) for n in range(100, 112)
        ]
        await asyncio.gather(*programs)
    rows = await (
        await setup.execute(
            "select account_id, seq, delta, balance_after, idempotency_key from heller.transaction_log"
        )
    ).fetchall()
    written = {(account, seq): (delta, balance) for account, seq, delta, balance, _ in rows}
    first: Counter[tuple[str, int]] = Counter()
    for asked, answer in told:
        if "error" in answer:
            assert answer["error"] in {"HL002", "HL013"}, answer
        elif answer["seq"] is not None:  # else nothing was left to claw back
            place = (answer["account"], answer["seq"])
            assert written[place] == (answer["delta"], answer["balance_after"]), asked
            first[place] += not answer["replayed"]
    assert set(first.values()) == {1}, "each row was the first answer of exactly one call"
    received = {(account, seq) for account, seq, delta, _, key in rows if key is None and delta > 0}
    assert written.keys() == first.keys() | received, "no row without a caller"
    for (account, seq), (delta, balance) in written.items():
        # each decision was right on the balance the row before it left (no holds, no overdraft here)
        assert balance == delta + (written[account, seq - 1][1] if seq > 1 else 0)
        assert balance >= 0
    result = await verify(heller_database)
    assert result.is_ok, result.broken
