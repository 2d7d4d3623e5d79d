"""The pages a person sees in the demo, through plain form posts."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

import stripe_twin
from stripe_twin import Twin
from stripe_twin.pages import money

SUCCESS = "http://shop.example/done?session={CHECKOUT_SESSION_ID}"
CANCEL = "http://shop.example/back"


@pytest.fixture
def twin() -> Iterator[Twin]:
    with stripe_twin.running() as running:
        yield running


@pytest.fixture
def browser(twin: Twin) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=twin.url, trust_env=False, follow_redirects=False) as http:
        yield http


@pytest.fixture
def client(twin: Twin) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_1", base_addresses=twin.base_addresses, max_network_retries=0)


def a_session(client: stripe.StripeClient, **more: Any) -> stripe.checkout.Session:
    price = {"currency": "eur", "unit_amount": 1250, "product_data": {"name": "100 <b>credits</b>"}}
    item = {"price_data": price, "quantity": 2} | more.pop("item", {})
    params = {"mode": "payment", "line_items": [item], "success_url": SUCCESS, "cancel_url": CANCEL}
    return client.v1.checkout.sessions.create(params=params | more)


def path_of(session: stripe.checkout.Session) -> str:
    return httpx.URL(str(session.url)).path


def test_checkout_page_says_test_shows_the_sum_and_escapes_names(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    page = browser.get(path_of(a_session(client)))
    assert page.status_code == 200
    assert "TEST: a stand-in of Stripe on this machine. No money moves." in page.text
    assert "Pay 25.00 EUR" in page.text
    assert "100 &lt;b&gt;credits&lt;/b&gt;" in page.text


def test_paying_leads_to_the_success_url_with_the_session(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    session = a_session(client)
    done = browser.post(path_of(session), data={"outcome": "card", "email": "ann@example.com"})
    assert done.status_code == 303
    assert done.headers["location"] == SUCCESS.replace("{CHECKOUT_SESSION_ID}", session.id)
    found = client.v1.checkout.sessions.retrieve(session.id)
    assert (found.payment_status, found.customer_details.email) == ("paid", "ann@example.com")
    again = browser.post(path_of(session), data={"outcome": "card"})
    assert again.headers["location"] == done.headers["location"]
    assert len(client.v1.charges.list().data) == 1


def test_going_back_leads_to_the_cancel_url(client: stripe.StripeClient, browser: httpx.Client) -> None:
    session = a_session(client)
    assert browser.post(path_of(session), data={"outcome": "cancel"}).headers["location"] == CANCEL
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_declined_card_is_told_on_the_page(client: stripe.StripeClient, browser: httpx.Client) -> None:
    session = a_session(client)
    page = browser.post(path_of(session), data={"outcome": "card_declined"})
    assert (page.status_code, "Your card was declined." in page.text) == (402, True)
    assert browser.post(path_of(session), data={"outcome": "card"}).status_code == 303
    assert browser.post(path_of(a_session(client)), data={"outcome": "magic"}).status_code == 400


@pytest.mark.parametrize(
    ("answer", "status", "target"),
    [
        ("approve", "paid", "http://shop.example/done"),
        ("abandon", "unpaid", CANCEL),
        ("fail", "unpaid", None),
    ],
)
def test_challenge_is_a_page_of_the_bank(
    client: stripe.StripeClient, browser: httpx.Client, answer: str, status: str, target: str | None
) -> None:
    session = a_session(client)
    challenge = browser.post(path_of(session), data={"outcome": "card_3ds"}).headers["location"]
    assert "do you approve" in browser.get(challenge).text
    answered = browser.post(challenge, data={"answer": answer})
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == status
    if target is None:
        assert "did not approve" in answered.text
    else:
        assert answered.headers["location"].startswith(target)


def test_off_session_challenge_returns_to_its_return_url(
    twin: Twin, client: stripe.StripeClient, browser: httpx.Client
) -> None:
    card = twin.save_card(outcome="card_action")
    params: Any = {
        "amount": 900,
        "currency": "eur",
        "customer": card["customer"],
        "payment_method": card["id"],
    }
    params |= {"confirm": True, "off_session": True, "return_url": "http://shop.example/account"}
    intent = client.v1.payment_intents.create(params=params)
    path = httpx.URL(intent.next_action.redirect_to_url.url).path
    assert browser.post(path, data={"answer": "approve"}).headers["location"] == "http://shop.example/account"
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert "nothing to approve" in browser.get(path).text


def test_quantities_and_promotion_codes_are_taken(client: stripe.StripeClient, browser: httpx.Client) -> None:
    coupon = client.v1.coupons.create(params={"percent_off": 10})
    client.v1.promotion_codes.create(
        params={"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "TEN"}
    )
    rule = {"adjustable_quantity": {"enabled": True, "minimum": 1}}
    session = a_session(client, allow_promotion_codes=True, item=rule)
    name = re.search(r'name="(quantity\[li_\w+\])"', browser.get(path_of(session)).text)
    assert name is not None
    browser.post(path_of(session), data={name[1]: "4", "promotion_code": "ten", "outcome": "card"})
    assert client.v1.checkout.sessions.retrieve(session.id).amount_total == 4500
    wrong = browser.post(path_of(a_session(client, item=rule)), data={name[1]: "x", "outcome": "card"})
    assert wrong.status_code == 400


def test_sepa_page_leads_on_while_the_money_is_under_way(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    session = a_session(client)
    assert browser.post(path_of(session), data={"outcome": "sepa"}).status_code == 303
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"


def test_expired_checkout_says_so(twin: Twin, client: stripe.StripeClient, browser: httpx.Client) -> None:
    path = path_of(a_session(client))
    twin.advance(25 * 3600)
    assert "has expired" in browser.get(path).text


def test_receipt_invoice_and_portal_render(
    twin: Twin, client: stripe.StripeClient, browser: httpx.Client
) -> None:
    customer = client.v1.customers.create(params={"email": "ann@example.com"})
    creation = {"enabled": True, "invoice_data": {"metadata": {"order_id": "o-1"}}}
    session = a_session(client, customer=customer.id, invoice_creation=creation)
    paid = twin.pay(session.id)
    twin.refund(paid["payment_intent"], 500)
    charge = client.v1.charges.list().data[0]
    receipt = browser.get(httpx.URL(charge.receipt_url).path).text
    assert ("25.00 EUR" in receipt, "-5.00 EUR" in receipt, "20.00 EUR" in receipt) == (True, True, True)
    invoice = client.v1.invoices.retrieve(paid["invoice"])
    assert (invoice.status, invoice.total, invoice.metadata.to_dict()) == ("paid", 2500, {"order_id": "o-1"})
    assert invoice.number in browser.get(httpx.URL(invoice.hosted_invoice_url).path).text
    portal = client.v1.billing_portal.sessions.create(params={"customer": customer.id, "return_url": CANCEL})
    page = browser.get(httpx.URL(portal.url).path).text
    assert ("ann@example.com" in page, invoice.number in page, CANCEL in page) == (True, True, True)


def test_unknown_page_is_a_page(browser: httpx.Client) -> None:
    missing = browser.get("/pay/c/cs_test_none")
    assert (missing.status_code, "No such object" in missing.text) == (404, True)


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (5, "eur", "0.05 EUR"),
        (123456, "usd", "1,234.56 USD"),
        (-900, "jpy", "-900 JPY"),
        (1230, "kwd", "1.230 KWD"),
    ],
)
def test_money_is_written_by_its_currency(amount: int, currency: str, words: str) -> None:
    assert money(amount, currency) == words


def test_runs_as_a_process_and_keeps_its_state(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stripe_twin", "--port", "0", "--state", str(tmp_path / "twin.json")]
    ids = []
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                url = process.stdout.readline().strip() if process.stdout else ""
                client = stripe.StripeClient("sk_test_1", base_addresses={"api": url})
                ids.append([c.id for c in client.v1.customers.list().data])
                client.v1.customers.create()
            finally:
                process.terminate()
    assert ids[0] == []
    assert len(ids[1]) == 1
