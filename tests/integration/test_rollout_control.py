"""The rollout by itself: it moves, it notices, it goes back, and it stays so until somebody signs."""

import asyncio
import http.server
import threading

import pytest

from handover_world import build_legacy, fenced, legacy_balance
from heller.errors import InvalidArgument, MigrationError, SettingsError
from heller.ledger import Heller
from heller.migration.handover import fence
from heller.migration.handover.invariants import check_invariants
from heller.rollout import controller, state
from heller.rollout.alerts import Alerts
from heller.rollout.observing import observe, observed

# Apprise imports imghdr when it loads its receivers for the first time.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

QUICK = {"users_min": 3, "kinds_needed": ["spend"], "no_data_seconds": 900}


async def _outcomes(sides, arm, *, count, failed=0, users=30, what="spend", milliseconds=20, name="o"):
    for n in range(count):
        await observe(
            sides.ours.connection, operation=f"{arm}-{what}-{name}-{n}", account=str(n % users + (1 if arm == "heller" else 1001)), arm=arm, what=what, failed=n < failed,
            milliseconds=milliseconds,
        )  # fmt: skip
    await asyncio.sleep(1.05)  # outcomes are weighed once they are a second old


async def _begin(sides, **options):
    return await state.start(
        sides.ours.connection, actor="ann", reason="go", settings=QUICK, soak_seconds=0, **options
    )


async def test_stages_move_exactly_the_users_whose_bucket_is_planned(empty_database, heller_database):
    await build_legacy(empty_database, users=120)
    async with fenced(empty_database, heller_database) as sides:
        rollout = await _begin(sides, stages=[10, 50, 100])
        for percent in (10, 50, 100):
            done = await controller.tick(sides, strict=True)
            assert (done.state, done.percent) == ("running", percent)
            planned = {str(n) for n in range(1, 121) if rollout.bucket_of(str(n)) < percent}
            moved = {user async for user, _ in sides.legacy.users(away=True)}
            assert moved == planned
            if percent < 100:
                rollout = await state.change(sides.ours.connection, "promote", actor="ann", reason="fine")
        assert (await check_invariants(sides, strict=True)).at_home == {
            "legacy": 0,
            "heller": 120,
            "moving": 0,
        }


async def test_plan_buckets_by_email(empty_database, heller_database):
    await build_legacy(empty_database, users=60)
    async with fenced(empty_database, heller_database) as sides:
        rollout = await _begin(sides, bucketing="plan")
        await controller.tick(sides)
        planned = {str(n) for n in range(1, 61) if rollout.bucket_of(str(n), f"user{n}@example.com") < 10}
        assert {user async for user, _ in sides.legacy.users(away=True)} == planned
        assert planned


async def test_error_burst_returns_everyone_within_one_evaluation(empty_database, heller_database):
    await build_legacy(empty_database, users=40)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await _begin(sides, stages=[100])
        await controller.tick(sides)
        await heller.spend("1", 15)
        await _outcomes(sides, "heller", count=20, failed=4)
        done = await controller.tick(sides, strict=True)
        assert done.decision.action == "breach_rollback"
        assert "4 of" in done.decision.reason
        assert done.state == "rolling_back"
        current = await state.rollout_of(sides.ours.connection)
        assert (current.state, current.percent, current.actor) == ("rolled_back", 0, "worker")
        assert [user async for user, _ in sides.legacy.users(away=True)] == []
        assert await legacy_balance(sides, "1") == 85
        assert (await check_invariants(sides, strict=True)).ok
        again = await controller.tick(sides)  # latched: nothing moves by itself any more
        assert again.moves.counts["moved"] == 0
        events = [entry.event for entry in await state.log_of(sides.ours.connection)]
        assert events == ["rolled_back", "breach_rollback", "start"]


