"""The Python clients: the verbs and errors of the library, keys of their own, tries that are safe."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from heller import errors
from heller.client import AsyncClient, Client, core
from heller.ledger.results import Grant, HoldState, Transaction


class Lossy(httpx.AsyncBaseTransport):
    """A network that loses the first answers, after the server has acted on the request."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, lose: int = 0, busy: int = 0) -> None:
        self.inner, self.lose, self.busy, self.seen = inner, lose, busy, []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self.busy:
            self.busy -= 1
            return httpx.Response(503, headers={"retry-after": "0"}, request=request)
        answer = await self.inner.handle_async_request(request)
        await answer.aread()
        if self.lose:
            self.lose -= 1
            raise httpx.ReadError("the connection was lost", request=request)
        return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(core, "PAUSE_SECONDS", 0.001)


@pytest.fixture
async def heller(web):
    transport = Lossy(httpx.ASGITransport(web.app))
    async with AsyncClient("http://127.0.0.1:8000", key=await web.key(), transport=transport) as client:
        client.network = transport
        yield client


async def test_the_client_does_what_the_library_does(heller) -> None:
    opened = await heller.open_account("user-1", user="u1")
    assert (opened.account, opened.available, (await heller.open_account("user-1", user="u1")).replayed) == (
        "user-1",
        0,
        True,
    )
    given = await heller.grant("user-1", 100, source="purchase", cost=500, currency="eur", key="order-1")
    assert isinstance(given, Transaction)
    soon = datetime.now(UTC) + timedelta(days=1)
    assert isinstance(await heller.grant("user-1", 5, available_at=soon), Grant)
    spent = await heller.spend("user-1", 10, key="analysis-1", reason="job analysis", metadata={"job": 1})
    again = await heller.spend("user-1", 10, key="analysis-1", reason="job analysis", metadata={"job": 1})
    assert (spent.balance_after, again.replayed, again.seq) == (90, True, spent.seq)
    async with heller.hold("user-1", 15, reason="resume") as hold:
        await hold.capture(12)
    with pytest.raises(RuntimeError):
        async with heller.hold("user-1", 15):
            raise RuntimeError
    assert (await heller.balance("user-1")).available == 78
    assert [h.state for h in await heller.holds("user-1", include_closed=True)] == ["captured", "released"]
    assert (await heller.refund("user-1", spent.seq, 4)).balance_after == 82
    assert (await heller.adjust("user-1", -2, reason="x")).balance_after == 80
    found = [t.kind async for t in heller.history("user-1", limit=2)]
    assert found == ["adjust", "refund", "spend", "spend", "purchase"]
    assert (await heller.drawn("user-1", spent.seq))[0].grant == 1
    now = datetime.now(UTC)
    used = await heller.usage("user-1", now - timedelta(days=2), soon, zone="Europe/Berlin")
    assert sorted((u.feature, u.spent) for u in used) == [("job analysis", 6), ("resume", 12)]
    report = await heller.usage_report(now - timedelta(days=1), soon, by="metadata.job", per="year")
    assert [(u.begin.year if u.begin else 0, u.name, u.spent, u.refunded) for u in report] == [
        (now.year, "", 12, 0),
        (now.year, "1", 10, 4),
    ]
    assert len(await heller.grants("user-1")) == 2
    assert await heller.balance_at("user-1", datetime(2020, 1, 1, tzinfo=UTC)) == 0
    assert (await heller.route("user-1"))["home"] == "heller"
    assert (await heller.put_member("user-1", "anna", cap=5)).left == 5
    assert (await heller.spend_as("user-1", "anna", 5)).balance_after == 75
    assert [m.spent for m in await heller.members("user-1")] == [5]
    until = datetime(2099, 1, 1, tzinfo=UTC)
    plan = await heller.put_recurring_grant(
        "user-1", "plan/eu", 10, rollover=4, ends_at=until, metadata={"n": 1}
    )
    assert (plan.rollover, plan.ends_at, plan.metadata) == (4, until, {"n": 1})
    assert await heller.recurring_grants("user-1") == [plan]
    assert (await heller.balance("user-1")).posted == 85
    assert (await heller.remove_recurring_grant("user-1", "plan/eu")).next_at is None
    for grant in await heller.grants("user-1"):
        if grant.recurring == "plan/eu":
            await heller.void("user-1", grant.grant)
    assert (await heller.portal_url("u1")).startswith("http://127.0.0.1:8000/sign-in/portal?secret=")
    results = await heller.apply(
        [{"verb": "spend", "account": "user-1", "amount": 1}, {"verb": "hold", "account": "user-1", "amount": 1},
         {"verb": "spend", "account": "user-1", "amount": 10**6}, {"verb": "grant", "account": "user-1", "amount": 1}]
    )  # fmt: skip
    assert [type(r) for r in results] == [Transaction, HoldState, errors.InsufficientCredits, Transaction]


