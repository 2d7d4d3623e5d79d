import asyncio
import base64
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import psycopg
import pytest
from standardwebhooks import Webhook

from heller import Heller
from heller.errors import InvalidArgument
from heller.ledger import events

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes secret").decode()


async def _follow(
    heller: Heller, position: object, *, until: int, **arguments: object
) -> tuple[list[dict[str, object]], object]:
    """Poll until so many events came, as a consumer does."""
    found: list[dict[str, object]] = []
    for _ in range(400):
        page = await heller.events(after=position, **arguments)  # type: ignore[arg-type]
        found += page.events
        position = page.position
        if len(found) >= until:
            break
        await asyncio.sleep(0.02)
    return found, position


async def test_every_transaction_is_an_event_in_order(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.open_account("b")
        await heller.grant("a", 100, reason="welcome")
        await heller.spend("a", 10, key="k", metadata={"job": 1})
        await heller.transfer("a", "b", 5)
        found, position = await _follow(heller, None, until=4)
        assert [(e["id"], e["type"], e["delta"]) for e in found] == [
            ("a:credit:1", "transaction.grant", 100),
            ("a:credit:2", "transaction.spend", -10),
            ("a:credit:3", "transaction.transfer", -5),
            ("b:credit:1", "transaction.transfer", 5),
        ]
        assert found[1]["metadata"] == {"job": 1}
        assert (await heller.events(after=position)).events == []  # type: ignore[arg-type]
        await heller.spend("a", 1)
        more, _ = await _follow(heller, position, until=1)
        assert [e["id"] for e in more] == ["a:credit:4"]
        only, _ = await _follow(heller, None, until=1, kinds=["transfer"], account="b")
        assert [e["id"] for e in only] == ["b:credit:1"]
        with pytest.raises(InvalidArgument):
            await heller.events(after={"at": "2020-01-01"})


async def test_a_transaction_that_commits_late_is_not_skipped(heller_database: str, connect: Connect) -> None:
    late = await connect(heller_database, autocommit=False)
    async with Heller.connect(heller_database) as heller:
        for name in ("early", "late"):
            await heller.open_account(name)
            await heller.grant(name, 10)
        found, position = await _follow(heller, None, until=2)
        await late.execute("select heller.spend('late', 1)")  # recorded now, committed later
        for _ in range(5):
            await heller.spend("early", 1)
        await asyncio.sleep(1.2)
        for _ in range(30):
            page = await heller.events(after=position)  # type: ignore[arg-type]
            position, found = page.position, found + page.events
            await asyncio.sleep(0.01)
        assert len(found) == 2, "nothing behind the open transaction is shown"
        await late.commit()
        more, _ = await _follow(heller, position, until=6)
        assert [e["id"] for e in more] == ["late:credit:2", *(f"early:credit:{n}" for n in range(2, 7))]


async def test_a_consumer_of_a_busy_ledger_sees_every_event_once(
    heller_database: str, connect: Connect
) -> None:
    names = [f"a{n}" for n in range(5)]
    async with Heller.connect(heller_database) as heller:
        for name in names:
            await heller.open_account(name)
            await heller.grant(name, 10_000)

        async def writer(seed: int) -> None:
            chance = random.Random(seed)
            connection = await connect(heller_database, autocommit=False)
            for _ in range(15):
                for name in sorted(chance.sample(names, 2)):
                    await connection.execute("select heller.spend(%s, 1)", [name])
                await asyncio.sleep(chance.random() * 0.05)
                await connection.commit()

        async def batches() -> None:
            for n in range(20):
                await heller.apply([{"verb": "spend", "account": name, "amount": 1} for name in names * 10])
                await asyncio.sleep(0.01 * (n % 3))

        total = 5 + 6 * 15 * 2 + 20 * 50
        consumer = asyncio.create_task(_follow(heller, None, until=total, limit=37))
        await asyncio.gather(batches(), *(writer(n) for n in range(6)))
        found, _ = await consumer
    ids = [e["id"] for e in found]
    assert len(ids) == len(set(ids)) == total
    for name in names:
        seqs = [int(str(e["seq"])) for e in found if e["account"] == name]
        assert seqs == sorted(seqs)


class Receiver:
    """A customer's server: checks signatures, fails when told to."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.answers: list[int | type[Exception]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = Webhook(SECRET).verify(request.content.decode(), dict(request.headers))
        answer = self.answers.pop(0) if self.answers else 200
        if not isinstance(answer, int):
            raise answer("no")
        if answer == 200:
            self.taken.append(body["data"]["id"])
            assert body["type"] == f"transaction.{body['data']['kind']}"
        return httpx.Response(answer)


async def _deliver(
    heller: Heller,
    client: httpx.AsyncClient,
    connection: psycopg.AsyncConnection,
    receiver: Receiver,
    until: int,
) -> list[str]:
    errors: list[str] = []
    for _ in range(400):
        await connection.execute(
            "update heller.webhook_endpoints set due_at = now() where disabled_at is null"
        )
        delivery = await heller.deliver_once(client)
        if delivery is not None and delivery.error:
            errors.append(delivery.error)
        if len(receiver.taken) >= until:
            break
        await asyncio.sleep(0.02)
    return errors


async def test_webhooks_are_signed_ordered_and_repeated_until_taken(
    heller_database: str, connect: Connect
) -> None:
    receiver = Receiver()
    connection = await connect(heller_database)
    async with (
        Heller.connect(heller_database) as heller,
        httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as client,
    ):
        await heller.open_account("a")
        await heller.grant("a", 100)
        assert await heller.deliver_once(client) is None, "there is no endpoint"
        start = (await _follow(heller, None, until=1))[1]
        await heller.put_webhook_endpoint(
            "shop", "https://customer.example/hooks", secret=SECRET, position=start
        )  # type: ignore[arg-type]
        for _ in range(6):
            await heller.spend("a", 1)
        receiver.answers = [200, 500, httpx.ConnectError, 200, 302]
        errors = await _deliver(heller, client, connection, receiver, 6)
        assert errors == ["HTTP 500", "ConnectError: no", "HTTP 302"]
        assert receiver.taken == [f"a:credit:{n}" for n in range(2, 8)]
        (endpoint,) = await heller.webhook_endpoints()
        assert endpoint.failures == 0
        assert not hasattr(endpoint, "secret")
        attempts = await heller.webhook_attempts("shop")
        assert [(a.event, a.status_code, a.error) for a in reversed(attempts)] == [
            ("a:credit:2", 200, None),
            ("a:credit:3", 500, "HTTP 500"),
            ("a:credit:3", None, "ConnectError: no"),
            ("a:credit:3", 200, None),
            ("a:credit:4", 302, "HTTP 302"),
            *((f"a:credit:{n}", 200, None) for n in range(4, 8)),
        ]
        assert all(0 <= a.milliseconds < 10_000 for a in attempts)
        for _ in range(50):
            await heller.spend("a", 1)
        await _deliver(heller, client, connection, receiver, 56)
        kept = await heller.webhook_attempts("shop")
        assert [kept[0].event, kept[-1].event, len(kept)] == ["a:credit:57", "a:credit:8", 50]


async def test_an_endpoint_that_never_answers_is_disabled_and_can_come_back(
    heller_database: str, connect: Connect
) -> None:
    receiver = Receiver()
    receiver.answers = [503] * 20
    connection = await connect(heller_database)
    async with (
        Heller.connect(heller_database) as heller,
        httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as client,
    ):
        await heller.open_account("a")
        await heller.put_webhook_endpoint("shop", "https://customer.example/hooks", secret=SECRET)
        await heller.grant("a", 100)
        for _ in range(400):
            (endpoint,) = await heller.webhook_endpoints()
            if endpoint.disabled:
                break
            await connection.execute("update heller.webhook_endpoints set due_at = now()")
            await heller.deliver_once(client)
            await asyncio.sleep(0.01)
        assert endpoint.disabled
        assert endpoint.last_error == "HTTP 503"
        assert await heller.deliver_once(client) is None
        await heller.put_webhook_endpoint("shop", "https://customer.example/hooks", secret=SECRET)
        await _deliver(heller, client, connection, receiver, 1)
        assert receiver.taken == ["a:credit:1"]
        assert await heller.remove_webhook_endpoint("shop")


async def test_a_test_event_is_signed_and_changes_nothing(heller_database: str) -> None:
    answers: list[int | type[Exception]] = [204, 410, httpx.ConnectError]
    bodies: list[dict[str, object]] = []

    def receive(request: httpx.Request) -> httpx.Response:
        bodies.append(Webhook(SECRET).verify(request.content.decode(), dict(request.headers)))
        answer = answers.pop(0)
        if not isinstance(answer, int):
            raise answer("no")
        return httpx.Response(answer)

    async with (
        Heller.connect(heller_database) as heller,
        httpx.AsyncClient(transport=httpx.MockTransport(receive)) as client,
    ):
        before = await heller.put_webhook_endpoint("shop", "https://customer.example/hooks", secret=SECRET)
        tried = [await heller.test_webhook_endpoint("shop", client) for _ in range(3)]
        assert [(a.status_code, a.error) for a in tried] == [
            (204, None), (410, "HTTP 410"), (None, "ConnectError: no"),
        ]  # fmt: skip
        assert {body["type"] for body in bodies} == {"heller.test"}
        assert [body["data"]["id"] for body in bodies] == [a.event for a in tried]  # type: ignore[index]
        assert len({a.event for a in tried}) == 3
        assert await heller.webhook_endpoints() == [before]
        assert await heller.webhook_attempts("shop") == []
        with pytest.raises(InvalidArgument, match="no endpoint other"):
            await heller.test_webhook_endpoint("other", client)


async def test_two_workers_do_not_send_to_one_endpoint_at_once(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.put_webhook_endpoint("shop", "https://customer.example/hooks", secret=SECRET)
        claims = await asyncio.gather(*(heller._read("claim_webhook_endpoint") for _ in range(5)))
    assert sum(claim is not None for claim in claims) == 1


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("ftp://x", SECRET),
        ("https://x", "short"),
        ("https://x", "whsec_!"),
        ("https://x", "whsec_" + "a" * 25),
    ],
)
async def test_a_wrong_endpoint_is_refused(heller_database: str, url: str, secret: str) -> None:
    async with Heller.connect(heller_database) as heller:
        with pytest.raises(InvalidArgument):
            await heller.put_webhook_endpoint("shop", url, secret=secret)


async def test_the_position_is_plain_json(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 1)
        _, position = await _follow(heller, None, until=1)
        assert (await heller.events(after=json.loads(json.dumps(position)))).events == []


START = {"at": "2020-01-01T00:00:00Z", "account": "", "unit": "", "seq": 0}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"


@asynccontextmanager
async def dripping(first: bytes) -> AsyncIterator[str]:
    """A server that takes a request, says ``first`` at once, and then a byte at a time, for ever."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first)
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("first", "error", "delivered"), [(OK, None, 1), (b"HTTP/1.1 ", "no answer within 0 s", 0)]
)
async def test_an_answer_that_never_ends_holds_nobody_up(
    heller_database: str, monkeypatch: pytest.MonkeyPatch, first: bytes, error: str | None, delivered: int
) -> None:
    monkeypatch.setattr(events, "DELIVERY_TIMEOUT_SECONDS", 0.3)
    async with Heller.connect(heller_database) as heller, dripping(first) as url:
        await heller.open_account("a")
        await heller.grant("a", 1)
        await _follow(heller, None, until=1)
        await heller.put_webhook_endpoint("slow", url, secret=SECRET, position=START)
        async with asyncio.timeout(20):
            sent = await heller.deliver_once()
        assert sent is not None
        assert (sent.error, sent.delivered) == (error, delivered)


