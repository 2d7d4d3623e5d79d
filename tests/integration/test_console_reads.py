"""What operators read: accounts by any name, figures over all accounts, the queue, the steps of a migration."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from handover_world import build_legacy
from heller import Heller
from heller.database import Database, call
from heller.errors import DecisionsNeeded, GateNotPassed, InvalidArgument
from heller.migration import audit, plan, run
from heller.migration.journal import BEAT_SECONDS, STEPS, journalled, outcomes, runs, step_of, steps
from heller.migration.progress import silent
from heller.rollout import state
from heller.rollout.observing import observe
from heller.stripe import deliveries
from heller.stripe.reconcile import discrepancies

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def test_an_account_is_found_by_every_name_and_by_its_payment(
    heller_database: str, connect: Connect
) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("team-7", user="user-1")
        await heller.open_account("team-70")
        await heller.add_identity("user-1", "email", "Ann@Example.com")
        await heller.add_identity("user-1", "auth0", "auth0|abc")
        connection = await connect(heller_database)
        await connection.execute(
            "insert into heller.payments (payment_key, account_id, credits, state, payment_intent)"
            " values ('cs_9', 'team-70', 5, 'settled', 'pi_9')"
        )

        async def found(text: str) -> list[tuple[str, str | None]]:
            return [(row.account, row.matched) for row in await heller.find_accounts(text)]

        assert await found("team-7") == [("team-7", "account: team-7"), ("team-70", "account: team-70")]
        assert await found("user-1") == [("team-7", "user: user-1")]
        assert await found(" ANN@exam") == [("team-7", "email: ann@example.com")]
        assert await found("auth0|") == [("team-7", "auth0: auth0|abc")]
        assert await found("pi_9") == [("team-70", "payment: cs_9")]
        assert await found("eam-7") == []
        assert await found("100%") == []
        await heller.freeze("team-70", "looks odd")
        frozen = await heller.find_accounts(state="frozen")
        assert [(row.account, row.home) for row in frozen] == [("team-70", "heller")]
        assert [row.account for row in await heller.find_accounts("team-", state="frozen")] == ["team-70"]
        await connection.execute(
            "insert into heller.homes (account_id, source_system, quarantined_at, quarantine_reason)"
            " values ('team-7', 'legacy', clock_timestamp(), 'does not verify'), ('team-70', 'legacy', null, null)"
        )
        assert [row.account for row in await heller.find_accounts(state="quarantined")] == ["team-7"]
        assert [row.account for row in await heller.find_accounts("team-", state="quarantined")] == ["team-7"]
        pages = await heller.find_accounts(limit=1), await heller.find_accounts(after="team-7", limit=1)
        assert [[row.account for row in page] for page in pages] == [["team-7"], ["team-70"]]
        with pytest.raises(InvalidArgument, match="frozen or quarantined"):
            await heller.find_accounts(state="odd")


async def test_books_say_what_is_owed_and_are_not_counted_again_at_once(
    heller_database: str, connect: Connect
) -> None:
    async with Heller.connect(heller_database) as heller:
        for name in ("a", "b"):
            await heller.open_account(name)
        await heller.grant("a", 100, source="purchase", cost=1000, currency="EUR")
        await heller.spend("a", 30)
        await heller.grant("b", 10)
        await heller.clawback("b", 15, policy="debt")
        books = await heller.books()
        assert books.difference == 0
        credit = books.accounts["credit"]
        assert (credit.accounts, credit.owed, credit.debt) == (2, 70, 5)
        assert books.deferred == {"EUR": 700}
        await heller.spend("a", 1)
        assert await heller.books() == books
        connection = await connect(heller_database)
        await connection.execute("update heller.book_figures set taken_at = taken_at - interval '2 minutes'")
        await connection.execute("update heller.accounts set posted = posted + 3 where account_id = 'a'")
        fresh = await heller.books()
        assert (fresh.accounts["credit"].owed, fresh.difference) == (72, 3)


async def test_the_queue_and_a_discrepancy_that_a_person_closes(heller_database: str) -> None:
    database = await Database.open(heller_database)
    try:
        async with database.connection() as connection:
            await connection.execute(
                "insert into heller.inbox (livemode, event_id, type, body, body_sha256, via, status, received_at)"
                " select false, 'evt_' || s, 'x', '', '', 'webhook', s, clock_timestamp() - interval '90 seconds'"
                " from unnest(array['pending', 'parked', 'dead', 'done']) s"
            )
            number = await call(connection, "stripe_discrepancy", kind="missed", payment_key="pi_1")
        before = await deliveries.queue(database)
        assert (before["pending"], before["parked"], before["dead"], before["open_discrepancies"]) == (
            1,
            1,
            1,
            1,
        )
        assert 90 <= before["oldest_seconds"] < 120
        async with database.connection() as connection:
            await call(
                connection,
                "stripe_close_discrepancy",
                discrepancy_id=number,
                actor="ann",
                reason="asked Stripe",
            )
            with pytest.raises(InvalidArgument, match="not open"):
                await call(
                    connection, "stripe_close_discrepancy", discrepancy_id=number, actor="ann", reason="again"
                )
        (closed,) = await discrepancies(database, payment_key="pi_1")
        assert (closed["state"], closed["actor"], closed["note"]) == ("closed", "ann", "asked Stripe")
        assert await discrepancies(database, before=number) == []
        assert (await deliveries.queue(database))["open_discrepancies"] == 0
    finally:
        await database.close()


async def test_promote_is_refused_until_the_gate_is_passed(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await state.start(connection, actor="ann", reason="go")
    with pytest.raises(GateNotPassed, match="a first evaluation"):
        await state.promote(connection, actor="ann", reason="now")
    assert (await state.rollout_of(connection)).stage == 1  # type: ignore[union-attr]
    promoted = await state.promote(connection, actor="ann", reason="now", even_unproven=True)
    assert promoted.stage == 2
    for number in range(4):
        await observe(
            connection, operation=f"o{number}", account=f"u{number}", arm="heller", what="webhook" if number == 3 else "spend",
            failed=number == 0, milliseconds=3_000 if number == 1 else 5,
        )  # fmt: skip
    measured = await state.rates(connection, promoted.started_at, slow_milliseconds=2_000)
    sums = [
        sum(getattr(rate, name) for rate in measured) for name in ("outcomes", "failed", "slow", "webhooks")
    ]
    assert sums == [3, 1, 1, 1]


@pytest.mark.one_server("a migration is done before a ledger is spread")
async def test_each_step_of_a_migration_is_journalled_with_its_answer(
    heller_database: str, empty_database: str, connect: Connect, tmp_path: Path
) -> None:
    await build_legacy(empty_database, users=3)
    await run(empty_database, heller_database, tmp_path, decide="recommended")
    connection = await connect(heller_database)
    found = await steps(connection)
    assert sorted(row.step for row in found) == sorted(STEPS)
    assert {(row.state, row.result, row.error) for row in found} == {("finished", None, None)}
    numbers = {row.step: row.step_id for row in found}
    copied = await step_of(connection, numbers["copy"])
    assert copied is not None
    assert copied.result is not None
    assert (copied.result["accounts"], copied.result["ok"]) == (3, True)
    assert (copied.done, copied.total) == (copied.total, 6)
    proven = await step_of(connection, numbers["proof"])
    assert proven is not None
    assert proven.result is not None
    assert len(proven.result["digest"]) == 64
    (journalled_run,) = await runs(connection)
    assert (journalled_run["quarantined"], journalled_run["summary"]["ok"]) == (0, True)
    assert await outcomes(connection) == []
    assert empty_database.split("@", maxsplit=1)[0] not in str(found)  # no password in the journal


async def test_a_blocked_step_and_a_killed_one_say_so(
    heller_database: str, empty_database: str, connect: Connect, tmp_path: Path
) -> None:
    await build_legacy(empty_database, users=2)
    legacy, ours = await connect(empty_database), await connect(heller_database)
    await legacy.execute(
        "insert into credit_transactions (user_id, delta_credits, reason) values ('999', 5, 'x')"
    )
    audited = await audit(empty_database, heller_database, tmp_path)
    assert not audited.ok
    with pytest.raises(DecisionsNeeded):
        await plan(empty_database, heller_database, tmp_path)
    blocked, done = await steps(ours)
    assert (blocked.step, blocked.state, done.step, done.state) == ("plan", "failed", "audit", "finished")
    assert "unknown_user" in (blocked.error or "")
    async with journalled(heller_database, "copy", "legacy", progress=silent) as step:
        step("copy", 50, 200)
        await asyncio.sleep(BEAT_SECONDS * 1.5)
        running = (await steps(ours))[0]
        assert (running.state, running.done, running.total) == ("running", 50, 200)
        assert running.seconds_left is None or running.seconds_left > 0
        await ours.execute(
            "update heller.migration_steps set seen_at = seen_at - interval '1 minute' where done = 50"
        )
        assert (await steps(ours))[0].state == "killed"
        pages = await steps(ours, limit=1), await steps(ours, before=running.step_id, limit=1)
        assert [page[0].step for page in pages] == ["copy", "plan"]
