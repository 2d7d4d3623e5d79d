"""One set of verbs over both homes, and what the legacy application and its senders see of a move."""

import asyncio
import json
import subprocess
import sys
import time
from typing import Annotated, Any

import httpx
import psycopg
import pytest
import stripe
from fastapi import Depends, FastAPI, HTTPException
from openfeature import api
from openfeature.evaluation_context import EvaluationContext

import heller
from handover_world import build_legacy, fenced, legacy_balance, legacy_purchase, legacy_spend
from heller import Credits, Heller, HomeMiddleware, HomeMiddlewareWsgi, Movement, is_moved
from heller.database import Database
from heller.errors import (
    AccountAway,
    IdempotencyConflict,
    InsufficientCredits,
    SettingsError,
    UnknownAccount,
    UnknownTransaction,
)
from heller.fastapi import Reserved, answer_problems, charge, reserve
from heller.migration.handover.invariants import check_invariants
from heller.rollout import state
from heller.rollout.flags import RolloutProvider
from heller.rollout.gateway import relay, signed
from heller.rollout.observing import ObservingMiddleware, Operation

SECRET = "whsec_legacy"  # noqa: S105 - of a handler that only this test has


async def test_same_verbs_serve_both_homes(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):
        spent = await credits.spend("1", 10, key="a", reason="job analysis")
        assert (spent.home, spent.balance_after) == ("legacy", 90)
        assert await legacy_balance(sides, "1") == 90
        await credits.grant("1", 5, key="gift", reason="bonus")
        await sides.coordinator().hand_over(["1"])
        assert await credits.balance("1") == 95
        assert (await credits.spend("1", 20, key="b")).home == "heller"
        assert (await credits.refund("1", "a", key="undo a")).balance_after == 85
        await sides.coordinator().send_back(["1"])
        assert await credits.balance("1") == 85
        assert (await credits.refund("1", "b", key="undo b")).balance_after == 105
        with pytest.raises(InsufficientCredits) as refused:
            await credits.spend("1", 1_000, key="c")
        assert (refused.value.required, refused.value.available) == (1_000, 105)
        with pytest.raises(UnknownTransaction):
            await credits.refund("1", "never", key="x")
        with pytest.raises(UnknownAccount):
            await credits.spend("nobody", 1, key="x")
        assert (await check_invariants(sides, strict=True)).ok


async def test_a_key_is_found_however_much_came_after_it(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):
        await sides.coordinator().hand_over(["1"])
        await credits.spend("1", 10, key="old")
        await sides.ours.connection.execute(
            "select heller.grant('1', 1, p_key => n::text) from generate_series(1, 1100) n"
        )
        assert await credits.delta_of("1", "old") == -10
        assert await credits.delta_of("1", "never") is None
        assert (await credits.refund("1", "old", key="undo")).balance_after == 100 + 1100


async def test_a_key_is_one_intent_across_moves(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):
        await credits.spend("1", 10, key="before", reason="job analysis", metadata={"job": 7})
        await sides.coordinator().hand_over(["1"])
        assert (
            await credits.spend("1", 10, key="before", reason="job analysis", metadata={"job": 7})
        ).replayed
        with pytest.raises(IdempotencyConflict):
            await credits.spend("1", 11, key="before", reason="job analysis", metadata={"job": 7})
        await credits.spend("1", 3, key="there", reason="match", metadata={"job": 8})
        await sides.coordinator().send_back(["1"])
        assert (await credits.spend("1", 3, key="there", reason="match", metadata={"job": 8})).replayed
        assert (
            await credits.spend("1", 10, key="before", reason="job analysis", metadata={"job": 7})
        ).replayed
        with pytest.raises(IdempotencyConflict):
            await credits.spend("1", 4, key="there", reason="match", metadata={"job": 8})
        assert await credits.balance("1") == 87


