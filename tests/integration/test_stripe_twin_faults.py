"""What goes wrong on purpose: idempotency keys, API faults, deliveries lost, doubled, shuffled, events never made."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
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
    settings: dict[str, Any] = {"max_network_retries": 0} | options
    return stripe.StripeClient("sk_test_1", base_addresses=twin.base_addresses, **settings)


@pytest.fixture
def client(twin: Twin) -> stripe.StripeClient:
    return client_of(twin)


def with_key(key: str) -> Any:
    return {"idempotency_key": key}


def test_same_key_and_request_replays_the_first_answer(twin: Twin, client: stripe.StripeClient) -> None:
    first = client.v1.customers.create(params={"name": "Ann"}, options=with_key("k"))
    second = client.v1.customers.create(params={"name": "Ann"}, options=with_key("k"))
    assert first.id == second.id
    assert second.last_response.headers["idempotent-replayed"] == "true"
    assert len(client.v1.customers.list().data) == 1
    assert [r.is_replayed for r in twin.requests if r.method == "POST"] == [False, True]


def test_same_key_with_another_request_is_refused(client: stripe.StripeClient) -> None:
    client.v1.customers.create(params={"name": "Ann"}, options=with_key("k"))
    for attempt in (
        lambda: client.v1.customers.create(params={"name": "Bob"}, options=with_key("k")),
        lambda: client.v1.products.create(params={"name": "Ann"}, options=with_key("k")),
    ):
        with pytest.raises(stripe.IdempotencyError) as refused:
            attempt()
        assert refused.value.http_status == 400


def test_keys_are_per_account_and_last_a_day(twin: Twin, client: stripe.StripeClient) -> None:
    twin.connect_account("acct_shop")
    shop = client_of(twin, stripe_account="acct_shop")
    first = client.v1.customers.create(params={}, options=with_key("k"))
    other = shop.v1.customers.create(params={}, options=with_key("k"))
    twin.advance(24 * 3600 + 1)
    later = client.v1.customers.create(params={}, options=with_key("k"))
    assert len({first.id, other.id, later.id}) == 3


def test_kept_500_is_replayed_and_nothing_happened(twin: Twin, client: stripe.StripeClient) -> None:
    twin.fail_next("500", path="/v1/customers")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            client.v1.customers.create(params={}, options=with_key("k"))
        assert failed.value.http_status == 500
    assert client.v1.customers.list().data == []
    assert client.v1.customers.create(params={}, options=with_key("k-2")).id


def test_500_after_the_effect_leaves_the_object(twin: Twin, client: stripe.StripeClient) -> None:
    twin.fail_next("500_after")
    with pytest.raises(stripe.APIError):
        client.v1.customers.create(params={"metadata": {"order": "1"}})
    assert [c.metadata["order"] for c in client.v1.customers.list().data] == ["1"]


def test_lost_answer_is_found_again_by_the_same_key(twin: Twin, client: stripe.StripeClient) -> None:
    twin.fail_next("lost")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create(params={}, options=with_key("k"))
    again = client.v1.customers.create(params={}, options=with_key("k"))
    assert [c.id for c in client.v1.customers.list().data] == [again.id]


def test_sdk_retries_a_lost_answer_by_itself(twin: Twin) -> None:
    twin.fail_next("lost")
    customer = client_of(twin, max_network_retries=1).v1.customers.create()
    assert [c.id for c in client_of(twin).v1.customers.list().data] == [customer.id]
    assert [(r.fault, r.is_replayed) for r in twin.requests[:2]] == [("lost", False), (None, True)]


def test_declined_card_is_replayed_but_bad_parameters_are_not(
    twin: Twin, client: stripe.StripeClient
) -> None:
    card = twin.save_card(outcome="card_declined")
    params: Any = {"amount": 5, "currency": "eur", "customer": card["customer"], "payment_method": card["id"]}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.create(params=params | {"confirm": True}, options=with_key("k"))
    assert len(client.v1.payment_intents.list().data) == 1
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(params=params | {"colour": "red"}, options=with_key("k-2"))
    assert client.v1.payment_intents.create(params=params, options=with_key("k-2")).id


def test_429_and_409_are_stripes_and_not_kept(twin: Twin, client: stripe.StripeClient) -> None:
    twin.fail_next("429")
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.create(params={}, options=with_key("k"))
    twin.fail_next("409")
    with pytest.raises(stripe.APIError) as busy:
        client.v1.customers.create(params={}, options=with_key("k"))
    assert busy.value.http_status == 409
    assert client.v1.customers.create(params={}, options=with_key("k")).id


def test_timeout_does_nothing_and_answers_nothing(twin: Twin, client: stripe.StripeClient) -> None:
    twin.set_faults(timeout_seconds=0.05)
    twin.fail_next("timeout")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create()
    assert client.v1.customers.list().data == []


def test_timeout_ends_when_the_caller_hangs_up(twin: Twin) -> None:
    twin.fail_next("timeout")  # 80 seconds, as the SDK waits by default
    impatient = client_of(twin, http_client=stripe.RequestsClient(timeout=0.1))
    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.customers.create()


def test_planned_faults_hit_only_what_they_are_meant_for(twin: Twin, client: stripe.StripeClient) -> None:
    twin.fail_next("500", method="POST", path="/v1/checkout/sessions", times=2)
    assert client.v1.customers.create().id
    assert client.v1.checkout.sessions.list().data == []
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.checkout.sessions.create(params={})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.create(params={})


def outcomes(seed: int) -> list[int]:
    with stripe_twin.running() as twin:
        twin.set_faults(api_500=0.2, api_429=0.2, seed=seed)
        headers = {"Authorization": "Bearer sk_test_1"}
        with httpx.Client(base_url=twin.url, headers=headers, trust_env=False) as http:
            return [http.get("/v1/customers").status_code for _ in range(40)]


def test_chance_is_repeatable_by_seed() -> None:
    first = outcomes(1)
    assert first == outcomes(1)
    assert first != outcomes(2)
    assert set(first) == {200, 429, 500}


def test_deliveries_are_dropped_and_doubled_by_chance(twin: Twin) -> None:
    twin.hold()
    twin.add_endpoint(SINK, ["charge.succeeded"])
    twin.set_faults(drop=0.3, duplicate=0.5, seed=7)
    for _ in range(60):
        twin.dashboard_charge(500, "eur")
    made = [event["id"] for event in twin.events("charge.succeeded")]
    queued = Counter(twin.pending())
    assert len(made) == 60
    assert 30 < len(queued) < 55
    assert 5 < sum(1 for count in queued.values() if count == 2) < len(queued)


def test_dropped_delivery_never_comes_even_after_days(twin: Twin, client: stripe.StripeClient) -> None:
    twin.add_endpoint(SINK, ["charge.succeeded"])
    twin.set_faults(drop=1.0)
    twin.dashboard_charge(500, "eur")
    twin.advance(4 * 86_400)
    twin.drain()
    assert (twin.sent, twin.pending()) == ([], [])
    assert (
        len(client.v1.events.list(params={"type": "charge.succeeded", "delivery_success": False}).data) == 1
    )


def test_delays_shuffle_the_order(twin: Twin) -> None:
    twin.hold()
    twin.add_endpoint(SINK, ["charge.succeeded"])
    twin.set_faults(delay_seconds_max=1.5, seed=3)
    for _ in range(20):
        twin.dashboard_charge(500, "eur")
    made = [event["id"] for event in twin.events("charge.succeeded")]
    assert twin.pending() != made
    assert sorted(twin.pending()) == sorted(made)


def test_unborn_events_are_nowhere_but_their_objects_are(twin: Twin, client: stripe.StripeClient) -> None:
    twin.set_faults(unborn_types=["payment_intent.succeeded", "charge.succeeded"])
    intent = twin.dashboard_charge(500, "eur")
    assert [e.type for e in client.v1.events.list().data] == ["payment_intent.created"]
    assert [e["type"] for e in twin.unborn_events()] == ["charge.succeeded", "payment_intent.succeeded"]
    assert client.v1.payment_intents.retrieve(intent["id"]).status == "succeeded"


def test_unborn_by_chance_is_about_as_rare_as_asked(twin: Twin) -> None:
    twin.set_faults(unborn=0.1, seed=5)
    for _ in range(60):
        twin.dashboard_charge(500, "eur")
    assert len(twin.events()) + len(twin.unborn_events()) == 180
    assert 5 < len(twin.unborn_events()) < 35


def test_lost_attempt_is_retried_without_reaching_the_receiver(twin: Twin) -> None:
    twin.freeze()
    twin.add_endpoint(SINK, ["charge.succeeded"])
    twin.set_faults(lose_attempt=1.0)
    twin.dashboard_charge(500, "eur")
    twin.drain()
    assert [s.error for s in twin.sent] == ["lost on the way (fault)"]
    assert len(twin.pending()) == 1


def test_lost_answer_of_a_receiver_is_a_delivery_that_comes_again(twin: Twin) -> None:
    twin.freeze()
    twin.add_endpoint(f"{twin.url}/_twin/flow", ["charge.succeeded"])  # any address that answers
    twin.set_faults(lose_answer=1.0)
    twin.dashboard_charge(500, "eur")
    twin.drain()
    assert [s.error for s in twin.sent] == ["answer 400 lost on the way (fault)"]
    assert len(twin.pending()) == 1


def test_signature_skew_moves_the_time_in_signatures(twin: Twin) -> None:
    endpoint = twin.add_endpoint(SINK)
    twin.set_faults(signature_skew_seconds=-601)
    twin.dashboard_charge(500, "eur")
    late = twin.delivery(twin.events()[0]["id"])
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.WebhookSignature.verify_header(
            late.body, late.headers["Stripe-Signature"], endpoint["secret"], 300
        )


def test_unknown_fault_is_refused_by_name(twin: Twin) -> None:
    with pytest.raises(ValueError, match="no such fault: dorp"):
        twin.set_faults(dorp=0.1)


def test_ids_repeat_by_seed_only() -> None:
    def first_id(seed: int | None) -> str:
        with stripe_twin.running(id_seed=seed) as twin:
            return str(twin.dashboard_charge(1, "eur")["id"])

    seed = random.Random().randrange(1_000_000)
    assert first_id(seed) == first_id(seed) != first_id(None)
