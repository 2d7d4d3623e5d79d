"""The twin's events: their lists, their snapshots, their shapes in older versions, and how a test bends them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

import stripe_twin
from stripe_twin import Twin

SINK = "http://127.0.0.1:9/"  # nobody listens there


@pytest.fixture
def twin() -> Iterator[Twin]:
    with stripe_twin.running() as running:
        yield running


def client_of(twin: Twin, **options: Any) -> stripe.StripeClient:
    return stripe.StripeClient(
        "sk_test_1", base_addresses=twin.base_addresses, max_network_retries=0, **options
    )


@pytest.fixture
def client(twin: Twin) -> stripe.StripeClient:
    return client_of(twin)


def body_of(twin: Twin, event_id: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(twin.delivery(event_id).body)
    return body


def test_snapshot_stays_as_it_was_when_the_object_moves_on(twin: Twin) -> None:
    intent = twin.dashboard_charge(500, "eur")
    twin.refund(intent["id"], 200)
    first = twin.events("charge.succeeded")[0]["data"]["object"]
    last = twin.events("charge.refunded")[0]["data"]["object"]
    assert (first["amount_refunded"], last["amount_refunded"]) == (0, 200)
    twin.tamper(intent["id"], {"metadata": {"later": "yes"}})  # inside a hash that the snapshot has too
    assert twin.events("payment_intent.succeeded")[0]["data"]["object"]["metadata"] == {}


@pytest.mark.parametrize("version", ["2017-04-06", "2020-08-27", None])
def test_old_api_versions_show_old_shapes(twin: Twin, version: str | None) -> None:
    twin.hold()
    twin.add_endpoint(SINK, api_version=version)
    intent = twin.dashboard_charge(500, "eur")
    twin.refund(intent["id"], 200)
    dispute = twin.dispute(intent["id"])
    seen = {event["type"]: body_of(twin, event["id"]) for event in twin.events()}
    charge = seen["charge.refunded"]["data"]["object"]
    succeeded = seen["payment_intent.succeeded"]["data"]["object"]
    disputed = seen["charge.dispute.created"]["data"]["object"]
    assert {event["api_version"] for event in seen.values()} == {version or stripe_twin.CURRENT_VERSION}
    if version is None:
        assert (succeeded["latest_charge"], "charges" in succeeded) == (charge["id"], False)
    else:
        assert [c["id"] for c in succeeded["charges"]["data"]] == [charge["id"]]
        assert [r["amount"] for r in charge["refunds"]["data"]] == [200]
        assert "latest_charge" not in succeeded
    is_ancient = version == "2017-04-06"
    assert ("payment_intent" in charge) == ("payment_intent" in disputed) == (not is_ancient)
    assert (charge.get("source") is not None) == is_ancient
    assert (seen["charge.refunded"]["request"] is None) == is_ancient
    assert disputed["id"] == dispute["id"]


def test_api_answers_in_the_version_that_is_asked_for(twin: Twin) -> None:
    intent = twin.dashboard_charge(500, "eur")["id"]
    old = client_of(twin, stripe_version="2020-08-27").v1.payment_intents.retrieve(intent)
    new = client_of(twin).v1.payment_intents.retrieve(intent)
    assert ("charges" in old, "charges" in new) == (True, False)


def test_same_ids_can_exist_under_two_accounts(twin: Twin) -> None:
    for account in ("acct_a", "acct_b"):
        twin.connect_account(account)
    intent = twin.dashboard_charge(500, "eur", account="acct_a")
    event = twin.events("payment_intent.succeeded")[0]["id"]
    twin.copy(intent["id"], account="acct_b")
    twin.copy(event, account="acct_b")
    twin.tamper(intent["id"], {"amount_received": 1, "metadata": {"of": "b"}}, account="acct_b")
    seen = [
        client_of(twin, stripe_account=a).v1.payment_intents.retrieve(intent["id"])
        for a in ("acct_a", "acct_b")
    ]
    assert [(i.amount_received, i.metadata.to_dict()) for i in seen] == [(500, {}), (1, {"of": "b"})]
    endpoint = twin.add_endpoint(SINK, connect=True)["id"]
    bodies = [json.loads(twin.delivery(event, endpoint, account=a).body) for a in ("acct_a", "acct_b")]
    assert [(b["account"], b["id"]) for b in bodies] == [("acct_a", event), ("acct_b", event)]


def test_event_can_be_bent_and_any_type_be_sent(twin: Twin) -> None:
    twin.hold()
    twin.add_endpoint(SINK)
    intent = twin.dashboard_charge(500, "eur")
    event = twin.emit(
        "moon.phase_changed", intent["id"], changes={"customer": {"id": "cus_1", "object": "customer"}}
    )
    assert event is not None
    twin.tamper(event["id"], {"livemode": True}, remove=["data.object.description"])
    body = body_of(twin, event["id"])
    assert (body["type"], body["livemode"]) == ("moon.phase_changed", True)
    assert body["data"]["object"]["customer"]["id"] == "cus_1"
    assert "description" not in body["data"]["object"]


def test_test_signs_bytes_of_its_own(twin: Twin) -> None:
    secret = twin.add_endpoint(SINK)["secret"]
    header = twin.sign(b"[]", secret, timestamp=1_700_000_000)
    assert header.startswith("t=1700000000,v1=")
    assert stripe.WebhookSignature.verify_header(b"[]", header, secret)


def test_events_are_listed_by_type_and_time_for_thirty_days(twin: Twin, client: stripe.StripeClient) -> None:
    twin.freeze(1_700_000_000)
    twin.dashboard_charge(500, "eur")
    twin.advance(3600)
    twin.dashboard_charge(600, "eur")
    both = ["charge.succeeded", "payment_intent.succeeded"]
    late = client.v1.events.list(params={"created": {"gte": 1_700_003_600}, "types": both})
    assert [e.type for e in late.data] == both[::-1]
    assert len(client.v1.events.list(params={"type": "charge.*"}).data) == 2
    assert client.v1.events.retrieve(late.data[0].id).data.object["amount"] == 600
    twin.advance(30 * 86_400 - 1)
    assert len(client.v1.events.list().data) == 3


def test_event_names_the_request_that_caused_it(client: stripe.StripeClient) -> None:
    client.v1.customers.create(params={}, options={"idempotency_key": "k-1"})
    event = client.v1.events.list().data[0]
    assert event.request.idempotency_key == "k-1"
    assert event.request.id.startswith("req_")