async def test_spends_go_on_while_the_user_moves_to_and_fro(empty_database, heller_database):
    await build_legacy(empty_database, users=1, balance=10_000)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):
        done = False

        async def mover():
            moves = 0
            while not done:
                for move in (sides.coordinator().hand_over, sides.coordinator().send_back):
                    (outcome,) = await move(["1"])
                    moves += outcome.outcome in {"moved", "returned"}
                    await asyncio.sleep(0.01)
            return moves

        moving = asyncio.create_task(mover())
        homes = [(await credits.spend("1", 1, key=f"k{n}")).home for n in range(150)]
        done = True
        assert await moving > 3
        assert set(homes) == {"heller", "legacy"}
        assert await credits.balance("1") == 10_000 - 150
        await sides.coordinator().recover(["1"])
        assert (await check_invariants(sides, strict=True)).ok


async def test_a_route_is_charged_in_whichever_home_its_user_has(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):
        app, works = FastAPI(), [True]
        answer_problems(app)
        paid = {"heller": lambda: credits, "account": lambda: "1"}

        @app.post("/renders")
        async def render(charged: Annotated[Movement, Depends(charge(10, "render", **paid))]) -> list[Any]:
            if not works[0]:
                raise HTTPException(500, "no answer of the model")
            return [charged.home, charged.balance_after]

        @app.post("/films")
        async def film(hold: Annotated[Reserved, Depends(reserve(10, "film", **paid))]) -> None: ...

        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as buyer:
            key = {"idempotency-key": "one"}
            works[0] = False
            assert (await buyer.post("/renders", headers=key)).status_code == 500
            assert await credits.balance("1") == 100  # given back where it was taken
            await sides.coordinator().hand_over(["1"])
            assert (await buyer.post("/renders", headers=key)).status_code == 500
            works[0] = True
            for _ in range(2):
                assert (await buyer.post("/renders", headers=key)).json() == ["heller", 90]
            await sides.coordinator().send_back(["1"])
            assert (await buyer.post("/renders", headers=key)).json() == ["legacy", 90]  # paid already
            for other in ({"params": {"all": "yes"}}, {"json": {"of": "another"}}):
                assert (await buyer.post("/renders", headers=key, **other)).status_code == 409
            assert (await buyer.post("/renders")).json() == ["legacy", 80]
            assert (await buyer.post("/films")).status_code == 500
        assert await legacy_balance(sides, "1") == 80
        assert (await check_invariants(sides, strict=True)).ok


async def test_a_purchase_that_the_legacy_handler_cannot_book_any_more_is_credited_once(
    empty_database, heller_database
):
    await build_legacy(empty_database, users=1)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):

        async def webhook() -> str:
            """The legacy handler as a team would mend it."""
            try:
                return (
                    "booked" if await legacy_purchase(sides.legacy.connection, "1", 50, "pi_late") else "seen"
                )
            except psycopg.Error as error:
                if not is_moved(error):
                    raise
                return await credits.purchase("1", 50, intent="pi_late", cost=250, currency="eur")

        with pytest.raises(AccountAway):
            await credits.purchase(
                "1", 50, intent="pi_late"
            )  # at home in legacy: that is the handler's to book
        await sides.coordinator().hand_over(["1"])
        assert [await webhook() for _ in range(2)] == ["credited", "known"]
        await sides.coordinator().send_back(["1"])
        assert await legacy_balance(sides, "1") == 150
        assert (
            await webhook() == "known"
        )  # a late repetition, at home in legacy again: acknowledged, not booked
        assert (await check_invariants(sides, strict=True)).ok


async def test_user_who_stays_between_the_homes_is_away_after_the_patience(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await sides.legacy.seal(["1"])
        async with Credits.connect(heller_database, empty_database) as credits:
            impatient = Credits(
                heller, credits._legacy, observations=credits._observations, patience_seconds=0.2
            )
            started = time.monotonic()
            with pytest.raises((AccountAway, UnknownAccount)):
                await impatient.spend("1", 1, key="x")
            assert time.monotonic() - started < 5


def test_public_names_do_not_load_the_migration_until_they_are_used():
    light = "import sys, heller; sys.exit('heller.migration' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", light], check=False).returncode == 0
    assert {"Credits", "HomeMiddleware", "route"} <= set(heller.__all__)
    with pytest.raises(AttributeError, match="no attribute"):
        _ = heller.nonsense


