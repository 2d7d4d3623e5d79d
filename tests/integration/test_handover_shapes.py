"""Handover and return on every shape, with purchases, spends, refunds and expiries made in heller in between."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import legacy_sample
from handover_world import each, fenced
from heller.ledger import Heller, verify
from heller.migration import run
from heller.migration.handover import fence
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.runs import move_many, open_sides

MOMENT = timedelta(milliseconds=200)  # longer than no clock can see, shorter than anybody minds
SHAPES = [
    ("production", None, 11), ("documented", "integer", 11), ("documented", "text", 12), ("documented", "uuid", 13),
    *(("drifted", None, seed) for seed in range(11, 21)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "id_type", "seed"), SHAPES)
async def test_everything_made_in_heller_comes_back_into_the_legacy_history(
    empty_database, heller_database, shape, id_type, seed
):
    await legacy_sample.build(empty_database, shape=shape, users=40, seed=seed, id_type=id_type)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        users = [user async for user, _ in sides.legacy.users(away=False)][:12]
        moves = await move_many(sides.coordinator().hand_over, each(users))
        assert moves.counts["moved"] == len(users), moves.reasons[:2]
        before = {user: (await heller.balance(user)).posted for user in users}
        forfeited = 0
        for number, user in enumerate(users):
            intent = f"pi_{seed}in{number}"
            await sides.ours.connection.execute(
                "select heller.credit_purchase(%s, %s, 70, p_intent => %s, p_amount => 350, p_currency => 'EUR')",
                [user, intent, intent],
            )
            available = (await heller.balance(user)).available
            if available >= 9:
                spend = await heller.spend(user, 9, reason="job analysis")
                await heller.refund(user, spend.seq, 4)
            await heller.clawback(user, 20, payment=intent, reason="refund")
            await heller.grant(user, 3, reason="bonus")
            if before[user] >= 0:  # who is in debt would pay it with them
                await heller.grant(user, 7, reason="for a moment", expires_at=datetime.now(UTC) + MOMENT)
                forfeited += 1
        await asyncio.sleep(MOMENT.total_seconds())
        after = {user: (await heller.balance(user)).posted for user in users}
        assert all(after[user] in {before[user] + 48, before[user] + 53} for user in users)
        back = await move_many(sides.coordinator().send_back, each(users))
        assert back.counts["returned"] == len(users), back.reasons[:2]
        balances = dict(
            await (
                await sides.legacy.connection.execute(
                    "select user_id, balance from heller_fence.balances(%s)", [users]
                )
            ).fetchall()
        )
        assert balances == after
        result = await check_invariants(sides)
        assert result.ok, result.breaches
        carried = await (
            await sides.legacy.connection.execute(
                "select count(*), sum(delta) from heller_fence.carried where delta in (7, -7)"
            )
        ).fetchone()
        assert carried == (2 * forfeited, 0)  # what came and expired is in the legacy history, both
        counts = {user: (await heller.balance(user)).transactions for user in users}
        again = await move_many(sides.coordinator().hand_over, each(users))
        assert again.counts["moved"] == len(users), again.reasons[:2]
        for user in users:
            account = await heller.balance(user)
            assert (account.posted, account.transactions) == (
                after[user],
                counts[user],
            )  # nothing carried twice
        assert (await check_invariants(sides)).ok
        assert (await verify(heller_database)).is_ok


CLUB = """
create schema club;
create table club.members (no int primary key, mail text unique, login text unique, points bigint not null);
create table club.usage_log (log_no uuid primary key default gen_random_uuid(), member text not null, points int not null, what text, at timestamptz default now());
create table club.orders (order_no serial primary key, member text not null, stripe_id text, cents int, points int, state text, at timestamptz default now());
insert into club.members values (1, 'ann@example.com', 'auth0|ann', 100), (2, 'bob@example.com', 'auth0|bob', 50);
insert into club.orders (member, stripe_id, cents, points, state) values ('auth0|ann', 'pi_7', 900, 120, 'done');
insert into club.usage_log (member, points, what) values ('ann@example.com', 20, 'scan');
"""
CLUB_MAPPING = """
system = "club"
[users]
table = "club.members"
id = "no"
email = "mail"
balance = "points"
names = ["login"]
[payments]
table = "club.orders"
id = "order_no"
user_ref = "member"
intent = "stripe_id"
amount = "cents"
credits = "points"
status = "state"
created_at = "at"
currency = { value = "EUR" }
[[transactions]]
table = "club.usage_log"
id = "log_no"
user_ref = "member"
delta = "points"
reason = "what"
created_at = "at"
negated = true
[kinds]
scan = "spend"
[statuses]
done = "paid"
"""


async def test_mapped_schema_is_fenced_handed_over_and_given_back(empty_database, heller_database, tmp_path):
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(CLUB_MAPPING, "utf-8")
    async with await psycopg.AsyncConnection.connect(empty_database, autocommit=True) as legacy:
        await legacy.execute(CLUB)
        await run(empty_database, heller_database, tmp_path / "out", mapping=mapping)
        async with (
            open_sides(empty_database, heller_database, mapping=mapping, needs_fence=False) as sides,
            Heller.connect(heller_database) as heller,
        ):
            status = await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout)
            assert status.ok, status.problems
            (moved,) = await sides.coordinator().hand_over(["1"])
            assert moved.outcome == "moved", moved.reason
            for name in ("1", "auth0|ann", "ANN@example.com"):  # under every name of hers
                with pytest.raises(psycopg.Error) as refused:
                    await legacy.execute(
                        "insert into club.usage_log (member, points, what) values (%s, 5, 'scan')", [name]
                    )
                assert refused.value.sqlstate == "MG001"
            await heller.spend("1", 30, reason="scan")
            (back,) = await sides.coordinator().send_back(["1"])
            assert back.outcome == "returned", back.reason
            rows = await (await legacy.execute("select points from club.members order by no")).fetchall()
            assert rows == [(70,), (50,)]
            spent = await (
                await legacy.execute("select member, points from club.usage_log where points = 30")
            ).fetchall()
            assert spent == [("1", 30)]
            assert (await check_invariants(sides)).ok
