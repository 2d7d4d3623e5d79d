"""Buying over HTTP: orders, the webhook, what became of it; and the remedies for what needs a person."""

import time

import pytest

import stripe_twin
from heller.stripe import inbox
from heller.stripe.api import API_VERSION
from heller.stripe.settings import StripeSettings
from heller.web.auth import Known, _digest
from heller.web.principal import ROLE_SCOPES, Principal, Role

BACK = {"success_url": "https://shop.example.org/done", "cancel_url": "https://shop.example.org/cart"}
PACK = {
    "price": "pack-100",
    "product": "Credits",
    "pack": "100",
    "credits": 100,
    "currency": "eur",
    "amount": 1000,
}


@pytest.fixture
async def shop(serve, heller_database):
    with stripe_twin.running() as twin:
        twin.hold()
        endpoint = twin.add_endpoint("http://127.0.0.1:1/v1/webhooks/stripe", api_version=API_VERSION)
        settings = StripeSettings(
            secret_key="sk_test_twin",  # noqa: S106  # the twin takes any
            webhook_secrets=(endpoint["secret"],), mode="test", api_base=twin.url, requests_per_second=1000,
        )  # fmt: skip
        async with serve(heller_database, stripe=settings) as web:
            web.twin, web.endpoint = twin, endpoint["id"]
            await web.open("ann", user="ann")
            await web.open("ben", user="ben")
            assert (await web.api.post("/v1/prices", json=PACK)).status_code == 201
            yield web


def customer(web, user: str):
    header = f"Bearer token-of-{user}".encode()
    who = Principal(
        subject=user, role=Role.customer, scopes=ROLE_SCOPES[Role.customer], user=user, via="bearer"
    )
    web.wiring.auth._known[_digest(header)] = Known(who, None, time.monotonic() + 600)
    return web.client(f"token-of-{user}")


async def deliver(web, event_id: str):
    signed = web.twin.delivery(event_id, web.endpoint)
    return await web.client().post("/v1/webhooks/stripe", content=signed.body, headers=signed.headers)


async def test_a_customer_buys_and_has_the_credits(shop) -> None:
    ann, ben = customer(shop, "ann"), customer(shop, "ben")
    assert [p["price"] for p in (await ann.get("/v1/prices")).json()["items"]] == ["pack-100"]
    basket = {"items": [{"price": "pack-100", "quantity": 2}], **BACK}
    order = await ann.post("/v1/accounts/ann/checkout", json=basket, headers={"idempotency-key": "basket-1"})
    again = await ann.post("/v1/accounts/ann/checkout", json=basket, headers={"idempotency-key": "basket-1"})
    assert (order.status_code, order.json()["credits"], order.json()["amount"]) == (201, 200, 2000)
    assert (again.json()["order_id"], again.headers["idempotent-replayed"]) == (
        order.json()["order_id"],
        "true",
    )
    assert order.json()["session_url"].startswith(shop.twin.url)
    place = f"/v1/orders/{order.json()['order_id']}"
    assert (await ann.get(place)).json()["state"] == "open"
    assert (await ben.get(place)).status_code == 404, "another's order is not there"
    assert (await ben.post("/v1/accounts/ann/checkout", json=basket)).status_code == 404
    session = order.json()["checkout_session"]
    shop.twin.pay(session)
    assert (await ben.post(f"/v1/checkout/{session}/confirm")).status_code == 404
    confirmed = await ann.post(f"/v1/checkout/{session}/confirm")
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "paid")
    assert (await ann.get("/v1/accounts/ann")).json()["available"] == 200
    assert [o["order_id"] for o in (await ann.get("/v1/accounts/ann/orders")).json()["items"]] == [
        order.json()["order_id"]
    ]
    assert [
        p["credits"] for p in (await shop.api.get("/v1/payments", params={"account": "ann"})).json()["items"]
    ] == [200]
    noted = (await shop.api.get("/v1/audit-log", params={"action": "order"})).json()["items"]
    assert [(entry["actor"], entry["target"]) for entry in noted] == [("user:ann", order.json()["order_id"])]
    unknown = await ann.post("/v1/accounts/ann/checkout", json=basket | {"items": [{"price": "nothing"}]})
    assert unknown.status_code == 422


async def test_deliveries_are_taken_listed_and_mended(shop) -> None:
    order = (
        await shop.api.post("/v1/accounts/ann/checkout", json={"items": [{"price": "pack-100"}], **BACK})
    ).json()
    shop.twin.pay(order["checkout_session"])
    forged = await shop.client().post(
        "/v1/webhooks/stripe", content=b"{}", headers={"stripe-signature": "t=1,v1=x"}
    )
    assert forged.status_code == 400
    assert (await shop.client().get("/v1/webhooks/stripe")).status_code == 405
    (event,) = shop.twin.events("checkout.session.completed")
    assert (await deliver(shop, event["id"])).status_code == 200
    assert (await deliver(shop, event["id"])).status_code == 200
    await inbox.drain(shop.wiring.database, shop.wiring.stripe)
    assert (await shop.api.get("/v1/accounts/ann")).json()["posted"] == 100
    (seen,) = (await shop.api.get("/v1/deliveries", params={"status": "done"})).json()["items"]
    assert (seen["event_id"], seen["deliveries"]) == (event["id"], 2)
    place = f"/v1/deliveries/{seen['inbox_id']}"
    assert event["id"] in (await shop.api.get(place)).json()["body"]
    assert (await shop.api.post(f"{place}/retry")).json() == {"retried": 1}
    await inbox.drain(shop.wiring.database, shop.wiring.stripe)
    assert (await shop.api.get("/v1/accounts/ann")).json()["posted"] == 100, "a retry gives nothing twice"
    assert (await shop.api.post("/v1/deliveries/99/retry")).status_code == 404
    assert (await shop.api.get("/v1/discrepancies")).json()["items"] == []
    support = shop.client(await shop.key(role=Role.support))
    assert (await support.get(place)).status_code == 200
    assert (await support.post(f"{place}/retry")).status_code == 403
    assert (await support.post("/v1/prices", json=PACK)).status_code == 403


async def test_a_payment_of_nobody_is_parked_and_assigned(shop) -> None:
    intent = shop.twin.dashboard_charge(700, "eur")
    for event in shop.twin.events("payment_intent.succeeded"):
        await deliver(shop, event["id"])
    await inbox.drain(shop.wiring.database, shop.wiring.stripe)
    (parked,) = (await shop.api.get("/v1/deliveries", params={"status": "parked"})).json()["items"]
    assert parked["reason"] == "no_order"
    body = {"account": "ben", "credits": 70, "reason": "paid by a payment link"}
    assert (await shop.api.post(f"/v1/payments/{intent['id']}/assign", json=body)).status_code == 200
    await inbox.drain(shop.wiring.database, shop.wiring.stripe)
    assert (await shop.api.get("/v1/accounts/ben")).json()["posted"] == 70
    (entry,) = (await shop.api.get("/v1/audit-log", params={"action": "payment.assign"})).json()["items"]
    assert (entry["target"], entry["detail"]["reason"]) == (intent["id"], "paid by a payment link")


async def test_without_stripe_the_answer_says_so(web) -> None:
    await web.open("ann", user="ann")
    for path in ("/v1/accounts/ann/checkout", "/v1/checkout/cs_1/confirm", "/v1/webhooks/stripe"):
        body = {"items": [{"price": "x"}], **BACK} if "accounts" in path else None
        answer = await web.api.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (501, "not_set_up"), path
