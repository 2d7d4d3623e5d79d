"""The adversarial catalogue, 53 to 65: amounts, currencies, refunds, disputes."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from heller.database import call
from heller.errors import InsufficientCredits
from heller.stripe import deliveries
from heller.stripe.catalogue import add_price
from heller.stripe.checkout import find_order


@dataclass(frozen=True)
class Step:
    """What the buyer's bank does, and what of 100 credits stands after it."""

    verb: str
    amount: int | None
    balance: int
    more: dict[str, Any] = field(default_factory=dict)


async def walk(shop: Any, intent: str, steps: list[Step]) -> None:
    made = ""
    for step in steps:
        if step.verb in ("settle_refund", "move_dispute"):
            getattr(shop.twin, step.verb)(made, **step.more)
        else:
            made = getattr(shop.twin, step.verb)(intent, step.amount, **step.more)["id"]
        await shop.deliver()
        await shop.work()
        assert await shop.balance() == step.balance, step
    assert await shop.drift() == []


JOURNEYS = [
    pytest.param(
        [Step("refund", 333, 67), Step("refund", 333, 34), Step("refund", 334, 0)],
        id="61 three partial refunds",
        marks=pytest.mark.catalogue(61),
    ),
    pytest.param(
        [
            Step("refund", 500, 50, {"status": "pending"}),
            Step("settle_refund", None, 100, {"status": "failed"}),
        ],
        id="62 refund fails later",
        marks=pytest.mark.catalogue(62),
    ),
    pytest.param(
        [
            Step("dispute", None, 100, {"status": "warning_needs_response"}),
            Step("move_dispute", None, 100, {"status": "warning_closed"}),
        ],
        id="63 inquiry",
        marks=pytest.mark.catalogue(63),
    ),
    pytest.param(
        [
            Step("dispute", None, 0),
            Step("move_dispute", None, 0, {"status": "under_review"}),
            Step("move_dispute", None, 100, {"status": "won"}),
        ],
        id="63 dispute won",
        marks=pytest.mark.catalogue(63),
    ),
    pytest.param(
        [Step("dispute", None, 0), Step("move_dispute", None, 0, {"status": "lost"})],
        id="63 dispute lost",
        marks=pytest.mark.catalogue(63),
    ),
    pytest.param(
        [Step("refund", 400, 60), Step("dispute", 600, 0), Step("move_dispute", None, 60, {"status": "won"})],
        id="63 refund, then dispute won",
        marks=pytest.mark.catalogue(63),
    ),
    pytest.param(
        [Step("refund", 2500, 0, {"is_lie": True}), Step("refund", 2500, 0, {"is_lie": True})],
        id="65 over-refund",
        marks=pytest.mark.catalogue(65),
    ),
]


@pytest.mark.parametrize("steps", JOURNEYS)
async def test_what_is_taken_back_is_taken_once_and_in_proportion(shop: Any, steps: list[Step]) -> None:
    await walk(shop, await shop.settled(), steps)


@pytest.mark.catalogue(53)
@pytest.mark.parametrize(("is_paid", "balance", "state"), [(True, 100, "settled"), (False, 0, "failed")])
async def test_debit_waits_until_the_bank_answers(shop: Any, is_paid: bool, balance: int, state: str) -> None:
    intent = await shop.settled(outcome="sepa")
    assert (await shop.balance(), (await shop.payment(intent))["state"]) == (0, "processing")
    shop.twin.settle_sepa(intent, is_paid=is_paid)
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), (await shop.payment(intent))["state"]) == (balance, state)
    order = await find_order(shop.database, (await shop.payment(intent))["order_id"])
    assert order is not None
    assert (order.failure is None) is is_paid


@pytest.mark.catalogue(54)
async def test_debit_charged_back_after_its_refund_takes_no_more_than_the_grant(shop: Any) -> None:
    intent = await shop.settled(outcome="sepa")
    shop.twin.settle_sepa(intent)
    await shop.deliver()
    await shop.work()
    await walk(shop, intent, [Step("refund", 1000, 0), Step("dispute", 1000, 0, {"status": "lost"})])
    assert (await shop.payment(intent))["net_credits"] == 0


