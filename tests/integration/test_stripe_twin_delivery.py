"""The twin's deliveries as a receiver sees them: signatures, order, repeats, retries, versions, accounts."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import stripe

import stripe_twin
from stripe_twin import Twin

BARRIER_SECONDS = 20.0


@dataclass
class Receiver:
    """A webhook endpoint that keeps what arrives and answers as told."""

    url: str
    status: int = 200
    barrier: threading.Barrier | None = None
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if receiver.barrier is not None:
                receiver.barrier.wait(BARRIER_SECONDS)
            receiver.bodies.append(body)
            receiver.signatures.append(self.headers["stripe-signature"])
            self.send_response(receiver.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_parts: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # the default backlog of 5 makes parallel deliveries wait for a second SYN

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


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


PAYMENT = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_signature_is_the_official_one(twin: Twin, receiver: Receiver) -> None:
    endpoint = twin.add_endpoint(receiver.url)
    twin.dashboard_charge(500, "eur")
    twin.drain()
    assert sorted(receiver.types) == sorted(PAYMENT)
    for body, header in zip(receiver.bodies, receiver.signatures, strict=True):
        assert stripe.WebhookSignature.verify_header(body, header, endpoint["secret"], 300)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(body + b" ", header, endpoint["secret"], 300)
        event = stripe.Webhook.construct_event(body, header, endpoint["secret"])
        assert event.api_version == stripe_twin.CURRENT_VERSION


def test_rolled_secret_signs_beside_the_old_one_until_its_time_is_over(
    twin: Twin, receiver: Receiver
) -> None:
    endpoint = twin.add_endpoint(receiver.url)
    fresh = twin.roll_secret(endpoint["id"], old_valid_seconds=3600)
    intent = twin.dashboard_charge(500, "eur")
    event = twin.events("payment_intent.succeeded", about=intent["id"])[0]
    within = twin.delivery(event["id"])
    for secret in (endpoint["secret"], fresh):
        assert stripe.WebhookSignature.verify_header(within.body, within.headers["Stripe-Signature"], secret)
    twin.advance(3601)
    after = twin.delivery(event["id"])
    assert stripe.WebhookSignature.verify_header(after.body, after.headers["Stripe-Signature"], fresh)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(
            after.body, after.headers["Stripe-Signature"], endpoint["secret"]
        )


def test_endpoint_made_by_the_api_shows_its_secret_once(
    client: stripe.StripeClient, receiver: Receiver
) -> None:
    endpoint = client.v1.webhook_endpoints.create(
        params={
            "url": receiver.url,
            "enabled_events": ["charge.succeeded"],
            "api_version": "2026-10-28.endive",
        }
    )
    assert endpoint.secret.startswith("whsec_")
    found = client.v1.webhook_endpoints.retrieve(endpoint.id)
    assert ("secret" in found, found.api_version, found.status) == (False, "2026-10-28.endive", "enabled")
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        client.v1.webhook_endpoints.update(endpoint.id, params={"api_version": "2020-08-27"})
    client.v1.webhook_endpoints.update(endpoint.id, params={"enabled_events": ["*"], "disabled": True})
    assert client.v1.webhook_endpoints.list().data[0].status == "disabled"
    client.v1.webhook_endpoints.delete(endpoint.id)
    assert client.v1.webhook_endpoints.list().data == []


def test_only_subscribed_types_to_enabled_endpoints(twin: Twin, receiver: Receiver) -> None:
    endpoint = twin.add_endpoint(receiver.url, ["charge.succeeded"])
    twin.dashboard_charge(500, "eur")
    twin.drain()
    twin.set_endpoint_status(endpoint["id"], "disabled")
    twin.dashboard_charge(500, "eur")
    twin.drain()
    assert receiver.types == ["charge.succeeded"]


def test_held_events_arrive_in_the_order_the_test_decides(twin: Twin, receiver: Receiver) -> None:
    twin.add_endpoint(receiver.url)
    twin.hold()
    twin.dashboard_charge(500, "eur")
    by_type = {event["type"]: event["id"] for event in twin.events()}
    assert twin.pending() == [by_type[name] for name in PAYMENT]
    order = [by_type[name] for name in reversed(PAYMENT)]
    assert [sent.status for sent in twin.deliver(order[:2])] == [200, 200]
    assert receiver.types == ["payment_intent.succeeded", "charge.succeeded"]
    assert twin.pending() == order[2:]
    twin.release()
    twin.drain()
    assert receiver.types[-1] == "payment_intent.created"
    assert twin.pending() == []


async def test_deliveries_can_be_awaited_while_the_receiver_shares_the_loop(
    twin: Twin, receiver: Receiver
) -> None:
    twin.add_endpoint(receiver.url)
    twin.hold()
    twin.dashboard_charge(500, "eur")
    sent = await twin.deliver_async()
    assert [s.is_accepted for s in sent] == [True, True, True]
    twin.release()
    await twin.drain_async()
    assert receiver.types == PAYMENT


def test_one_event_twenty_times_at_once(twin: Twin, receiver: Receiver) -> None:
    twin.add_endpoint(receiver.url)
    twin.hold()
    twin.dashboard_charge(500, "eur")
    event = twin.events("payment_intent.succeeded")[0]["id"]
    receiver.barrier = threading.Barrier(20)  # only when all are there at once does any get its answer
    sent = twin.deliver([event], times=20, parallel=True)
    assert [s.status for s in sent] == [200] * 20
    assert len(set(receiver.bodies)) == 1


def test_resend_after_weeks_repeats_the_event(twin: Twin, receiver: Receiver) -> None:
    endpoint = twin.add_endpoint(receiver.url)
    twin.dashboard_charge(500, "eur")
    twin.drain()
    twin.advance(20 * 86_400)
    event = twin.events("payment_intent.succeeded")[0]["id"]
    twin.deliver([event], endpoint=endpoint["id"])
    assert receiver.types.count("payment_intent.succeeded") == 2
    again = receiver.bodies[-1], receiver.signatures[-1]
    assert stripe.WebhookSignature.verify_header(*again, endpoint["secret"], 300)


def test_refused_delivery_is_tried_again_with_growing_delay(
    twin: Twin, client: stripe.StripeClient, receiver: Receiver
) -> None:
    twin.add_endpoint(receiver.url, ["charge.succeeded"])
    receiver.status = 500
    twin.freeze()
    twin.dashboard_charge(500, "eur")
    twin.drain()
    assert len(receiver.bodies) == 1
    twin.advance(299)
    twin.drain()
    assert len(receiver.bodies) == 1
    twin.advance(1)
    twin.drain()
    assert len(receiver.bodies) == 2
    twin.advance(300)  # the second delay is longer than the first
    twin.drain()
    assert len(receiver.bodies) == 2
    failing = client.v1.events.list(params={"delivery_success": False}).data
    assert [(e.type, e.pending_webhooks) for e in failing] == [("charge.succeeded", 1)]
    receiver.status = 200
    twin.advance(1800)
    twin.drain()
    assert [s.attempt for s in twin.sent] == [1, 2, 3]
    assert client.v1.events.list(params={"delivery_success": False}).data == []


def test_retries_end_after_three_days(twin: Twin, receiver: Receiver) -> None:
    twin.add_endpoint(receiver.url, ["charge.succeeded"])
    receiver.status = 302  # a redirect is no acceptance and is not followed
    twin.freeze()
    twin.dashboard_charge(500, "eur")
    for _ in range(12):
        twin.drain()
        twin.advance(12 * 3600)
    assert twin.pending() == []
    assert len(receiver.bodies) == 10


def test_retry_scale_shrinks_the_delays(receiver: Receiver) -> None:
    with stripe_twin.running(retry_scale=0.001) as twin:
        twin.add_endpoint(receiver.url, ["charge.succeeded"])
        receiver.status = 503
        twin.freeze()
        twin.dashboard_charge(500, "eur")
        twin.drain()
        twin.advance(0.31)
        twin.drain()
    assert len(receiver.bodies) == 2


def test_two_endpoints_of_two_versions_get_one_event_in_two_shapes(twin: Twin, receiver: Receiver) -> None:
    twin.add_endpoint(receiver.url, ["payment_intent.succeeded"])
    twin.add_endpoint(receiver.url, ["payment_intent.succeeded"], api_version="2020-08-27")
    twin.dashboard_charge(500, "eur")
    twin.drain()
    assert len({event["id"] for event in receiver.events}) == 1
    assert {event["api_version"] for event in receiver.events} == {stripe_twin.CURRENT_VERSION, "2020-08-27"}


def test_thin_destination_gets_a_reference_that_the_sdk_follows(
    twin: Twin, client: stripe.StripeClient, receiver: Receiver
) -> None:
    destination = client.v2.core.event_destinations.create(
        {
            "name": "thin",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": ["v1.payment_intent.succeeded"],
            "webhook_endpoint": {"url": receiver.url},
            "include": ["webhook_endpoint.signing_secret"],
        }
    )
    secret = destination.webhook_endpoint.signing_secret
    twin.add_endpoint(receiver.url, ["payment_intent.succeeded"])
    intent = twin.dashboard_charge(500, "eur")
    twin.drain()
    thin, snapshot = sorted(
        zip(receiver.events, receiver.bodies, receiver.signatures, strict=True),
        key=lambda e: e[0]["object"] == "event",
    )
    notification = client.parse_event_notification(thin[1], thin[2], secret)
    assert notification.fetch_related_object().id == intent["id"]
    assert notification.fetch_event().snapshot_event == snapshot[0]["id"]
    assert [d.id for d in client.v2.core.event_destinations.list().data] == [destination.id]


def test_ping_and_health_events_reach_a_thin_destination(
    twin: Twin, client: stripe.StripeClient, receiver: Receiver
) -> None:
    health = "v2.core.health.event_generation_failure.resolved"
    destination = client.v2.core.event_destinations.create(
        {
            "name": "thin",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": [health],
            "webhook_endpoint": {"url": receiver.url},
        }
    )
    client.v2.core.event_destinations.ping(destination.id)
    twin.emit_thin(health)
    twin.drain()
    assert sorted(receiver.types) == ["v2.core.event_destination.ping", health]
    client.v2.core.event_destinations.disable(destination.id)
    assert client.v2.core.event_destinations.retrieve(destination.id).status == "disabled"


def test_connect_endpoint_gets_the_accounts_events_with_its_name(twin: Twin, receiver: Receiver) -> None:
    twin.connect_account("acct_shop")
    twin.add_endpoint(receiver.url, ["payment_intent.succeeded"], connect=True)
    twin.dashboard_charge(500, "eur")
    ours = twin.dashboard_charge(500, "eur", account="acct_shop")
    twin.drain()
    assert [(e["account"], e["data"]["object"]["id"]) for e in receiver.events] == [("acct_shop", ours["id"])]


def test_other_processes_drive_it_over_http(twin: Twin, receiver: Receiver) -> None:
    twin.add_endpoint(receiver.url)

    def call(verb: str, **arguments: Any) -> httpx.Response:
        return httpx.post(f"{twin.url}/_twin/{verb}", json=arguments, trust_env=False)

    assert call("hold").json() is None
    intent = call("dashboard_charge", amount=500, currency="eur").json()["id"]
    assert call("refund", payment=intent, amount=100).json()["amount"] == 100
    assert call("set_faults", drop=0.5).json()["drop"] == 0.5
    sent = call("deliver").json()
    assert len(sent) == len(receiver.bodies) == 5
    assert call("refund", payment=intent, amount=1000).status_code == 400
    assert call("set_faults", nonsense=1).status_code == 400
    assert "pay" in call("nonsense").json()["error"]["verbs"]
