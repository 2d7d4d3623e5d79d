"""Purchases that reach the legacy handler after the move, and a legacy database that came back from a backup."""

import psycopg
import pytest

from handover_world import build_legacy, fenced, legacy_balance, legacy_purchase, legacy_spend, pair
from heller.errors import MigrationError
from heller.ledger import Heller
from heller.migration.handover import fence
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.outbox import drain
from heller.migration.handover.runs import open_sides, recover_all
from heller.migration.handover.status import handover_status


async def test_refused_purchase_is_the_senders_to_retry(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1"])
        with pytest.raises(psycopg.Error) as refused:
            await legacy_purchase(sides.legacy.connection, "1", 50, "pi_late")
        assert refused.value.sqlstate == "MG001"
        seen = await (
            await sides.legacy.connection.execute("select count(*) from processed_events")
        ).fetchone()
        assert seen == (0,)  # nothing of it stays, so the retry is not taken for a repetition


RAW_PURCHASE = """
insert into payments (user_id, provider_payment_intent_id, amount_total_cents, expected_credits, status) values ('1', '{i}', 250, 50, 'CREDITED');
insert into credit_transactions (user_id, delta_credits, reason, meta) values ('1', 50, 'PURCHASE', '{{"intent": "{i}"}}');
update users set credits_balance = credits_balance + 50 where id = 1;
"""


async def test_captured_purchase_is_credited_once_by_heller(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with (
        fenced(empty_database, heller_database, fence_mode="capture") as sides,
        Heller.connect(heller_database) as heller,
    ):
        await sides.coordinator().hand_over(["1"])
        for intent in ("pi_captured", "pi_captured", "pi_by_stripe"):  # the sender repeats itself
            async with sides.legacy.connection.transaction():
                await sides.legacy.connection.execute(RAW_PURCHASE.format(i=intent))
        await sides.ours.connection.execute(
            "select heller.credit_purchase('1', 'pi_by_stripe', 50, p_intent => 'pi_by_stripe')"
        )
        assert await legacy_balance(sides, "1") == 100
        assert await drain(sides) == {"credited": 1, "known": 2}
        assert await drain(sides) == {}
        assert (await heller.balance("1")).posted == 200
        with pytest.raises(psycopg.Error) as refused:  # what takes credits is never captured
            await legacy_spend(sides.legacy.connection, "1", 1, "x")
        assert refused.value.sqlstate == "MG001"
        assert (await check_invariants(sides, strict=True)).ok
        (returned,) = await sides.coordinator().send_back(["1"])
        assert returned.outcome == "returned", returned.reason
        assert await legacy_balance(sides, "1") == 200
        assert (await check_invariants(sides, strict=True)).ok


async def test_captured_purchase_of_a_user_who_went_home_is_booked_there_once(
    empty_database, heller_database
):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database, fence_mode="capture") as sides:
        await sides.coordinator().hand_over(["1"])
        async with sides.legacy.connection.transaction():
            await sides.legacy.connection.execute(RAW_PURCHASE.format(i="pi_a"))
        await sides.coordinator().send_back(["1"])
        async with sides.legacy.connection.transaction(force_rollback=True):  # a fence of 0.1.0
            await sides.legacy.connection.execute("drop function heller_fence.deliver")
            assert await drain(sides) == {"waiting": 1}
            ((_, _, account, why),) = (await handover_status(sides)).purchases
            assert account == "1"
            assert "heller migrate fence install" in why
        assert await drain(sides) == {"credited at home": 1}
        assert await drain(sides) == {}
        assert await legacy_balance(sides, "1") == 150
        with pytest.raises(psycopg.Error) as late:
            await legacy_purchase(sides.legacy.connection, "1", 50, "pi_a")
        assert late.value.sqlstate == "MG003"
        assert (await check_invariants(sides, strict=True)).ok
        await sides.coordinator().hand_over(["1"])
        assert await drain(sides) == {}
        found = await sides.ours.connection.execute(
            "select a.posted, p.net_credits, p.state from heller.accounts a, heller.payments p where a.account_id = '1' and p.payment_key = 'pi_a'"
        )
        assert await found.fetchall() == [(150, 50, "settled")]
        assert (await check_invariants(sides, strict=True)).ok


async def test_legacy_database_from_an_older_backup_is_detected_and_closed_again(
    empty_database, heller_database
):
    await build_legacy(empty_database, users=3)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1", "2"])
        await sides.coordinator().send_back(["2"])
    async with await psycopg.AsyncConnection.connect(empty_database, autocommit=True) as restored:
        # as a backup from before the moves has it: same rows, older counters, nothing carried
        await restored.execute("update heller_fence.fence set epoch = 0")
        await restored.execute(
            "truncate heller_fence.statements, heller_fence.receipts, heller_fence.carried"
        )
        await restored.execute("update users set credits_balance = credits_balance - 5 where id = 1")
        await restored.execute(
            "insert into credit_transactions (user_id, delta_credits, reason) values ('1', -5, 'usage')"
        )
    async with (
        open_sides(empty_database, heller_database) as sides,
        Heller.connect(heller_database) as heller,
    ):
        found = await check_invariants(sides)
        assert {(b.invariant, b.account) for b in found.breaches} >= {("I1", "1"), ("I1", "2")}
        moves = await recover_all(sides)
        assert moves.counts["quarantined"] == 2
        assert "restored from an older backup" in moves.reasons[0].reason
        await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout, reseal=True)
        await recover_all(sides)
        assert await pair(sides, "1") == (1, 1)
        assert await pair(sides, "2") == (2, 2)
        with pytest.raises(psycopg.Error) as refused:
            await legacy_spend(sides.legacy.connection, "1", 1, "x")
        assert refused.value.sqlstate == "MG001"
        assert await legacy_spend(sides.legacy.connection, "2", 1, "x")
        assert (await heller.balance("1")).posted == 100
        reason = await (
            await sides.ours.connection.execute(
                "select quarantine_reason from heller.homes where account_id = '1'"
            )
        ).fetchone()
        assert "other rows than were received" in reason[0]


async def test_fence_that_is_gone_with_its_database_is_not_built_from_zero(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1"])
        await sides.legacy.connection.execute("drop schema heller_fence cascade")
        with pytest.raises(MigrationError, match="restored from an older"):
            await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout)
        status = await fence.install(
            sides.legacy.connection, sides.ours.connection, sides.layout, reseal=True
        )
        assert status.ok
        assert await pair(sides, "1") == (1, 1)