@pytest.mark.catalogue(55)
async def test_abandoned_challenge_gives_nothing(shop: Any) -> None:
    order = await shop.buy()
    shop.twin.pay(order.checkout_session, "card_3ds")
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 0
    shop.twin.expire(order.checkout_session)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 0
    await shop.reconcile()
    assert (await find_order(shop.database, order.order_id)).state in ("canceled", "expired")


@pytest.mark.catalogue(55)
async def test_expired_session_without_a_payment_closes_the_order(shop: Any) -> None:
    order = await shop.buy()
    shop.twin.expire(order.checkout_session)
    await shop.deliver()
    await shop.work()
    assert (await find_order(shop.database, order.order_id)).state == "expired"


async def coupon(shop: Any, percent: int) -> str:
    made = await shop.api.create("coupons", {"percent_off": percent, "duration": "once"}, key=f"c{percent}")
    params = {"promotion": {"type": "coupon", "coupon": made["id"]}, "code": f"OFF{percent}"}
    return str((await shop.api.create("promotion_codes", params, key=f"p{percent}"))["code"])


@pytest.mark.catalogue(56)
@pytest.mark.parametrize(
    ("is_allowed", "balance", "parked"), [(True, 100, set()), (False, 0, {"zero_amount_not_allowed"})]
)
async def test_nothing_due_is_credited_only_if_the_order_allows_it(
    shop: Any, is_allowed: bool, balance: int, parked: set[str]
) -> None:
    shop.with_settings(allow_promotion_codes=True, allow_zero_amount=is_allowed)
    code = await coupon(shop, 100)
    order = await shop.buy()
    assert shop.twin.pay(order.checkout_session, promotion_code=code)["payment_intent"] is None
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), set(await shop.parked())) == (balance, parked)
    if is_allowed:
        assert (await shop.payment(order.checkout_session))["payment_key"] == order.checkout_session


async def test_promotion_code_is_credited_in_full_and_refunded_in_proportion(shop: Any) -> None:
    shop.with_settings(allow_promotion_codes=True)
    code = await coupon(shop, 40)
    order = await shop.buy()
    intent = shop.twin.pay(order.checkout_session, promotion_code=code)["payment_intent"]
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == 100
    await walk(shop, intent, [Step("refund", 300, 50), Step("refund", 300, 0)])


@dataclass(frozen=True)
class Mismatch:
    number: int
    name: str
    changes: dict[str, Any]
    reason: str


MISMATCHES = [
    Mismatch(57, "another currency", {"currency": "usd"}, "currency_mismatch"),
    Mismatch(58, "one cent less", {"amount_received": 999}, "amount_too_low"),
    Mismatch(58, "partially funded", {"amount_received": 1}, "amount_too_low"),
]


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=pytest.mark.catalogue(c.number), id=f"{c.number} {c.name}") for c in MISMATCHES],
)
async def test_payment_that_is_not_what_was_ordered_is_parked(shop: Any, case: Mismatch) -> None:
    intent = await shop.paid()
    shop.twin.tamper(intent, case.changes)
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), set(await shop.parked())) == (0, {case.reason})
    assert (await shop.payment(intent))["net_credits"] == 0


@pytest.mark.catalogue(59)
async def test_presentment_currency_is_no_mismatch(shop: Any) -> None:
    order = await shop.buy()
    intent = shop.twin.pay(order.checkout_session, presentment=("usd", 1187))["payment_intent"]
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), (await shop.payment(intent))["currency"]) == (100, "eur")


@pytest.mark.catalogue(60)
@pytest.mark.parametrize(
    ("currency", "amount", "behavior", "received"),
    [
        ("eur", 1000, "exclusive", 1190),
        ("eur", 1000, "inclusive", 1000),
        ("jpy", 980, None, 980),
        ("kwd", 12_340, None, 12_340),
    ],
)
async def test_tax_and_minor_units_are_exact(
    shop: Any, currency: str, amount: int, behavior: str | None, received: int
) -> None:
    shop.with_settings(automatic_tax=behavior is not None)
    product = await shop.api.create("products", {"name": "Credits"}, key="product")
    params = {"product": product["id"], "currency": currency, "unit_amount": amount}
    if behavior is not None:
        params["tax_behavior"] = behavior
    price = await shop.api.create("prices", params, key="price")
    words = {"product": "Credits", "pack": "seven", "credits": 7, "currency": currency, "amount": amount}
    await add_price(shop.database, "seven", **words, stripe_price=price["id"])
    intent = await shop.settled(price="seven")
    assert ((await shop.payment(intent))["paid"], await shop.balance()) == (received, 7)
    seventh = -(-received // 7)
    await walk(shop, intent, [Step("refund", seventh, 6), Step("refund", received - seventh, 0)])


@pytest.mark.catalogue(58)
async def test_tax_does_not_hide_a_lower_price(shop: Any) -> None:
    shop.with_settings(automatic_tax=True)
    order = await shop.buy()
    session = shop.twin.pay(order.checkout_session)
    shop.twin.tamper(session["id"], {"amount_subtotal": 900})
    shop.twin.tamper(session["payment_intent"], {"amount_received": 1071})
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), set(await shop.parked())) == (0, {"amount_too_low"})


