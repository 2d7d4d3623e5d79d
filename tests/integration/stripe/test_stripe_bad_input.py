"""The adversarial catalogue, 1 to 18: what may arrive at the endpoint, and what must become of it."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from heller.errors import SettingsError
from heller.stripe import settings as stripe_settings
from heller.stripe.asgi import WebhookApp
from heller.stripe.doctor import watch
from heller.stripe.ingest import BODY_BYTES_MAX

Make = Callable[[Any], tuple[bytes, str]]
SECRET = "whsec_other_0123456789"  # noqa: S105 - signs nothing but a test


def signed(shop: Any, body: bytes, *, at: int | None = None, secret: str | None = None) -> tuple[bytes, str]:
    return body, shop.twin.sign(body, secret or shop.settings.webhook_secrets[0], timestamp=at)


@dataclass(frozen=True)
class Case:
    number: int
    name: str
    make: Make
    status: int
    outcome: str


def _altered(shop: Any) -> tuple[bytes, str]:
    body, header = signed(shop, shop.event())
    return json.dumps(json.loads(body), indent=1).encode(), header


def _two_signatures(shop: Any) -> tuple[bytes, str]:
    body, header = signed(shop, shop.event())
    at, good = header.split(",")
    return body, f"{at},v1={'0' * 64},{good}"


def _v0(shop: Any) -> tuple[bytes, str]:
    body, header = signed(shop, shop.event())
    return body, header.replace("v1=", "v0=")


def _deep(shop: Any) -> tuple[bytes, str]:
    return signed(
        shop, b'{"id":"evt_1","type":"x","livemode":false,"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    )


def _now(offset: int) -> Make:
    return lambda shop: signed(shop, shop.event(), at=int(time.time()) + offset)


CASES = [
    Case(1, "no header", lambda shop: (shop.event(), ""), 400, "no_signature"),
    Case(1, "garbage header", lambda shop: (shop.event(), "v1"), 400, "bad_header"),
    Case(1, "header without a signature", lambda shop: (shop.event(), "t=1"), 400, "bad_header"),
    Case(2, "non-ASCII header", lambda shop: (shop.event(), "t=1,v1=é"), 400, "bad_header"),
    Case(3, "body re-serialised by a proxy", _altered, 400, "bad_signature"),
    Case(4, "old timestamp", _now(-301), 400, "old_timestamp"),
    Case(5, "future timestamp", _now(+310), 400, "future_timestamp"),
    Case(6, "v0 only", _v0, 400, "bad_header"),
    Case(7, "two v1, one good", _two_signatures, 200, "secret_0"),
    Case(
        10,
        "secret of the other mode",
        lambda shop: signed(shop, shop.event(), secret=SECRET),
        400,
        "bad_signature",
    ),
    Case(11, "invalid UTF-8", lambda shop: signed(shop, b'{"id":"evt_\xff"}'), 400, "malformed"),
    Case(12, "null", lambda shop: signed(shop, b"null"), 400, "malformed"),
    Case(12, "a list", lambda shop: signed(shop, b"[]"), 400, "malformed"),
    Case(12, "deeply nested", _deep, 400, "malformed"),
    Case(12, "no id", lambda shop: signed(shop, shop.event(id=None)), 400, "malformed"),
    Case(12, "no type", lambda shop: signed(shop, shop.event(type=None)), 400, "malformed"),
    Case(12, "id with NUL", lambda shop: signed(shop, shop.event(id="evt_\x00")), 400, "malformed"),
    Case(12, "no data", lambda shop: signed(shop, shop.event(data=None)), 400, "malformed"),
    Case(13, "beyond the limit", lambda shop: signed(shop, b" " * (BODY_BYTES_MAX + 1)), 413, "too_large"),
]


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.catalogue(c.number), id=f"{c.number} {c.name}") for c in CASES]
)
async def test_delivery_is_answered_as_it_deserves(shop: Any, case: Case) -> None:
    body, header = case.make(shop)
    result = await shop.receiver.ingest(body, {"stripe-signature": header} if header else {})
    assert (result.status, result.outcome) == (case.status, case.outcome)
    assert shop.receiver.counts[case.outcome] == 1
    assert await shop.rows("select count(*)::int from heller.inbox") == [(int(case.status == 200),)]


@pytest.mark.catalogue(3)
async def test_only_bad_signatures_raise_the_alarm(shop: Any) -> None:
    body, header = _altered(shop)
    await shop.receiver.ingest(body, {"stripe-signature": header})
    await shop.receiver.save_counts()
    assert "signatures" in {check.name for check in await watch(shop.database) if check.status == "failed"}


@pytest.mark.catalogue(8)
async def test_old_secret_is_taken_while_it_rolls_and_the_slot_is_counted(shop: Any) -> None:
    old = shop.settings.webhook_secrets[0]
    shop.with_settings(webhook_secrets=("whsec_new_0123456789", old))
    body = shop.event()
    result = await shop.post_raw(body, shop.twin.sign(body, old))
    assert (result.status, result.outcome) == (200, "secret_1")
    await shop.receiver.save_counts()
    assert "secret" in {check.name for check in await watch(shop.database)}


ENVIRONMENT = {"STRIPE_MODE": "test", "STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRETS": "whsec_1"}


@pytest.mark.catalogue(9)
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"STRIPE_WEBHOOK_SECRETS": ""}, "STRIPE_WEBHOOK_SECRETS is blank"),
        ({"STRIPE_WEBHOOK_SECRETS": "   "}, "STRIPE_WEBHOOK_SECRETS is blank"),
        ({"STRIPE_WEBHOOK_SECRETS": "\n"}, "STRIPE_WEBHOOK_SECRETS is blank"),
        ({"STRIPE_WEBHOOK_SECRETS": "whsec_1\n"}, "STRIPE_WEBHOOK_SECRETS contains white space"),
        ({"STRIPE_WEBHOOK_SECRETS": "whsec_1,"}, "entry 2 of 2, is blank"),
        ({"STRIPE_WEBHOOK_SECRETS": "whsec_1, whsec_2"}, "entry 2 of 2, contains white space"),
        ({"STRIPE_WEBHOOK_SECRETS": "whsec_1,sk_test_1"}, "entry 2 of 2, is not a signing secret"),
        ({"STRIPE_WEBHOOK_SECRETS": "whsec_1,whsec_1"}, "the same secret twice"),
        ({"STRIPE_WEBHOOK_SECRETS": None}, "STRIPE_WEBHOOK_SECRETS is not set"),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_2"}, "are both set"),
        ({"STRIPE_WEBHOOK_SECRETS": None, "STRIPE_WEBHOOK_SECRET": " "}, "STRIPE_WEBHOOK_SECRET is blank"),
        ({"STRIPE_SECRET_KEY": " "}, "STRIPE_SECRET_KEY is blank"),
        ({"STRIPE_SECRET_KEY": "sk_live_1"}, "STRIPE_SECRET_KEY is not a key of test mode"),
        ({"STRIPE_MODE": "live"}, "STRIPE_SECRET_KEY is not a key of live mode"),
        ({"STRIPE_MODE": "prod"}, "STRIPE_MODE is 'prod'"),
        ({"STRIPE_MODE": None}, "STRIPE_MODE is not set"),
        ({"STRIPE_ACCOUNTS": "acct_1,"}, "entry of STRIPE_ACCOUNTS is blank"),
        ({"STRIPE_ACCOUNTS": "cus_1"}, "does not begin with acct_"),
        ({"STRIPE_API_BASE": "http://example.com"}, "STRIPE_API_BASE must be an https URL"),
        ({"STRIPE_CLAWBACK_POLICY": "maybe"}, "STRIPE_CLAWBACK_POLICY is 'maybe'"),
        ({"STRIPE_REQUESTS_PER_SECOND": "0"}, "STRIPE_REQUESTS_PER_SECOND is '0'"),
    ],
)
def test_bad_setting_refuses_to_start_and_is_named(changes: dict[str, str | None], named: str) -> None:
    environment = {k: v for k, v in (ENVIRONMENT | changes).items() if v is not None}
    with pytest.raises(SettingsError) as refused:
        stripe_settings.load(environment)
    assert named in refused.value.message
    assert stripe_settings.load(ENVIRONMENT).webhook_secrets == ("whsec_1",)


def test_one_secret_may_be_named_in_the_singular() -> None:
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "STRIPE_WEBHOOK_SECRETS"}
    loaded = stripe_settings.load(environment | {"STRIPE_WEBHOOK_SECRET": "whsec_9"})
    assert loaded.webhook_secrets == ("whsec_9",)


def test_secrets_do_not_show() -> None:
    loaded = stripe_settings.load(ENVIRONMENT)
    assert "sk_test_1" not in repr(loaded)
    assert "whsec_1" not in repr(loaded)


@pytest.mark.catalogue(13)
async def test_body_beyond_the_limit_is_not_buffered(shop: Any) -> None:
    chunks = 0
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal chunks
        chunks += 1
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    async def send(message: Any) -> None:
        answers.append(message)
        await asyncio.sleep(0)

    scope = {"type": "http", "method": "POST", "headers": []}
    await WebhookApp(shop.receiver)(scope, receive, send)
    assert answers[0]["status"] == 413
    assert chunks == BODY_BYTES_MAX // 65_536 + 1
    declared = scope | {"headers": [(b"content-length", b"99999999999")]}
    await WebhookApp(shop.receiver)(declared, receive, send)
    assert answers[2]["status"] == 413
    assert chunks == BODY_BYTES_MAX // 65_536 + 1


@pytest.mark.catalogue(14)
@pytest.mark.parametrize(
    "value",
    [r'"\u0000"', r'"\ud800"', "NaN", "-Infinity", "1" * 20_000],
    ids=["nul", "surrogate", "nan", "inf", "digits"],
)
async def test_strange_values_are_kept_as_bytes_and_parked(shop: Any, value: str) -> None:
    body = shop.event()[:-1] + f', "note": {value}}}'.encode()
    result = await shop.post_raw(body)
    assert (result.status, result.message) == (200, "parked")
    assert await shop.rows("select body, reason from heller.inbox") == [(body, "unreadable")]


async def test_text_that_only_looks_strange_is_not_parked(shop: Any) -> None:
    body = shop.event(note="a \U0001f600 NaN", other="Infinity")
    assert b"\\ud83d" in body
    assert (await shop.post_raw(body)).message == "pending"


@pytest.mark.catalogue(15)
async def test_thin_event_on_a_snapshot_endpoint_is_routed(shop: Any) -> None:
    intent = await shop.paid()
    thin = shop.twin.emit_thin("v1.payment_intent.succeeded", intent)
    assert (await shop.post(thin["id"])).message == "pending"
    assert (await shop.post(shop.ids("payment_intent.succeeded")[0])).message == "pending"
    await shop.work()
    assert await shop.balance() == 100


@pytest.mark.catalogue(16)
async def test_unknown_type_is_stored_and_ignored(shop: Any) -> None:
    assert (await shop.post_raw(shop.event(type="charge.dispute.sideways"))).message == "ignored"
    assert await shop.statuses() == {"ignored": 1}


@pytest.mark.catalogue(16)
async def test_unknown_status_moves_no_credit(shop: Any) -> None:
    intent = await shop.paid()
    shop.twin.tamper(intent, {"status": "requires_astrology"})
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), (await shop.payment(intent))["state"]) == (0, "open")


@pytest.mark.catalogue(17)
@pytest.mark.parametrize("version", ["2017-08-15", "2020-08-27"])
async def test_ancient_event_gives_the_same_credits(shop: Any, version: str) -> None:
    await shop.paid()
    for event_type in ("checkout.session.completed", "charge.succeeded"):
        result = await shop.post(shop.ids(event_type)[0], api_version=version)
        assert result.status == 200
    await shop.work()
    assert await shop.balance() == 100
    assert "versions" in {check.name for check in await watch(shop.database)}


@pytest.mark.catalogue(18)
@pytest.mark.parametrize("shape", ["id", "expanded", "missing"])
async def test_expanded_or_missing_fields_give_the_same_credits(shop: Any, shape: str) -> None:
    intent = await shop.paid()
    (event,) = shop.twin.events("charge.succeeded")
    charge = event["data"]["object"]
    reference = {"id": intent, "object": "payment_intent"} if shape == "expanded" else intent
    item = {
        "id": charge["id"],
        "object": "charge",
        "payment_intent": reference,
        "surprise": {"deep": [1, None]},
    }
    if shape == "missing":
        del item["payment_intent"]
    body = shop.event(type="charge.succeeded", data={"object": item})
    assert (await shop.post_raw(body)).message == "pending"
    await shop.work()
    assert await shop.balance() == 100