async def test_trouble_in_both_systems_only_halts(empty_database, heller_database):
    await build_legacy(empty_database, users=40)
    async with fenced(empty_database, heller_database) as sides:
        await _begin(sides, stages=[50, 100])
        await controller.tick(sides)
        at_home = [user async for user, _ in sides.legacy.users(away=True)]
        await _outcomes(sides, "legacy", count=20, failed=4)
        await _outcomes(sides, "heller", count=20, failed=4)
        done = await controller.tick(sides)
        assert (done.decision.action, done.state) == ("breach_halt", "halted")
        assert "going back would not help" in done.decision.reason
        assert [user async for user, _ in sides.legacy.users(away=True)] == at_home


async def test_users_who_are_not_seen_where_they_live_halt_the_rollout(empty_database, heller_database):
    await build_legacy(empty_database, users=80)
    async with fenced(empty_database, heller_database) as sides:
        await _begin(sides, stages=[50, 100])
        await controller.tick(sides)
        await _outcomes(sides, "legacy", count=30)
        assert (await controller.tick(sides)).decision.action == "none"  # one arm alone says nothing
        await _outcomes(sides, "heller", count=30)
        assert (await controller.tick(sides)).decision.action == "none"
        await sides.ours.connection.execute("update heller.homes set changed_at = clock_timestamp()")
        await _outcomes(sides, "legacy", count=30, name="more")
        await _outcomes(sides, "heller", count=30, users=2, name="more")
        await sides.ours.connection.execute("update heller.rollouts set stages = '{100}'")
        done = await controller.tick(sides, move_seconds=0)
        assert done.decision.action == "none", (
            "the quiet go first: nothing is judged while somebody is still to move"
        )
        await sides.ours.connection.execute("update heller.rollouts set stages = '{50, 100}'")
        done = await controller.tick(sides)
        assert (done.decision.action, done.state) == ("breach_halt", "halted")
        assert done.decision.evidence["guardrail"] == "cohorts"


async def test_accounts_that_were_opened_in_heller_say_nothing_of_the_split(empty_database, heller_database):
    await build_legacy(empty_database, users=80)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await _begin(sides, stages=[10, 100])
        await controller.tick(sides)
        moved = [user async for user, _ in sides.legacy.users(away=True)]
        for n in range(100, 160):
            await heller.open_account(str(n))
        for account in [*moved, *(str(n) for n in range(100, 160))]:
            await observe(
                sides.ours.connection, operation=f"seen-{account}", account=account, arm="heller", what="spend", failed=False, milliseconds=9
            )  # fmt: skip
        await _outcomes(sides, "legacy", count=30)
        done = await controller.tick(sides)
        assert done.decision.action == "none", done.decision.reason
        current = await state.rollout_of(sides.ours.connection)
        assert current.verdict["weighed"]["users"] == len(moved)


async def test_accounts_that_were_opened_in_heller_neither_roll_back_nor_pass_a_gate(
    empty_database, heller_database
):
    """Nobody assigned them to a bucket, and a rollback could not return them: they are no evidence either way."""
    await build_legacy(empty_database, users=4)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await _begin(sides, stages=[100])
        await controller.tick(sides)
        for n in range(5, 25):
            await heller.open_account(str(n))

        async def signed_up(name, *, failed):
            for n in range(80):
                await observe(
                    sides.ours.connection, operation=f"{name}-{n}", account=str(5 + n % 20), arm="heller", what="spend", failed=failed, milliseconds=20,
                )  # fmt: skip
            await asyncio.sleep(1.05)

        await signed_up("good", failed=False)
        done = await controller.tick(sides, strict=True)
        assert done.decision.waiting_for[0].startswith("more outcomes: evidence is +0.00 after 0")
        await signed_up("bad", failed=True)
        await _outcomes(sides, "heller", count=1, users=4)
        done = await controller.tick(sides, strict=True)
        assert (done.state, done.decision.action) == ("running", "none")
        rollout = await state.rollout_of(sides.ours.connection)
        assert rollout.verdict["weighed"]["streams"]["heller/errors"]["n"] == 1
        newest = await (
            await sides.ours.connection.execute("select max(observation) from heller.observations")
        ).fetchone()
        assert rollout.verdict["weighed"]["last"] == newest[0], (
            "what is no evidence is not read again and again"
        )