async def test_route_says_the_stored_home(empty_database, heller_database, monkeypatch):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1"])
        assert await heller.route("1", database=heller_database) == "heller"
        assert await heller.route("2", database=sides.ours.connection) == "legacy"
        await sides.ours.seal(["1"])
        monkeypatch.setenv("DATABASE_URL", heller_database)
        assert await heller.route("1") == "moving"
        monkeypatch.delenv("DATABASE_URL")
        with pytest.raises(SettingsError):
            await heller.route("1")


async def _outcomes(sides):
    query = "select arm, what, account_id, failed, detail from heller.observations order by observation"
    return await (await sides.ours.connection.execute(query)).fetchall()


async def test_facade_records_what_became_of_each_change_under_the_home_that_answered(
    empty_database, heller_database
):
    await build_legacy(empty_database, users=2)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):
        await sides.coordinator().hand_over(["1"])
        await credits.spend("1", 10, key="a")
        await credits.spend("1", 10, key="a")  # the same operation again is no second outcome
        await credits.spend("2", 10, key="a")
        with pytest.raises(InsufficientCredits):
            await credits.spend("2", 1_000, key="b")
        await sides.ours.connection.execute(
            "create function broken() returns trigger language plpgsql as $$begin raise 'out of order'; end$$;"
            " create trigger broken before insert on heller.transactions for each row execute function broken()"
        )
        with pytest.raises(Exception, match="out of order"):
            await credits.spend("1", 10, key="c")
        assert [row[:4] for row in await _outcomes(sides)] == [
            ("heller", "spend", "1", False), ("legacy", "spend", "2", False), ("legacy", "spend", "2", False),
            ("heller", "spend", "1", True),
        ]  # fmt: skip


async def test_middleware_records_requests_but_not_those_sent_to_the_other_home(
    empty_database, heller_database
):
    async def app(scope, _receive, send):
        if scope["path"] == "/raise":
            raise ZeroDivisionError
        status = int(scope["path"][1:4])
        headers = [(b"x-heller-home", b"heller")] if scope["path"].endswith("moved") else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def operation_of(scope):
        return None if "page" in scope["path"] else Operation("spend", account=scope["path"])

    database = await Database.open(heller_database, pool_max=1)
    try:
        watched = ObservingMiddleware(app, database=database, arm="legacy", operation_of=operation_of)
        for path in ("/200", "/402", "/500", "/503moved", "/200page"):
            await _get(watched, path)
        with pytest.raises(ZeroDivisionError):
            await _get(watched, "/raise")
    finally:
        await database.close()
    async with fenced(*await _with_legacy(empty_database, heller_database)) as sides:
        assert [(row[0], row[2], row[3], row[4]) for row in await _outcomes(sides)] == [
            ("legacy", "/200", False, None), ("legacy", "/402", False, None), ("legacy", "/500", True, "HTTP 500"),
            ("legacy", "/raise", True, "ZeroDivisionError"),
        ]  # fmt: skip


async def _with_legacy(legacy, ours):
    await build_legacy(legacy, users=1)
    return legacy, ours