@pytest.mark.catalogue(64)
async def test_refund_of_spent_credits_is_debt_that_blocks_and_is_paid_first(shop: Any) -> None:
    intent = await shop.settled()
    async with shop.database.connection() as connection:
        await call(connection, "spend", account_id="ann", amount=80)
    shop.twin.refund(intent)
    await shop.deliver()
    await shop.work()
    assert await shop.balance() == -80
    async with shop.database.connection() as connection:
        with pytest.raises(InsufficientCredits):
            await call(connection, "spend", account_id="ann", amount=1)
    await shop.settled()
    assert await shop.balance() == 20


async def test_clamp_lets_go_what_was_spent_and_remembers_it(shop: Any) -> None:
    shop.with_settings(clawback_policy="clamp")
    intent = await shop.settled()
    async with shop.database.connection() as connection:
        await call(connection, "spend", account_id="ann", amount=70)
    dispute = shop.twin.dispute(intent)["id"]
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), (await shop.payment(intent))["forgiven_credits"]) == (0, 70)
    assert await shop.drift() == []
    shop.twin.move_dispute(dispute, "won")
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), (await shop.payment(intent))["forgiven_credits"]) == (30, 0)
    assert await shop.drift() == []


@pytest.mark.catalogue(65)
async def test_the_check_holds_even_if_the_code_is_wrong(shop: Any, sql: Any) -> None:
    intent = await shop.paid()
    sql.execute(
        "create or replace function heller._stripe_target(p_credits bigint, p_paid bigint, p_back bigint) returns bigint"
        " language sql immutable as $$ select p_credits * 2 $$"
    )
    await shop.deliver()
    await shop.work()
    assert (await shop.balance(), set(await shop.parked())) == (0, {"ledger_refused"})
    assert await shop.rows("select net_credits from heller.payments") in ([], [(0,)])
    assert intent in {r[0] for r in await shop.rows("select payment_key from heller.inbox")}


async def short(shop: Any) -> str:
    """A payment that a person must look at: half of what was ordered."""
    intent = await shop.paid()
    shop.twin.tamper(intent, {"amount_received": 500})
    shop.twin.forget_pending()
    await shop.reconcile()
    await shop.work()
    assert set(await shop.parked()) == {"amount_too_low"}
    return str(intent)


async def open_discrepancies(shop: Any) -> list[str]:
    return [row[0] for row in await shop.rows("select kind from heller.discrepancies where state = 'open'")]


async def test_payment_answered_by_hand_and_then_taken_back_is_a_persons_again(shop: Any) -> None:
    intent = await short(shop)
    await deliveries.adjust(shop.database, "ann", 50, payment_key=intent, actor="joe", reason="half paid")
    assert (await shop.balance(), await open_discrepancies(shop)) == (50, [])
    for _ in range(2):
        await shop.converge(intent)
        assert await open_discrepancies(shop) == []
    shop.twin.refund(intent, 400)
    for _ in range(2):
        await shop.converge(intent)
        assert await open_discrepancies(shop) == ["adjusted"]
    assert await shop.balance() == 50


async def test_what_reconcile_wrote_down_is_closed_when_stripe_and_the_ledger_agree(shop: Any) -> None:
    intent = await short(shop)
    assert await open_discrepancies(shop) == ["amount_too_low"]
    shop.twin.tamper(intent, {"amount_received": 1000})
    await shop.converge(intent)
    assert (await shop.balance(), await open_discrepancies(shop), await shop.parked()) == (100, [], [])