async def test_errors_are_the_librarys(heller, web) -> None:
    await heller.open_account("user-1")
    with pytest.raises(errors.InsufficientCredits) as short:
        await heller.spend("user-1", 10)
    assert (short.value.account, short.value.required, short.value.available) == ("user-1", 10, 0)
    with pytest.raises(errors.UnknownAccount):
        await heller.balance("nobody")
    with pytest.raises(errors.UnknownGrant) as unknown:
        await heller.remove_recurring_grant("user-1", "plan")
    assert unknown.value.grant == "plan"
    await heller.grant("user-1", 5, key="k")
    with pytest.raises(errors.IdempotencyConflict) as conflict:
        await heller.grant("user-1", 6, key="k")
    assert conflict.value.differs == "amount"
    with pytest.raises(errors.StaleVersion):
        await heller.spend("user-1", 1, if_version=0)
    with pytest.raises(errors.InvalidArgument):
        await heller.spend("user-1", 0)
    with pytest.raises(errors.InvalidArgument, match="address"):
        await heller.balance("..")
    with pytest.raises(TypeError, match=r"unexpected keyword argument .reson"):
        await heller.spend("user-1", 1, reson="x")
    stranger = AsyncClient("http://127.0.0.1:8000", key="heller_x", transport=heller.network)
    with pytest.raises(errors.ApiError) as refused:
        await stranger.balance("user-1")
    assert (refused.value.status, refused.value.problem) == (401, "unauthenticated")


async def test_what_was_lost_on_the_way_is_tried_again_with_one_effect(heller) -> None:
    await heller.open_account("user-1")
    await heller.grant("user-1", 100)
    heller.network.seen.clear()
    heller.network.lose, heller.network.busy = 2, 1
    spent = await heller.spend("user-1", 10)
    keys = {request.headers["idempotency-key"] for request in heller.network.seen}
    assert (spent.balance_after, spent.replayed, len(heller.network.seen), len(keys)) == (90, True, 4, 1)
    other = await heller.spend("user-1", 10)
    assert (other.balance_after, other.replayed) == (80, False), "another call is another intent"
    heller.network.lose = 1
    assert (await heller.apply([{"verb": "spend", "account": "user-1", "amount": 5}]))[0].balance_after == 75
    heller.network.lose = 1
    unnamed = {"verb": "spend", "account": "user-1", "amount": 5, "key": None}
    assert (await heller.apply([unnamed]))[0].balance_after == 70
    assert (await heller.balance("user-1")).posted == 70
    heller.network.busy = 99
    with pytest.raises(errors.ApiError) as busy:
        await heller.balance("user-1")
    assert busy.value.status == 503
    heller.network.busy, heller.network.lose = 0, 99
    with pytest.raises(errors.ApiUnavailable):
        await heller.balance("user-1")


async def test_an_answer_that_heller_did_not_write_is_a_typed_error() -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(200, html="<h1>Please sign in to the network</h1>"))
    async with AsyncClient("http://127.0.0.1:8000", key="x", transport=page) as client:
        with pytest.raises(errors.ApiError, match="something else") as strange:
            await client.balance("user-1")
    assert strange.value.status == 200


async def test_a_refusal_is_not_tried_again(heller) -> None:
    await heller.open_account("user-1")
    heller.network.seen.clear()
    with pytest.raises(errors.InsufficientCredits):
        await heller.spend("user-1", 1)
    assert len(heller.network.seen) == 1


class Bridge(httpx.BaseTransport):
    """Hands the requests of a synchronous client to the application's loop."""

    def __init__(self, app, loop) -> None:
        self.inner, self.loop = httpx.ASGITransport(app), loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask():
            answer = await self.inner.handle_async_request(
                httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            )
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run_coroutine_threadsafe(ask(), self.loop).result()


async def test_the_synchronous_client_is_the_same(web) -> None:
    bridge = Bridge(web.app, asyncio.get_running_loop())
    secret = await web.key()

    def program() -> tuple:
        with Client("http://127.0.0.1:8000", key=secret, transport=bridge) as heller:
            heller.open_account("user-1")
            heller.grant("user-1", 20)
            with heller.hold("user-1", 5) as hold:
                hold.capture(3)
            kinds = [t.kind for t in heller.history("user-1", limit=1)]
            try:
                heller.spend("user-1", 100)
            except errors.InsufficientCredits as short:
                return heller.balance("user-1").available, kinds, short.required
        return ()

    assert threading.current_thread() is threading.main_thread()
    assert await asyncio.to_thread(program) == (17, ["spend", "grant"], 100)


@pytest.mark.parametrize(
    "account", ["org/team", "a/b/grants", "%2F", "a%2Fb", "ä ö", "a?b#c", "auth0|1", "x@y.z"]
)
async def test_ids_are_the_callers_own_text(heller, account) -> None:
    await heller.open_account(account)
    assert (await heller.grant(account, 5)).account == account
    assert (await heller.spend(account, 2)).account == account
    assert (await heller.balance(account)).available == 3
    assert [t.kind async for t in heller.history(account)] == ["spend", "grant"]
    assert (await heller.put_member(account, account)).member == account
