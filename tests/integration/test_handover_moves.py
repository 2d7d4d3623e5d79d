"""Handover, return, refusal, recovery: to the credit, also when the coordinator is killed at any named point."""

import asyncio
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

import legacy_sample
from handover_world import build_legacy, each, fenced, legacy_balance, legacy_purchase, legacy_spend, pair
from heller.errors import AccountAway
from heller.ledger import Heller, verify
from heller.migration.copying import copy
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.points import NAMES
from heller.migration.handover.runs import move_many, recover_all


async def _ours(sides, query, *values):
    return (await (await sides.ours.connection.execute(query, values)).fetchall())[0][0]


async def _strictly_ok(sides, database):
    result = await check_invariants(sides, strict=True)
    assert result.ok, result.breaches
    assert result.conservation.difference == 0
    verified = await verify(database)
    assert verified.is_ok, verified.broken
    return result


async def test_handover_and_return_carry_everything(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        legacy, coordinator = sides.legacy.connection, sides.coordinator()
        assert await legacy_spend(legacy, "1", 30, "a")
        assert await legacy_purchase(legacy, "1", 50, "pi_first")
        (moved,) = await coordinator.hand_over(["1"])
        assert (moved.outcome, (await heller.balance("1")).posted) == ("moved", 120)
        assert [t.kind for t in await heller.history("1")] == ["purchase", "spend", "grant"]
        spend = await heller.spend("1", 20, reason="job analysis", key="op-1")
        await heller.grant(
            "1", 40, source="purchase", payment="pi_second", reason="purchase", key="pi_second"
        )
        await heller.refund("1", spend.seq, 5, key="undo")
        await _strictly_ok(sides, heller_database)

        (returned,) = await coordinator.send_back(["1"])
        assert returned.outcome == "returned"
        assert await legacy_balance(sides, "1") == 145
        with pytest.raises(AccountAway) as away:
            await heller.spend("1", 1)
        assert away.value.home == "legacy"
        rows = await (
            await legacy.execute(
                "select delta_credits, reason from credit_transactions where user_id = '1' order by id"
            )
        ).fetchall()
        assert rows[-3:] == [(-20, "job analysis"), (40, "PURCHASE"), (5, "refund")]
        await _strictly_ok(sides, heller_database)

        assert await legacy_spend(legacy, "1", 45, "b")
        (again,) = await coordinator.hand_over(["1"])
        assert (again.outcome, (await heller.balance("1")).posted) == ("moved", 100)
        assert [t.delta for t in await heller.history("1")] == [
            -45,
            5,
            40,
            -20,
            50,
            -30,
            100,
        ]  # what was carried is not carried again
        await _strictly_ok(sides, heller_database)


@pytest.mark.parametrize(
    "behind_the_fence",
    [
        "update users set credits_balance = credits_balance + 7 where id = 1",
        "update credit_transactions set delta_credits = delta_credits + 7 where user_id = '1'",
    ],
)
async def test_change_behind_the_fence_of_a_user_who_moved_is_a_breach(
    empty_database, heller_database, behind_the_fence
):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1"])
        for table in ("users", "credit_transactions"):
            await sides.legacy.connection.execute(f"alter table {table} disable trigger all")
        assert (await check_invariants(sides)).ok
        await sides.legacy.connection.execute(behind_the_fence)
        found = await check_invariants(sides)
        assert [(breach.invariant, breach.account) for breach in found.breaches] == [("I5", "1")]


async def test_home_decides_which_system_may_write(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await sides.coordinator().hand_over(["1"])
        with pytest.raises(psycopg.Error) as refused:
            await legacy_spend(sides.legacy.connection, "1", 1, "x")
        assert refused.value.sqlstate == "MG001"
        await sides.coordinator().send_back(["1"])
        for change in (
            heller.spend("1", 1), heller.grant("1", 1), heller.adjust("1", -1, reason="x"), heller.place_hold("1", 1),
            heller.clawback("1", 1), heller.spend("1", 1, allow_partial=True), heller.freeze("1", "x"),
        ):  # fmt: skip
            with pytest.raises(AccountAway):
                await change
        results = await heller.apply(
            [{"verb": "spend", "account": "1", "amount": 1}, {"verb": "grant", "account": "1", "amount": 1}]
        )
        assert all(isinstance(result, AccountAway) for result in results)


async def test_return_waits_for_open_holds_and_lets_no_new_ones_in(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await sides.coordinator().hand_over(["1"])
        hold = await heller.place_hold("1", 10)
        (draining,) = await sides.coordinator().send_back(["1"])
        assert draining.outcome == "draining"
        with pytest.raises(AccountAway, match="no new holds"):
            await heller.place_hold("1", 10)
        await heller.spend("1", 3)
        await heller.capture("1", hold.hold, 7)
        (returned,) = await sides.coordinator().send_back(["1"])
        assert returned.outcome == "returned"
        assert await legacy_balance(sides, "1") == 90
        await _strictly_ok(sides, heller_database)


async def test_purchase_made_in_heller_is_not_credited_again_in_the_legacy_system(
    empty_database, heller_database
):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await sides.coordinator().hand_over(["1"])
        async with sides.ours.connection.transaction():
            await sides.ours.connection.execute(
                "insert into heller.payments (payment_key, account_id, payment_intent, amount, currency, credits, net_credits, state)"
                " values ('pi_new', '1', 'pi_new', 250, 'EUR', 50, 50, 'settled')"
            )
            await sides.ours.connection.execute(
                "select heller.grant('1', 50, 'purchase', p_payment_key => 'pi_new', p_key => 'pi_new')"
            )
            await sides.ours.connection.execute(
                "insert into heller.inbox (livemode, event_id, type, body, body_sha256, via, payment_key, status)"
                " values (false, 'evt_new', 'payment_intent.succeeded', '{}', sha256('{}'), 'webhook', 'pi_new', 'done')"
            )
        await sides.coordinator().send_back(["1"])
        assert (await heller.route("1"))["home"] == "legacy"
        legacy = sides.legacy.connection
        assert await (
            await legacy.execute("select user_id, expected_credits, status from payments")
        ).fetchall() == [("1", 50, "CREDITED")]
        assert not await legacy_purchase(legacy, "1", 50, "pi_new")  # its own dedupe knows the event
        await legacy.execute("delete from processed_events")
        with pytest.raises(psycopg.Error) as refused:  # and without it the fence does
            await legacy_purchase(legacy, "1", 50, "pi_new")
        assert refused.value.sqlstate in {"MG003", "23505"}
        assert await legacy_balance(sides, "1") == 150
        await _strictly_ok(sides, heller_database)


async def test_handover_of_a_copied_database_moves_only_the_tail(empty_database, heller_database):
    await legacy_sample.build(empty_database, shape="production", users=80, seed=5)
    with tempfile.TemporaryDirectory() as folder:
        await copy(empty_database, heller_database, Path(folder), decide="recommended", replan=True)
    async with fenced(empty_database, heller_database) as sides:
        before = await _ours(
            sides,
            "select jsonb_object_agg(account_id, jsonb_build_array(posted, last_seq)) from heller.accounts where epoch = 0",
        )
        moves = await move_many(sides.coordinator().hand_over, each(sorted(before)))
        assert moves.as_json()["moved"] == len(before), moves.as_json()
        after = await _ours(
            sides,
            "select jsonb_object_agg(account_id, jsonb_build_array(posted, last_seq)) from heller.accounts where epoch = 1",
        )
        assert after == before
        result = await check_invariants(sides)
        assert result.ok, result.breaches
        assert (await verify(heller_database)).is_ok


PAYMENTS = (  # how many credits an unpaid payment would have brought is an estimate where no column says so
    "select jsonb_object_agg(payment_key, jsonb_build_array(account_id, case when net_credits > 0 then credits end, net_credits, state))"
    " from heller.payments"
)


@pytest.mark.parametrize(
    ("shape", "id_type", "seed"), [("production", None, 3), ("documented", "uuid", 3), ("drifted", None, 4)]
)
async def test_handed_over_account_looks_as_a_copied_one(
    server_url, empty_database, heller_database, second_database, shape, id_type, seed
):
    from heller import schema  # noqa: PLC0415 - only this test needs a second heller

    await legacy_sample.build(empty_database, shape=shape, users=60, seed=seed, id_type=id_type, clean=True)
    await schema.apply(second_database)
    with tempfile.TemporaryDirectory() as folder:
        await copy(empty_database, second_database, Path(folder), decide="recommended", replan=True)
    query = (
        "select coalesce(jsonb_object_agg(account_id || '/' || source_table || '/' || source_id,"
        " jsonb_build_array(delta, kind, reason, payment_key, idempotency_key, effective_at, metadata) order by account_id), '{}')"
        " from heller.transactions where source_table not in ('opening')"
    )
    async with fenced(empty_database, heller_database) as sides:
        users = [user async for user, _ in sides.legacy.users(away=False)]
        moves = await move_many(sides.coordinator().hand_over, each(users))
        assert moves.counts["moved"] == len(users), moves.as_json()
        handed = await _ours(sides, query)
        payments = await _ours(sides, PAYMENTS)
        posted = await _ours(sides, "select jsonb_object_agg(account_id, posted) from heller.accounts")
    async with await psycopg.AsyncConnection.connect(second_database) as copied:
        assert (await (await copied.execute(query)).fetchall())[0][0] == handed
        rows = await (await copied.execute(PAYMENTS)).fetchall()
        assert rows[0][0] == payments
        rows = await (
            await copied.execute("select jsonb_object_agg(account_id, posted) from heller.accounts")
        ).fetchall()
        assert rows[0][0] == posted


async def test_user_whose_rows_were_changed_after_the_copy_stays_at_home(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    with tempfile.TemporaryDirectory() as folder:
        await copy(empty_database, heller_database, Path(folder), decide="recommended", replan=True)
    async with fenced(empty_database, heller_database) as sides:
        await sides.legacy.connection.execute(
            "update credit_transactions set delta_credits = 90 where user_id = '1'"
        )
        outcomes = {o.account: o for o in await sides.coordinator().hand_over(["1", "2"])}
        assert (outcomes["1"].outcome, outcomes["2"].outcome) == ("skipped", "moved")
        assert "was copied as 100 credits and is 90 now" in outcomes["1"].reason
        assert await legacy_spend(sides.legacy.connection, "1", 1, "still at home")


async def test_user_who_does_not_verify_is_quarantined_alone_and_can_go_back(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides:
        await sides.ours.connection.execute(
            "create function pg_temp.x() returns void language sql as ''; create or replace function heller._reset_due(p_account_id text, p_unit text)"
            " returns void language plpgsql as $$ begin if p_account_id = '1' then raise exception 'does not verify'; end if; end $$"
        )
        outcomes = {o.account: o for o in await sides.coordinator().hand_over(["1", "2"])}
        assert (outcomes["1"].outcome, outcomes["1"].reason) == ("quarantined", "does not verify")
        assert outcomes["2"].outcome == "moved"
        assert await pair(sides, "1") == (1, 0)
        with pytest.raises(psycopg.Error):
            await legacy_spend(sides.legacy.connection, "1", 1, "x")
        (refused,) = await sides.coordinator().refuse(["1"])
        assert refused.outcome == "returned"
        assert await pair(sides, "1") == (2, 2)
        assert await legacy_spend(sides.legacy.connection, "1", 1, "x")
        assert (await check_invariants(sides, strict=True)).ok


async def test_user_who_was_refused_can_be_handed_over_later(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        sealed = await sides.legacy.seal(["1"])
        (refused,) = await sides.coordinator().refuse(["1"])
        assert refused.outcome == "returned"
        assert (
            await sides.coordinator().activate(sealed) != []
        )  # a zombie with the old statement changes nothing
        assert await pair(sides, "1") == (2, 2)
        assert await legacy_spend(sides.legacy.connection, "1", 10, "x")
        (moved,) = await sides.coordinator().hand_over(["1"])
        assert (moved.outcome, await pair(sides, "1")) == ("moved", (3, 3))
        assert (await heller.balance("1")).posted == 90
        await _strictly_ok(sides, heller_database)


async def test_two_coordinators_at_once_move_each_user_once(empty_database, heller_database):
    await build_legacy(empty_database, users=60)
    users = [str(n) for n in range(1, 61)]
    async with (
        fenced(empty_database, heller_database) as sides,
        fenced(empty_database, heller_database) as others,
    ):
        first, second = await asyncio.gather(
            move_many(sides.coordinator().hand_over, each(users), batch_users=7),
            move_many(others.coordinator().hand_over, each(reversed(users)), batch_users=7),
        )
        assert first.counts["moved"] + second.counts["moved"] == 60
        assert {await pair(sides, user) for user in users} == {(1, 1)}
        await _strictly_ok(sides, heller_database)


KILLED = """
import asyncio, os, signal, sys
from heller.migration.handover.runs import open_sides
verb, point, legacy, ours = sys.argv[1:]
def die(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)
async def main():
    async with open_sides(legacy, ours) as sides:
        coordinator = sides.coordinator(reached=die)
        if verb == "refuse":
            await sides.legacy.seal(["1"])
        await {"hand_over": coordinator.hand_over, "send_back": coordinator.send_back, "refuse": coordinator.refuse}[verb](["1"])
asyncio.run(main())
"""

HANDOVER, REFUSAL, RETURN = NAMES[:6], NAMES[6:9], NAMES[9:]
CASES = [
    *(("hand_over", point) for point in HANDOVER),
    *(("refuse", point) for point in (*REFUSAL, *RETURN[3:])),
    *(("send_back", point) for point in RETURN),
]
PAIRS = {
    ("hand_over", "legacy.before_seal"): ((0, 0), (0, 0)),
    ("hand_over", "legacy.sealing"): ((0, 0), (0, 0)),
    ("hand_over", "legacy.sealed"): ((1, 0), (1, 1)),
    ("hand_over", "heller.before_activate"): ((1, 0), (1, 1)),
    ("hand_over", "heller.activating"): ((1, 0), (1, 1)),
    ("hand_over", "heller.activated"): ((1, 1), (1, 1)),
    ("refuse", "heller.before_refuse"): ((1, 0), (1, 1)),
    ("refuse", "heller.refusing"): ((1, 0), (1, 1)),
    ("refuse", "heller.refused"): ((1, 2), (2, 2)),
    ("refuse", "legacy.before_activate"): ((1, 2), (2, 2)),
    ("refuse", "legacy.activating"): ((1, 2), (2, 2)),
    ("refuse", "legacy.activated"): ((2, 2), (2, 2)),
    ("send_back", "heller.before_seal"): ((1, 1), (1, 1)),
    ("send_back", "heller.sealing"): ((1, 1), (1, 1)),
    ("send_back", "heller.sealed"): ((1, 2), (2, 2)),
    ("send_back", "legacy.before_activate"): ((1, 2), (2, 2)),
    ("send_back", "legacy.activating"): ((1, 2), (2, 2)),
    ("send_back", "legacy.activated"): ((2, 2), (2, 2)),
}


@pytest.mark.parametrize(("verb", "point"), CASES)
async def test_coordinator_killed_at_each_point_loses_nothing(empty_database, heller_database, verb, point):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await legacy_purchase(sides.legacy.connection, "1", 50, "pi_before")
        expected = 150
        if verb == "send_back":
            await sides.coordinator().hand_over(["1"])
            await heller.spend("1", 30)
            await heller.grant("1", 50, source="purchase", payment="pi_in_heller")
            expected = 170
        command = [sys.executable, "-c", KILLED, verb, point, empty_database, heller_database]
        ended = await asyncio.to_thread(subprocess.run, command, check=False, timeout=60, capture_output=True)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        for _ in range(50):  # the servers roll back what the killed one had open
            if not await _open_transactions(sides):
                break
            await asyncio.sleep(0.1)
        after_kill, after_recovery = PAIRS[verb, point]
        assert await pair(sides, "1") == after_kill
        can_legacy = await _may(legacy_spend(sides.legacy.connection, "1", 1, "probe"))
        can_heller = await _may(heller.spend("1", 1))
        assert (can_legacy, can_heller) == (after_kill[0] % 2 == 0, after_kill[1] % 2 == 1)
        assert not (can_legacy and can_heller)
        expected -= can_legacy + can_heller
        for _ in range(2):  # by anybody, any number of times
            await recover_all(sides)
        assert await pair(sides, "1") == after_recovery
        balance = (
            await legacy_balance(sides, "1")
            if after_recovery[0] % 2 == 0
            else (await heller.balance("1")).posted
        )
        assert balance == expected
        await _strictly_ok(sides, heller_database)


async def _may(change):
    try:
        await change
    except (AccountAway, psycopg.Error):
        return False
    except Exception as error:
        if "no account" in str(error):
            return False
        raise
    return True


async def _open_transactions(sides):
    count = 0
    for connection in (sides.legacy.connection, sides.ours.connection):
        row = await (
            await connection.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'heller handover'"
                " and pid <> pg_backend_pid() and xact_start is not null"
            )
        ).fetchone()
        count += row[0]
    return count


async def test_copy_run_again_leaves_accounts_that_have_moved_alone(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    with tempfile.TemporaryDirectory() as folder:
        await copy(empty_database, heller_database, Path(folder), decide="recommended", replan=True)
        async with (
            fenced(empty_database, heller_database) as sides,
            Heller.connect(heller_database) as heller,
        ):
            await sides.coordinator().hand_over(["1"])
            await heller.spend("1", 10)
            await sides.coordinator().send_back(["1"])
            assert await legacy_spend(sides.legacy.connection, "1", 1, "there")
            assert await legacy_spend(sides.legacy.connection, "2", 1, "there")
            await copy(empty_database, heller_database, Path(folder), decide="recommended", replan=True)
            await sides.coordinator().hand_over(["1", "2"])
            assert [(await heller.balance(user)).posted for user in ("1", "2")] == [89, 99]
            assert [(await heller.balance(user)).transactions for user in ("1", "2")] == [3, 2]
            await _strictly_ok(sides, heller_database)