async def test_a_host_that_cannot_be_is_an_attempt_that_failed(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 1)
        await _follow(heller, None, until=1)
        await heller.put_webhook_endpoint("odd", "http://xn--/", secret=SECRET, position=START)
        sent = await heller.deliver_once()
        assert sent is not None
        assert "IDNAError" in str(sent.error)


async def test_a_slow_endpoint_gives_others_their_turn(
    heller_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "DELIVERY_SECONDS_MAX", 0.0)
    async with (
        Heller.connect(heller_database) as heller,
        httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client,
    ):
        await heller.open_account("a")
        for _ in range(3):
            await heller.grant("a", 1)
        await _follow(heller, None, until=3)
        for name in ("one", "two"):
            await heller.put_webhook_endpoint(name, "https://x.example/", secret=SECRET, position=START)
        turns = [await heller.deliver_once(client) for _ in range(6)]
        assert [(turn.endpoint, turn.delivered) for turn in turns if turn is not None] == [
            (name, 1) for _ in range(3) for name in ("one", "two")
        ]


async def test_a_position_that_is_set_while_events_are_sent_stands(
    heller_database: str, connect: Connect
) -> None:
    async with Heller.connect(heller_database) as heller:

        async def replay(request: httpx.Request) -> httpx.Response:
            if not replays:
                replays.append(request)
                await heller.put_webhook_endpoint("shop", "https://x.example/", secret=SECRET, position=START)
            return httpx.Response(200)

        replays: list[httpx.Request] = []
        await heller.open_account("a")
        await heller.grant("a", 1)
        _, now = await _follow(heller, None, until=1)
        await heller.put_webhook_endpoint("shop", "https://x.example/", secret=SECRET, position=now)  # type: ignore[arg-type]
        await heller.grant("a", 2)
        await _follow(heller, now, until=1)
        async with httpx.AsyncClient(transport=httpx.MockTransport(replay)) as client:
            await heller.deliver_once(client)
            (endpoint,) = await heller.webhook_endpoints()
            assert endpoint.position == START
            again = await heller.deliver_once(client)
        assert again is not None
        assert again.delivered == 2


async def test_an_endpoint_that_takes_some_events_is_not_disabled_at_the_next_failure(
    heller_database: str, connect: Connect
) -> None:
    answers = iter([200, 500])
    connection = await connect(heller_database)
    async with (
        Heller.connect(heller_database) as heller,
        httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(next(answers)))) as client,
    ):
        await heller.open_account("a")
        for _ in range(2):
            await heller.grant("a", 1)
        await _follow(heller, None, until=2)
        await heller.put_webhook_endpoint("shop", "https://x.example/", secret=SECRET, position=START)
        await connection.execute("update heller.webhook_endpoints set failures = 19")
        await heller.deliver_once(client)
        (endpoint,) = await heller.webhook_endpoints()
        assert (endpoint.failures, endpoint.disabled) == (1, False)