@pytest.mark.parametrize(
    ("what", "milliseconds", "failed", "guardrail"),
    [("spend", 2_500, 0, "latency"), ("webhook", 10, 3, "webhooks")],
)
async def test_latency_and_webhooks_are_guarded_too(
    empty_database, heller_database, what, milliseconds, failed, guardrail
):
    await build_legacy(empty_database, users=20)
    async with fenced(empty_database, heller_database) as sides:
        await _begin(sides, stages=[100])
        await controller.tick(sides)
        await _outcomes(sides, "heller", count=8, failed=failed, what=what, milliseconds=milliseconds)
        done = await controller.tick(sides)
        assert (done.decision.action, done.decision.evidence["guardrail"]) == ("breach_rollback", guardrail)


async def test_lost_credit_freezes_the_account_and_returns_the_clean_ones(empty_database, heller_database):
    await build_legacy(empty_database, users=10)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await _begin(sides, stages=[100])
        await controller.tick(sides)
        await sides.ours.connection.execute(
            "update heller.accounts set posted = posted - 1 where account_id = '7'"
        )
        done = await controller.tick(sides)
        assert done.decision.action == "breach_rollback"
        assert done.decision.accounts == ("7",)
        assert [user async for user, _ in sides.legacy.users(away=True)] == ["7"]
        frozen = await heller.balance("7")
        assert frozen.frozen
        assert "evidence: invariant I4" in frozen.frozen_reason
        assert (await state.rollout_of(sides.ours.connection)).state == "rolled_back"


async def test_no_data_is_a_halt(empty_database, heller_database):
    await build_legacy(empty_database, users=5)
    async with fenced(empty_database, heller_database) as sides:
        await _begin(sides, stages=[100])
        await controller.tick(sides)
        await sides.ours.connection.execute(
            "update heller.rollouts set stage_since = stage_since - interval '20 minutes'"
        )
        done = await controller.tick(sides)
        assert (done.decision.action, done.state) == ("halt", "halted")
        assert "no outcome" in done.decision.reason


async def test_gate_needs_outcomes_users_and_kinds_and_promotes_only_when_told(
    empty_database, heller_database
):
    await build_legacy(empty_database, users=40)
    async with fenced(empty_database, heller_database) as sides:
        settings = QUICK | {"auto_promote": True}
        await state.start(
            sides.ours.connection,
            actor="ann",
            reason="go",
            settings=settings,
            soak_seconds=0,
            stages=[50, 100],
        )
        done = await controller.tick(sides)
        assert done.decision.action == "none"
        assert any("more outcomes" in item for item in done.decision.waiting_for)
        assert any("one successful spend" in item for item in done.decision.waiting_for)
        await _outcomes(sides, "heller", count=60)
        assert (await controller.tick(sides)).decision.action == "none"
        await _outcomes(sides, "heller", count=20, name="more")
        done = await controller.tick(sides)
        assert (done.decision.action, done.percent) == ("promote", 100)


async def test_one_broken_client_has_one_vote(empty_database, heller_database):
    await build_legacy(empty_database, users=5)
    async with fenced(empty_database, heller_database) as sides:
        await _begin(sides, stages=[100])
        await controller.tick(sides)
        await _outcomes(sides, "heller", count=50, failed=50, users=1)
        done = await controller.tick(sides)
        assert done.decision.action == "none"
        assert not await observe(
            sides.ours.connection,
            operation="heller-spend-o-1",
            account="1",
            arm="heller",
            what="spend",
            failed=True,
            milliseconds=1,
        )


