"""Saved cards, payments without the buyer, subscriptions: the twin through the official SDK."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

import stripe_twin
from stripe_twin import Twin


@pytest.fixture
def twin() -> Iterator[Twin]:
    with stripe_twin.running() as running:
        yield running


@pytest.fixture
def client(twin: Twin) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_1", base_addresses=twin.base_addresses, max_network_retries=0)


def test_setup_session_saves_a_card_that_pays_off_session(twin: Twin, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    session = client.v1.checkout.sessions.create(
        params={
            "mode": "setup",
            "customer": customer.id,
            "currency": "eur",
            "success_url": "http://127.0.0.1/",
        }
    )
    done = twin.pay(session.id)
    assert client.v1.setup_intents.retrieve(done["setup_intent"]).status == "succeeded"
    card = client.v1.customers.payment_methods.list(customer.id).data[0]
    intent = client.v1.payment_intents.create(
        params={
            "amount": 700,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": card.id,
            "off_session": True,
            "confirm": True,
        }
    )
    assert (intent.status, intent.amount_received) == ("succeeded", 700)


def top_up(client: stripe.StripeClient, customer: str, method: str, **more: Any) -> stripe.PaymentIntent:
    params = {
        "amount": 700,
        "currency": "eur",
        "customer": customer,
        "payment_method": method,
        "confirm": True,
    }
    return client.v1.payment_intents.create(params=params | more)


def test_off_session_card_that_wants_approval_is_a_402_with_the_intent(
    twin: Twin, client: stripe.StripeClient
) -> None:
    card = twin.save_card(outcome="card_3ds")
    with pytest.raises(stripe.CardError) as refused:
        top_up(client, card["customer"], card["id"], off_session=True)
    assert (refused.value.http_status, refused.value.code) == (402, "authentication_required")
    intent = client.v1.payment_intents.retrieve(refused.value.error.payment_intent["id"])
    assert intent.status == "requires_payment_method"
    assert top_up(client, card["customer"], card["id"]).status == "requires_action"
    with pytest.raises(stripe.CardError, match="requires authentication"):
        top_up(client, card["customer"], card["id"], error_on_requires_action=True)


def test_off_session_challenge_can_be_cancelled_or_passed(twin: Twin, client: stripe.StripeClient) -> None:
    card = twin.save_card(outcome="card_action")
    first, second = (top_up(client, card["customer"], card["id"], off_session=True) for _ in range(2))
    assert (first.status, second.status) == ("requires_action", "requires_action")
    assert client.v1.payment_intents.cancel(first.id).status == "canceled"
    twin.authenticate(second.id)
    with pytest.raises(stripe.InvalidRequestError, match="cannot cancel"):
        client.v1.payment_intents.cancel(second.id)
    with pytest.raises(stripe.InvalidRequestError, match="cannot confirm"):
        client.v1.payment_intents.confirm(first.id)


def test_insufficient_funds_has_its_decline_code(twin: Twin, client: stripe.StripeClient) -> None:
    card = twin.save_card(outcome="card_insufficient_funds")
    with pytest.raises(stripe.CardError) as refused:
        top_up(client, card["customer"], card["id"], off_session=True)
    assert refused.value.error.decline_code == "insufficient_funds"


def test_method_of_another_customer_is_refused(twin: Twin, client: stripe.StripeClient) -> None:
    card = twin.save_card()
    other = client.v1.customers.create()
    with pytest.raises(stripe.InvalidRequestError, match="another customer"):
        top_up(client, other.id, card["id"])


def test_stripes_own_test_methods_work(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    card = client.v1.payment_methods.attach("pm_card_visa", params={"customer": customer.id})
    assert top_up(client, customer.id, card.id, off_session=True).status == "succeeded"
    with pytest.raises(stripe.CardError):
        top_up(client, customer.id, "pm_card_visa_chargeDeclined")


def subscribe(twin: Twin, client: stripe.StripeClient) -> str:
    price = {
        "currency": "eur",
        "unit_amount": 900,
        "product_data": {"name": "plan"},
        "recurring": {"interval": "month"},
    }
    session = client.v1.checkout.sessions.create(
        params={
            "mode": "subscription",
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": "http://127.0.0.1/done",
            "subscription_data": {"metadata": {"user": "7"}},
        }
    )
    return str(twin.pay(session.id)["subscription"])


def test_subscription_starts_renews_and_ends_with_its_period(twin: Twin, client: stripe.StripeClient) -> None:
    twin.freeze(1_738_281_600)  # 31 January 2025
    identifier = subscribe(twin, client)
    subscription = client.v1.subscriptions.retrieve(identifier)
    assert (subscription.status, subscription.metadata.to_dict()) == ("active", {"user": "7"})
    assert subscription["items"]["data"][0]["current_period_end"] == 1_740_700_800  # 28 February
    invoice = twin.renew(identifier)
    assert invoice is not None
    paid_by = (
        client.v1.invoice_payments.list(params={"invoice": invoice["id"]}).data[0].payment.payment_intent
    )
    assert client.v1.payment_intents.retrieve(str(paid_by)).amount_received == 900
    assert [i.billing_reason for i in client.v1.invoices.list(params={"subscription": identifier}).data] == [
        "subscription_cycle",
        "subscription_create",
    ]
    details = client.v1.invoices.retrieve(invoice["id"]).parent.subscription_details
    assert (details.subscription, len(twin.events("invoice.paid"))) == (identifier, 2)
    client.v1.subscriptions.update(identifier, params={"cancel_at_period_end": True})
    assert twin.renew(identifier) is None
    assert client.v1.subscriptions.retrieve(identifier).status == "canceled"
    assert twin.events()[-1]["type"] == "customer.subscription.deleted"


def test_renewal_that_is_declined_leaves_the_invoice_open(twin: Twin, client: stripe.StripeClient) -> None:
    identifier = subscribe(twin, client)
    invoice = twin.renew(identifier, outcome="card_declined")
    assert invoice is not None
    assert (invoice["status"], client.v1.subscriptions.retrieve(identifier).status) == ("open", "past_due")
    assert len(twin.events("invoice.payment_failed")) == 1
    client.v1.subscriptions.cancel(identifier)
    assert client.v1.subscriptions.list().data == []
