"""Jobs under leases, evidence, and the figures over everything, as SQL says them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg

from heller.database import call, call_many

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def test_a_job_is_taken_by_one_and_taken_over_when_its_worker_is_gone(
    heller_database: str, connect: Connect
) -> None:
    connection = await connect(heller_database)

    async def take(worker: str, every: float = 0.0) -> object:
        return await call(
            connection, "take_job", job="sweep", worker=worker, every_seconds=every, lease_seconds=60.0
        )

    assert await take("a") == {"job": "sweep", "previous": None}
    assert await take("b") is None, "a does it"
    assert await take("a") is not None, "a asks again: it ended, and could not say so"
    await connection.execute("update heller.jobs set lease_until = clock_timestamp()")
    assert await take("b") is not None, "a is gone"
    await call(connection, "finish_job", job="sweep", worker="a", error="too late")
    assert await take("a") is None, "only who does it gives it back"
    await call(connection, "finish_job", job="sweep", worker="b", answer={"pages": 2})
    assert await take("a", 3600.0) is None, "not due"
    assert await take("a") == {"job": "sweep", "previous": {"pages": 2}}
    await call(connection, "finish_job", job="sweep", worker="a", error="database away")
    (job,) = await call_many(connection, "jobs_list")
    assert (job["runs"], job["failures"], job["error"], job["answer"]) == (
        4,
        1,
        "database away",
        {"pages": 2},
    )


async def test_usage_figures_count_what_happened(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    for account in ("ann", "bob"):
        await call(connection, "open_account", account_id=account, user_id=account)
    await call(
        connection, "grant", account_id="ann", amount=100, source="purchase", cost=1000, currency="eur"
    )
    await call(connection, "grant", account_id="bob", amount=20)
    for amount in (10, 10):
        await call(connection, "spend", account_id="ann", amount=amount, reason="job analysis")
    await call(connection, "spend", account_id="bob", amount=5, reason="job match")
    await call(connection, "refund", account_id="ann", seq=2, amount=4)
    now = datetime.now(UTC)
    found = await call(
        connection, "usage_figures", **{"from": now - timedelta(days=1)}, until=now + timedelta(days=1)
    )
    assert (found["purchases"], found["active_buyers"], found["active_spenders"]) == (1, 1, 2)
    assert found["credits"]["credit"] == {
        "sold": 100, "granted": 20, "spent": 25, "refunded": 4, "taken_back": 0, "expired": 0,
    }  # fmt: skip
    assert [(f["feature"], f["spends"], f["credits"]) for f in found["features"]] == [
        ("job analysis", 2, 20), ("job match", 1, 5),
    ]  # fmt: skip
    assert found["revenue"][0]["recognised"] == 160
    (cohort,) = found["cohorts"]
    assert (cohort["buyers"], list(cohort["active"].values())) == (1, [1])


async def test_erased_person_keeps_a_ledger_and_no_name(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await call(connection, "open_account", account_id="ann", user_id="ann")
    await call(connection, "add_identity", user_id="ann", kind="email", name="ann@example.org")
    await call(connection, "grant", account_id="ann", amount=100)
    told = await call(connection, "export_user", user_id="ann")
    assert [i["name"] for i in told["identities"]] == ["ann@example.org"]
    assert (await call(connection, "erase_user", user_id="ann", actor="ada", dry_run=True))["names"] == 1
    assert (await call(connection, "export_user", user_id="ann"))["identities"] == told["identities"]
    assert (await call(connection, "erase_user", user_id="ann", actor="ada"))["names"] == 1
    assert (await call(connection, "erase_user", user_id="ann", actor="bob"))["names"] == 0
    kept = await call(connection, "export_user", user_id="ann")
    assert (kept["identities"], kept["user"]["erased_by"]) == ([], "ada")
    assert (await call(connection, "balance", account_id="ann"))["posted"] == 100
    assert await call_many(connection, "resolve", name="ann@example.org") == []
    figures = await call(connection, "metrics")
    assert figures["books"]["accounts"]["credit"]["owed"] == 100
    ended = await call(connection, "success_figures", **{"from": "2020-01-01"}, until="2999-01-01")
    assert (ended["trial_balance"]["difference"], ended["webhooks"]["accepted"]) == (0, 0)
