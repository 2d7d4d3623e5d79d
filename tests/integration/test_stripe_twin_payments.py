"""The twin's money through the official SDK: payments, refunds, disputes, subscriptions, balance."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

import stripe_twin
from stripe_twin import ApiError, Twin


@pytest.fixture
def twin() -> Iterator[Twin]:
    with stripe_twin.running() as running:
        yield running


@pytest.fixture
def client(twin: Twin) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_1", base_addresses=twin.base_addresses, max_network_retries=0)


def a_session(client: stripe.StripeClient, amount: int = 900, **more: Any) -> stripe.checkout.Session:
    price = more.pop("price", {"currency": "eur", "unit_amount": amount, "product_data": {"name": "credits"}})
    item = {"price_data": price, "quantity": 1} | more.pop("item", {})
    params = {
        "line_items": [item],
        "success_url": "http://127.0.0.1/done",
        "client_reference_id": "user-1",
        "metadata": {"order_id": "o-1"},
        "payment_intent_data": {"metadata": {"order_id": "o-1"}},
    }
    return client.v1.checkout.sessions.create(params={"mode": "payment", **params, **more})


def types(twin: Twin) -> list[str]:
    return [
        e["type"]
        for e in twin.events()
        if not e["type"].startswith(("product", "price", "coupon", "promotion"))
    ]


def paid(twin: Twin, client: stripe.StripeClient, amount: int = 900) -> str:
    return str(twin.pay(a_session(client, amount).id)["payment_intent"])


def test_card_payment_completes_the_session(twin: Twin, client: stripe.StripeClient) -> None:
    session = a_session(client)
    twin.pay(session.id, email="ann@example.com")
    found = client.v1.checkout.sessions.retrieve(session.id, params={"expand": ["payment_intent"]})
    assert (found.status, found.payment_status, found.client_reference_id) == ("complete", "paid", "user-1")
    assert found.customer_details.email == "ann@example.com"
    assert (found.payment_intent.status, found.payment_intent.amount_received) == ("succeeded", 900)
    assert found.payment_intent.metadata["order_id"] == "o-1"
    assert types(twin) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    with pytest.raises(ApiError, match="is complete"):
        twin.pay(session.id)


def test_session_metadata_is_not_copied_to_the_intent(twin: Twin, client: stripe.StripeClient) -> None:
    session = a_session(client, payment_intent_data={})
    intent = client.v1.payment_intents.retrieve(twin.pay(session.id)["payment_intent"])
    assert intent.metadata.to_dict() == {}


def test_declined_card_leaves_the_session_open_for_another(twin: Twin, client: stripe.StripeClient) -> None:
    session = a_session(client)
    with pytest.raises(ApiError) as declined:
        twin.pay(session.id, "card_declined")
    assert (declined.value.status, declined.value.code) == (402, "card_declined")
    assert types(twin)[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    assert twin.pay(session.id)["payment_status"] == "paid"
    assert len(client.v1.payment_intents.list().data) == 1


def test_sepa_is_unpaid_then_succeeds(twin: Twin, client: stripe.StripeClient) -> None:
    session = twin.pay(a_session(client).id, "sepa")
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    intent = client.v1.payment_intents.retrieve(session["payment_intent"])
    assert (intent.status, intent.amount_received) == ("processing", 0)
    twin.settle_sepa(session["id"])
    assert client.v1.checkout.sessions.retrieve(session["id"]).payment_status == "paid"
    assert types(twin)[-3:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]


def test_sepa_fails_late(twin: Twin, client: stripe.StripeClient) -> None:
    session = twin.pay(a_session(client).id, "sepa")
    intent = twin.settle_sepa(session["payment_intent"], is_paid=False)
    assert (intent["status"], intent["amount_received"]) == ("requires_payment_method", 0)
    assert types(twin)[-1] == "checkout.session.async_payment_failed"
    assert client.v1.checkout.sessions.retrieve(session["id"]).payment_status == "unpaid"


def test_sepa_settles_by_itself_when_time_passes() -> None:
    with stripe_twin.running(sepa_settles_after_seconds=3600) as twin:
        client = stripe.StripeClient("sk_test_1", base_addresses=twin.base_addresses)
        good = twin.pay(a_session(client).id, "sepa")
        bad = twin.pay(a_session(client).id, "sepa_fail")
        twin.advance(3601)
        states = [client.v1.payment_intents.retrieve(s["payment_intent"]).status for s in (good, bad)]
    assert states == ["succeeded", "requires_payment_method"]


def test_challenge_approved_pays_refused_does_not(twin: Twin, client: stripe.StripeClient) -> None:
    session = twin.pay(a_session(client).id, "card_3ds")
    assert (session["status"], session["payment_status"]) == ("open", "unpaid")
    intent = client.v1.payment_intents.retrieve(session["payment_intent"])
    assert intent.status == "requires_action"
    assert intent.next_action.redirect_to_url.url.endswith(f"/authenticate/{intent.id}")
    assert twin.authenticate(intent.id, is_approved=False)["status"] == "requires_payment_method"
    twin.pay(session["id"], "card_3ds")
    twin.authenticate(intent.id)
    assert client.v1.checkout.sessions.retrieve(session["id"]).payment_status == "paid"


def test_abandoned_challenge_is_cancelled_when_the_session_expires(
    twin: Twin, client: stripe.StripeClient
) -> None:
    session = twin.pay(a_session(client).id, "card_3ds")
    twin.expire(session["id"])
    assert client.v1.payment_intents.retrieve(session["payment_intent"]).status == "canceled"
    assert types(twin)[-2:] == ["payment_intent.canceled", "checkout.session.expired"]


def test_full_discount_needs_no_payment(twin: Twin, client: stripe.StripeClient) -> None:
    coupon = client.v1.coupons.create(params={"percent_off": 100})
    code = client.v1.promotion_codes.create(
        params={"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "FREE", "max_redemptions": 1}
    )
    session = twin.pay(a_session(client, allow_promotion_codes=True).id, promotion_code="free")
    assert (session["status"], session["payment_status"], session["payment_intent"]) == (
        "complete",
        "no_payment_required",
        None,
    )
    assert client.v1.promotion_codes.retrieve(code.id).times_redeemed == 1
    with pytest.raises(ApiError, match="not valid"):
        twin.pay(a_session(client, allow_promotion_codes=True).id, promotion_code="FREE")
    with pytest.raises(ApiError, match="takes no promotion codes"):
        twin.pay(a_session(client).id, promotion_code="FREE")


def test_buyer_changes_an_adjustable_quantity_within_its_bounds(
    twin: Twin, client: stripe.StripeClient
) -> None:
    rule = {"adjustable_quantity": {"enabled": True, "minimum": 1, "maximum": 5}}
    session = a_session(client, item=rule)
    with pytest.raises(ApiError, match="between 1 and 5"):
        twin.pay(session.id, quantities=[6])
    assert twin.pay(session.id, quantities=[3])["amount_total"] == 2700
    with pytest.raises(ApiError, match="cannot be changed"):
        twin.pay(a_session(client).id, quantities=[2])


def test_presentment_currency_does_not_touch_the_amount(twin: Twin, client: stripe.StripeClient) -> None:
    session = twin.pay(a_session(client).id, presentment=("usd", 1012))
    assert (session["currency"], session["amount_total"]) == ("eur", 900)
    assert session["presentment_details"] == {"presentment_currency": "usd", "presentment_amount": 1012}


def test_refunds_never_exceed_the_charge(twin: Twin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    for _ in range(2):
        client.v1.refunds.create(params={"payment_intent": intent, "amount": 300})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        client.v1.refunds.create(params={"payment_intent": intent, "amount": 301})
    assert client.v1.refunds.create(params={"payment_intent": intent}).amount == 300
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create(params={"payment_intent": intent})
    assert again.value.code == "charge_already_refunded"
    charge = client.v1.charges.list(params={"payment_intent": intent, "expand": ["data.refunds"]}).data[0]
    assert (charge.refunded, charge.amount_refunded, len(charge.refunds.data)) == (True, 900, 3)
    assert len(client.v1.refunds.list(params={"payment_intent": intent}).data) == 3


def test_refund_that_fails_gives_the_money_back_to_the_charge(
    twin: Twin, client: stripe.StripeClient
) -> None:
    intent = paid(twin, client)
    refund = twin.refund(intent, 400, status="pending")
    assert client.v1.refunds.retrieve(refund["id"]).status == "pending"
    twin.settle_refund(refund["id"], "failed")
    charge = client.v1.charges.list(params={"payment_intent": intent}).data[0]
    assert (charge.amount_refunded, client.v1.refunds.retrieve(refund["id"]).status) == (0, "failed")
    assert types(twin)[-3:] == ["refund.failed", "refund.updated", "charge.refund.updated"]
    assert client.v1.refunds.create(params={"payment_intent": intent}).amount == 900


def test_pending_refund_can_be_cancelled_once(twin: Twin, client: stripe.StripeClient) -> None:
    session = twin.pay(a_session(client).id, "card_refund_pending")
    refund = client.v1.refunds.create(params={"payment_intent": session["payment_intent"]})
    assert client.v1.refunds.cancel(refund.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.cancel(refund.id)


def test_unpaid_intent_is_not_refunded(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(params={"amount": 100, "currency": "eur"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create(params={"payment_intent": intent.id})


def test_lying_peer_refunds_more_than_it_took(twin: Twin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    twin.refund(intent)
    twin.refund(intent, 5000, is_lie=True)
    assert sum(r.amount for r in client.v1.refunds.list(params={"payment_intent": intent}).data) == 5900


def test_inquiry_moves_no_money_and_may_become_a_dispute(twin: Twin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    inquiry = twin.dispute(intent, status="warning_needs_response")
    assert client.v1.balance_transactions.list(params={"type": "adjustment"}).data == []
    twin.move_dispute(inquiry["id"], "needs_response")
    adjustments = client.v1.balance_transactions.list(params={"type": "adjustment"}).data
    assert [(a.amount, a.fee) for a in adjustments] == [(-900, 2000)]
    assert "charge.dispute.funds_withdrawn" in types(twin)


@pytest.mark.parametrize(("ending", "net"), [("won", 0), ("lost", -900)])
def test_dispute_ends_won_or_lost(twin: Twin, client: stripe.StripeClient, ending: Any, net: int) -> None:
    intent = paid(twin, client)
    dispute = twin.dispute(intent)
    evidence = {"uncategorized_text": "They used it."}
    assert client.v1.disputes.update(dispute["id"], params={"evidence": evidence}).status == "under_review"
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.v1.refunds.create(params={"payment_intent": intent})
    twin.move_dispute(dispute["id"], ending)
    assert [d.status for d in client.v1.disputes.list(params={"payment_intent": intent}).data] == [ending]
    lines = client.v1.balance_transactions.list(params={"type": "adjustment"}).data
    assert sum(line.amount for line in lines) == net
    assert types(twin)[-1] == "charge.dispute.closed"
    with pytest.raises(ApiError, match="closed"):
        twin.move_dispute(dispute["id"], "won")


def test_refunded_debit_can_still_be_disputed_in_full(twin: Twin, client: stripe.StripeClient) -> None:
    session = twin.pay(a_session(client).id, "sepa")
    twin.settle_sepa(session["id"])
    twin.refund(session["payment_intent"], status="succeeded")
    assert twin.dispute(session["payment_intent"])["amount"] == 900


def test_fraud_warning_is_an_event_and_an_object(twin: Twin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    twin.warn_of_fraud(intent)
    listed = client.v1.radar.early_fraud_warnings.list(params={"payment_intent": intent})
    assert [w.fraud_type for w in listed.data] == ["made_with_stolen_card"]
    assert types(twin)[-1] == "radar.early_fraud_warning.created"


def test_second_payment_for_one_order_is_another_intent(twin: Twin, client: stripe.StripeClient) -> None:
    first = paid(twin, client)
    second = twin.pay_again(first)
    assert second["id"] != first
    assert (second["status"], second["metadata"]) == ("succeeded", {"order_id": "o-1"})


def test_payment_link_and_dashboard_payments_carry_no_order(twin: Twin, client: stripe.StripeClient) -> None:
    price = client.v1.prices.create(
        params={"currency": "eur", "unit_amount": 500, "product_data": {"name": "credits"}}
    )
    session = twin.buy_by_link(price.id, client_reference_id="somebody-else")
    assert (session["metadata"], session["client_reference_id"]) == ({}, "somebody-else")
    assert session["payment_link"].startswith("plink_")
    assert twin.dashboard_charge(500, "eur")["metadata"] == {}


def test_tampering_changes_what_is_fetched_without_an_event(twin: Twin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    before = len(twin.events())
    twin.tamper(intent, {"currency": "usd", "metadata": {"more": "x"}}, remove=["metadata.order_id"])
    found = client.v1.payment_intents.retrieve(intent)
    assert (found.currency, found.metadata.to_dict()) == ("usd", {"more": "x"})
    assert len(twin.events()) == before


def test_balance_lines_add_up(twin: Twin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client, 10_000)
    client.v1.refunds.create(params={"payment_intent": intent, "amount": 4000})
    lines = client.v1.balance_transactions.list(params={"currency": "eur"}).data
    assert sorted((line.type, line.amount, line.net) for line in lines) == [
        ("charge", 10_000, 10_000 - 175),
        ("refund", -4000, -4000),
    ]
    assert client.v1.balance.retrieve().available[0].amount == 6000 - 175