async def test_refusals_are_no_failures(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await sides.coordinator().hand_over(["1"])
        with pytest.raises(Exception, match="are needed"):
            async with observed(sides.ours.connection, account="1", what="spend", operation="a"):
                await heller.spend("1", 10_000)
        with pytest.raises(ZeroDivisionError):
            async with observed(sides.ours.connection, account="1", what="spend", operation="b"):
                1 / 0  # noqa: B018 - the failure under test
        rows = await (
            await sides.ours.connection.execute(
                "select operation_id, failed, detail from heller.observations order by 1"
            )
        ).fetchall()
        assert rows == [("a", False, None), ("b", True, "ZeroDivisionError")]


async def test_state_is_latched_and_signed(heller_database, connect):
    connection = await connect(heller_database)
    with pytest.raises(InvalidArgument, match="ascend"):
        await state.start(connection, actor="ann", reason="go", stages=[50, 10])
    with pytest.raises(InvalidArgument, match="is no limit"):
        await state.start(connection, actor="ann", reason="go", settings={"error_rate": 1})
    await state.start(connection, actor="ann", reason="go")
    with pytest.raises(InvalidArgument, match="already"):
        await state.start(connection, actor="ann", reason="go")
    await state.change(connection, "halt", actor="bob", reason="lunch")
    with pytest.raises(InvalidArgument, match="cannot take promote"):
        await state.change(connection, "promote", actor="bob", reason="x")
    with pytest.raises(InvalidArgument, match="signed"):
        await state.change(connection, "resume", actor=" ", reason="x")
    resumed = await state.change(connection, "resume", actor="bob", reason="back")
    assert (resumed.state, resumed.stage, resumed.actor) == ("running", 1, "bob")
    assert [(e.event, e.actor, e.reason) for e in await state.log_of(connection)] == [
        ("resume", "bob", "back"), ("halt", "bob", "lunch"), ("start", "ann", "go"),
    ]  # fmt: skip


async def test_legacy_fallback_sends_everyone_home_and_back(empty_database, heller_database):
    await build_legacy(empty_database, users=10)
    async with fenced(empty_database, heller_database) as sides:
        await _begin(sides, stages=[100])
        await controller.tick(sides)
        await state.change(sides.ours.connection, "fallback_on", actor="ann", reason="look at it")
        await controller.tick(sides)
        assert [user async for user, _ in sides.legacy.users(away=True)] == []
        await state.change(sides.ours.connection, "fallback_off", actor="ann", reason="fine")
        await controller.tick(sides)
        assert len([user async for user, _ in sides.legacy.users(away=True)]) == 10


async def test_without_the_fence_no_rollout_goes_on_and_the_reason_is_said(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        await _begin(sides, stages=[100])
        await fence.remove(sides.legacy.connection, sides.ours.connection, sides.layout)
        with pytest.raises(MigrationError, match="has no fence") as refused:
            await controller.tick(sides)
        assert "heller migrate fence install" in refused.value.hint


async def test_nothing_is_promoted_before_the_start(heller_database, connect):
    connection = await connect(heller_database)
    with pytest.raises(InvalidArgument, match="rollout home was not started; start it first"):
        await state.promote(connection, actor="ann", reason="go")


async def test_one_worker_evaluates_at_a_time(empty_database, heller_database):
    await build_legacy(empty_database, users=30)
    async with (
        fenced(empty_database, heller_database) as sides,
        fenced(empty_database, heller_database) as others,
    ):
        await _begin(sides, stages=[100])
        ticks = await asyncio.gather(controller.tick(sides), controller.tick(others))
        assert min(t.state for t in ticks) in {"none", "running"}
        assert sum(t.moves.counts["moved"] for t in ticks) == 30


async def test_alert_reaches_a_receiver(empty_database, heller_database):
    received: list[bytes] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        alerts = Alerts.of(f"json://127.0.0.1:{server.server_port}/hook")
        await build_legacy(empty_database, users=5)
        async with fenced(empty_database, heller_database) as sides:
            await _begin(sides, stages=[100])
            await controller.tick(sides)
            await _outcomes(sides, "heller", count=4, failed=4)
            done = await controller.tick(sides, alerts=alerts)
        assert done.alerted
        assert b"operations failed" in received[0]
    finally:
        server.shutdown()
        server.server_close()


def test_alert_url_that_is_none_is_refused_without_showing_it():
    with pytest.raises(SettingsError) as refused:
        Alerts.of("nonsense://secret-token")
    assert "secret-token" not in str(refused.value)