async def test_refund_of_a_user_between_the_homes_is_not_called_unknown(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with (
        fenced(empty_database, heller_database) as sides,
        Credits.connect(heller_database, empty_database) as credits,
    ):
        hurried = Credits(
            credits._heller, credits._legacy, observations=credits._observations, patience_seconds=0.1
        )
        await credits.spend("1", 10, key="a")
        await sides.legacy.seal(["1"])
        with pytest.raises(AccountAway):
            await hurried.refund("1", "a", key="undo a")
        await sides.coordinator().recover(["1"])
        assert (await credits.refund("1", "a", key="undo a")).balance_after == 100
        await credits.spend("1", 10, key="b")
        await sides.ours.seal(["1"])
        with pytest.raises(AccountAway):
            await hurried.refund("1", "b", key="undo b")
        await sides.coordinator().recover(["1"])
        assert (await credits.refund("1", "b", key="undo b")).balance_after == 100
        with pytest.raises(UnknownAccount):
            await hurried.refund("nobody", "b", key="undo b")


async def _get(app, path):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://legacy") as client:
        return await client.get(path)


async def test_asgi_middleware_redirects_who_moved_and_explains_the_fence(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides:
        legacy = sides.legacy.connection

        async def app(scope, _receive, send):
            await legacy_spend(legacy, scope["path"].rsplit("/", 1)[1], 1, "x")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"spent"})

        async def home(user):
            row = await (await legacy.execute("select heller_fence.home(%s)", [user])).fetchone()
            return row[0]

        async def stale(_user):
            return "legacy"

        def user_of(scope):
            return scope["path"].rsplit("/", 1)[1]

        await sides.coordinator().hand_over(["1"])
        routed = HomeMiddleware(app, user_of=user_of, home=home, elsewhere="https://new.example.com/")
        assert (await _get(routed, "/spend/2")).text == "spent"
        answer = await _get(routed, "/spend/1?n=1")
        assert (answer.status_code, answer.headers["location"]) == (
            307,
            "https://new.example.com/spend/1?n=1",
        )
        late = await _get(HomeMiddleware(app, user_of=user_of, home=stale), "/spend/1")
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        assert late.json()["title"] == "The credits of this user have moved"


def test_wsgi_middleware_does_the_same():
    seen = []

    class MovedError(Exception):
        sqlstate = "MG001"

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/late":
            raise MovedError
        start_response("200 OK", [])
        return [b"here"]

    def answer(path, home):
        routed = HomeMiddlewareWsgi(
            app, user_of=lambda _: "1", home=lambda _: home, elsewhere="https://new.example.com"
        )
        body = b"".join(
            routed({"PATH_INFO": path}, lambda status, headers: seen.append((status, dict(headers))))
        )
        return seen[-1], body

    assert answer("/x", "legacy") == (("200 OK", {}), b"here")
    (status, headers), body = answer("/x", "away")
    assert (status, headers["location"]) == ("307 Temporary Redirect", "https://new.example.com/x")
    assert json.loads(body)["status"] == 307
    assert answer("/late", "legacy")[0][0] == "307 Temporary Redirect"
    assert is_moved(MovedError())
    assert not is_moved(ValueError())


async def test_gateway_signs_anew_for_the_legacy_handler_and_keeps_the_rest():
    body, received = b'{"id": "evt_1", "object": "event"}', []

    def legacy(request):
        stripe.WebhookSignature.verify_header(
            request.content.decode(), request.headers["stripe-signature"], SECRET, 300
        )
        received.append(request.content)
        return httpx.Response(500 if len(received) > 1 else 200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(legacy)) as client:

        async def hand_on(home):
            async def where(_body):
                return home

            old = {
                "Stripe-Signature": signed(body, "whsec_gateway", at=1),
                "Content-Type": "application/json",
            }
            return await relay(
                body, old, home=where, legacy_url="http://127.0.0.1/hook", legacy_secret=SECRET, client=client
            )

        assert (await hand_on("legacy")).ok
        assert (await hand_on("heller")).ok
        assert received == [body]
        assert not (await hand_on("unknown")).ok  # the handler's refusal goes back to the sender


async def test_openfeature_reads_the_home_and_the_plan(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides, Heller.connect(heller_database) as heller:
        await sides.coordinator().hand_over(["1"])
        rollout = await state.start(sides.ours.connection, actor="ann", reason="go", stages=[100])
        api.set_provider(RolloutProvider(heller, rollout=rollout))
        client = api.get_client()
        for user, at_heller in (("1", True), ("2", False)):
            context = EvaluationContext(targeting_key=user)
            assert await client.get_boolean_value_async("heller-home", not at_heller, context) is at_heller
            assert await client.get_string_value_async("heller-home", "", context) == (
                "heller" if at_heller else "legacy"
            )
            assert await client.get_boolean_value_async("heller-planned", False, context)
        assert (
            await client.get_boolean_value_async("heller-home", True) is True
        )  # no key: the caller's default
        assert (
            await client.get_boolean_value_async("unknown-flag", False, EvaluationContext(targeting_key="1"))
            is False
        )
        api.shutdown()
