"""Handover and return on every shape, with purchases, spends, refunds and expiries made in heller in between."""

import pytest

import legacy_sample
from handover_world import each, fenced
from heller.ledger import Heller, verify
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.runs import move_many

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
