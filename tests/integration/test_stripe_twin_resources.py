"""The twin through the official SDK: catalogue, customers, sessions, lists, expansion, accounts, shapes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

import stripe_twin
from stripe_twin import Twin
from stripe_twin.shapes import all_shapes

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stripe" / "fixtures3.json"


@pytest.fixture
def twin() -> Iterator[Twin]:
    with stripe_twin.running() as running:
        yield running


def client_of(twin: Twin, key: str = "sk_test_1", **options: Any) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses=twin.base_addresses, max_network_retries=0, **options)


@pytest.fixture
def client(twin: Twin) -> stripe.StripeClient:
    return client_of(twin)


def a_price(
    client: stripe.StripeClient, amount: int = 500, currency: str = "eur", **more: Any
) -> stripe.Price:
    params = {"currency": currency, "unit_amount": amount, "product_data": {"name": "100 credits"}, **more}
    return client.v1.prices.create(params=params)


def a_session(client: stripe.StripeClient, price: stripe.Price, **more: Any) -> stripe.checkout.Session:
    params = {
        "mode": "payment",
        "line_items": [{"price": price.id, "quantity": 1}],
        "success_url": "http://127.0.0.1/done?s={CHECKOUT_SESSION_ID}",
    }
    return client.v1.checkout.sessions.create(params=params | more)


def test_shapes_are_stripes_fixtures_with_no_key_added_or_lost() -> None:
    originals = json.loads(FIXTURES.read_text())["resources"]
    assert {kind: set(shape) for kind, shape in all_shapes().items()} == {
        kind: set(shape) for kind, shape in originals.items()
    }


def test_sdk_parses_an_answer_into_its_own_classes(client: stripe.StripeClient) -> None:
    session = a_session(client, a_price(client))
    assert isinstance(session, stripe.checkout.Session)
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert session.id.startswith("cs_test_")
    assert session.url is not None


async def test_async_client_works_as_the_sync_one(twin: Twin) -> None:
    http = stripe.HTTPXClient()
    client = client_of(twin, http_client=http)
    customer = await client.v1.customers.create_async(params={"email": "a@example.com"})
    found = await client.v1.customers.retrieve_async(customer.id)
    assert found.email == "a@example.com"
    assert [c.id async for c in (await client.v1.customers.list_async()).auto_paging_iter()] == [customer.id]
    await http.close_async()


def test_price_keeps_its_amount_and_changes_what_may_change(client: stripe.StripeClient) -> None:
    price = a_price(client, lookup_key="pack-100", metadata={"credits": "100"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.prices.update(price.id, params={"unit_amount": 1})
    assert (refused.value.http_status, refused.value.code) == (400, "parameter_unknown")
    changed = client.v1.prices.update(
        price.id, params={"active": False, "metadata": {"credits": "", "pack": "s"}}
    )
    assert (changed.active, changed.unit_amount, dict(changed.metadata.to_dict())) == (
        False,
        500,
        {"pack": "s"},
    )
    assert client.v1.prices.list(params={"active": True}).data == []
    assert [p.id for p in client.v1.prices.list(params={"lookup_keys": ["pack-100"]}).data] == [price.id]


def test_lookup_key_is_taken_over_only_when_asked(client: stripe.StripeClient) -> None:
    first = a_price(client, lookup_key="pack")
    with pytest.raises(stripe.InvalidRequestError, match="lookup key"):
        a_price(client, lookup_key="pack")
    second = a_price(client, lookup_key="pack", transfer_lookup_key=True)
    assert client.v1.prices.retrieve(first.id).lookup_key is None
    assert second.lookup_key == "pack"


def test_product_with_prices_is_not_deleted_without_is(client: stripe.StripeClient) -> None:
    price = a_price(client)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
        client.v1.products.delete(str(price.product))
    lonely = client.v1.products.create(params={"name": "Alone"})
    assert client.v1.products.delete(lonely.id).deleted
    with pytest.raises(stripe.InvalidRequestError) as gone:
        client.v1.products.retrieve(lonely.id)
    assert (gone.value.http_status, gone.value.code) == (404, "resource_missing")


def test_customer_is_found_by_email_changed_and_deleted(client: stripe.StripeClient) -> None:
    ann = client.v1.customers.create(params={"email": "ann@example.com", "metadata": {"user": "7"}})
    client.v1.customers.create(params={"email": "bob@example.com"})
    assert [c.id for c in client.v1.customers.list(params={"email": "ann@example.com"}).data] == [ann.id]
    query = 'email:"ann@example.com" AND metadata["user"]:"7"'
    assert [c.id for c in client.v1.customers.search(params={"query": query}).data] == [ann.id]
    assert client.v1.customers.update(ann.id, params={"name": "Ann"}).name == "Ann"
    client.v1.customers.delete(ann.id)
    assert client.v1.customers.retrieve(ann.id).deleted
    assert client.v1.customers.list(params={"email": "ann@example.com"}).data == []


def test_pages_by_cursor_give_everything_once_newest_first(client: stripe.StripeClient) -> None:
    made = [client.v1.customers.create(params={"name": str(n)}).id for n in range(7)]
    page = client.v1.customers.list(params={"limit": 3})
    assert (page.has_more, [c.id for c in page.data]) == (True, made[:-4:-1])
    assert [c.id for c in page.auto_paging_iter()] == made[::-1]
    before = client.v1.customers.list(params={"limit": 2, "ending_before": made[0]})
    assert [c.id for c in before.data] == [made[2], made[1]]
    with pytest.raises(stripe.InvalidRequestError, match="No such object"):
        client.v1.customers.list(params={"starting_after": "cus_none"})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.list(params={"limit": 101})


def test_created_narrows_a_list(twin: Twin, client: stripe.StripeClient) -> None:
    twin.freeze(1_700_000_000)
    old = client.v1.customers.create()
    twin.advance(3600)
    new = client.v1.customers.create()
    since = client.v1.customers.list(params={"created": {"gte": 1_700_000_001}})
    until = client.v1.customers.list(params={"created": {"lt": 1_700_003_600}})
    assert ([c.id for c in since.data], [c.id for c in until.data]) == ([new.id], [old.id])


def test_expand_reaches_through_objects_and_lists(twin: Twin, client: stripe.StripeClient) -> None:
    session = a_session(client, a_price(client))
    twin.pay(session.id)
    expand = ["payment_intent.latest_charge.balance_transaction", "line_items.data.price.product"]
    found = client.v1.checkout.sessions.retrieve(session.id, params={"expand": expand})
    assert found.payment_intent.latest_charge.balance_transaction.net == 500 - 25 - 7
    assert found.line_items.data[0].price.product.name == "100 credits"
    listed = client.v1.payment_intents.list(params={"expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.paid is True
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.checkout.sessions.retrieve(session.id, params={"expand": ["nonsense"]})


def test_session_refuses_what_contradicts_itself(client: stripe.StripeClient) -> None:
    price, yen = a_price(client), a_price(client, 900, "jpy")
    monthly = a_price(client, recurring={"interval": "month"})
    retired = a_price(client, active=False)
    for items, words in (
        ([{"price": price.id, "quantity": 1}, {"price": yen.id, "quantity": 1}], "same currency"),
        ([{"price": monthly.id, "quantity": 1}], "recurring price"),
        ([{"price": retired.id, "quantity": 1}], "inactive"),
        ([{"price": "price_none", "quantity": 1}], "No such price"),
        ([], "line_items"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            a_session(client, price, line_items=items)
    with pytest.raises(stripe.InvalidRequestError, match="expires_at"):
        a_session(client, price, expires_at=1)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        a_session(client, price, customer="cus_none")


def test_session_expires_by_call_and_by_time(twin: Twin, client: stripe.StripeClient) -> None:
    price = a_price(client)
    called, timed = a_session(client, price), a_session(client, price)
    assert client.v1.checkout.sessions.expire(called.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        client.v1.checkout.sessions.expire(called.id)
    twin.advance(24 * 3600 + 1)
    assert client.v1.checkout.sessions.retrieve(timed.id).status == "expired"
    assert len(twin.events("checkout.session.expired")) == 2
    with pytest.raises(stripe_twin.ApiError):
        twin.pay(timed.id)


@pytest.mark.parametrize(
    ("currency", "amount", "behavior", "sums"),
    [
        ("eur", 1000, "exclusive", (2000, 380, 2380)),
        ("eur", 1000, "inclusive", (2000, 319, 2000)),
        ("jpy", 333, "exclusive", (666, 127, 793)),
        ("kwd", 1230, "inclusive", (2460, 393, 2460)),
    ],
)
def test_tax_is_on_top_or_contained_and_exact(
    client: stripe.StripeClient,
    currency: str,
    amount: int,
    behavior: str,
    sums: tuple[int, int, int],
) -> None:
    price = a_price(client, amount, currency, tax_behavior=behavior)
    session = a_session(
        client, price, line_items=[{"price": price.id, "quantity": 2}], automatic_tax={"enabled": True}
    )
    assert session.total_details is not None
    assert (session.amount_subtotal, session.total_details.amount_tax, session.amount_total) == sums


def test_taxed_customer_needs_an_address_or_leave_to_ask_for_it(
    twin: Twin, client: stripe.StripeClient
) -> None:
    customer, price = client.v1.customers.create().id, a_price(client)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        a_session(client, price, customer=customer, automatic_tax={"enabled": True})
    assert refused.value.code == "customer_tax_location_invalid"
    auto = {"automatic_tax": {"enabled": True}, "customer_update": {"address": "auto"}}
    twin.pay(a_session(client, price, customer=customer, **auto).id)
    assert client.v1.customers.retrieve(customer).address.country == "DE"
    assert a_session(client, price, customer=customer, automatic_tax={"enabled": True}).amount_total == 595


def test_settings_of_the_page_are_kept_and_shown(client: stripe.StripeClient) -> None:
    options = {"card": {"request_three_d_secure": "any"}}
    session = a_session(client, a_price(client), payment_method_options=options)
    assert session.payment_method_options.card.request_three_d_secure == "any"


def test_discount_shares_add_up_to_the_coupon(client: stripe.StripeClient) -> None:
    coupon = client.v1.coupons.create(params={"amount_off": 100, "currency": "eur"})
    items = [{"price": a_price(client, amount).id, "quantity": 1} for amount in (333, 333, 334)]
    session = a_session(client, a_price(client), line_items=items, discounts=[{"coupon": coupon.id}])
    lines = client.v1.checkout.sessions.line_items.list(session.id).data
    assert sum(line.amount_discount for line in lines) == 100
    assert session.amount_total == 900


def test_modes_and_accounts_do_not_see_each_other(twin: Twin, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    live = client_of(twin, "sk_live_1")
    assert (customer.livemode, live.v1.customers.create().livemode) == (False, True)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        live.v1.customers.retrieve(customer.id)
    twin.connect_account("acct_shop")
    shop = client_of(twin, stripe_account="acct_shop")
    assert shop.v1.customers.list().data == []
    assert shop.v1.accounts.retrieve_current().id == "acct_shop"
    with pytest.raises(stripe.PermissionError, match="acct_other"):
        client_of(twin, stripe_account="acct_other").v1.customers.list()


@pytest.mark.parametrize("key", ["pk_test_1", "nonsense", "sk_test_revoked"])
def test_bad_keys_are_refused(twin: Twin, key: str) -> None:
    twin.revoke_key("sk_test_revoked")
    with pytest.raises(stripe.AuthenticationError):
        client_of(twin, key).v1.customers.list()


def test_unknown_paths_and_parameters_are_refused_in_stripes_words(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"Unrecognized request URL \(GET: /v1/payouts\)"):
        client.v1.payouts.list()
    with pytest.raises(stripe.InvalidRequestError) as nested:
        a_session(client, a_price(client), payment_intent_data={"colour": "red"})
    assert (nested.value.code, nested.value.param) == ("parameter_unknown", "payment_intent_data[colour]")
    with pytest.raises(stripe.InvalidRequestError) as wrong:
        client.v1.payment_intents.create(params={"amount": "x", "currency": "eur"})
    assert (wrong.value.code, wrong.value.param) == ("parameter_invalid_integer", "amount")
    with pytest.raises(stripe.InvalidRequestError) as absent:
        client.v1.payment_intents.create(params={"amount": 1})
    assert (absent.value.code, absent.value.param) == ("parameter_missing", "currency")


def test_metadata_limits_are_stripes(client: stripe.StripeClient) -> None:
    for metadata in ({str(n): "x" for n in range(51)}, {"k" * 41: "x"}, {"k": "x" * 501}):
        with pytest.raises(stripe.InvalidRequestError, match="Metadata"):
            client.v1.customers.create(params={"metadata": metadata})


def test_object_that_was_deleted_is_missing(twin: Twin, client: stripe.StripeClient) -> None:
    intent = twin.dashboard_charge(500, "eur")
    twin.delete(intent["id"])
    with pytest.raises(stripe.InvalidRequestError) as gone:
        client.v1.payment_intents.retrieve(intent["id"])
    assert gone.value.http_status == 404


def test_state_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "twin.json"
    with stripe_twin.running(state_path=path) as twin:
        twin.hold()
        endpoint = twin.add_endpoint("http://127.0.0.1:9/hook")
        session = a_session(client_of(twin), a_price(client_of(twin)))
        twin.pay(session.id)
        waiting = twin.pending()
        twin.advance(500)
    with stripe_twin.running(state_path=path) as twin:
        found = client_of(twin).v1.checkout.sessions.retrieve(session.id)
        assert (found.payment_status, twin.world.clock.offset_seconds) == ("paid", 500)
        assert twin.secrets(endpoint["id"]) == [endpoint["secret"]]
        twin.drain()
        assert [attempt.event_id for attempt in twin.sent] == waiting
        assert twin.pending() == waiting  # nobody listens there: each waits for its retry
