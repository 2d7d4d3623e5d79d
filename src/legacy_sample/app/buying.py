"""Buying a pack: a row in ``payments``, then a Checkout session at Stripe. The webhook does the rest."""

from dataclasses import dataclass
from typing import Any

import stripe
from sqlalchemy import insert, update

from legacy_sample.app.accounts import UnknownError
from legacy_sample.app.storage import Storage

PROVIDER = "stripe"


@dataclass(frozen=True, slots=True)
class Pack:
    """What is sold: so many credits for so much."""

    credits: int
    cents: int
    currency: str = "eur"


PACKS = {
    "small": Pack(100, 500),
    "medium": Pack(500, 2_000),
    "large": Pack(1_200, 3_500),
    "dollars": Pack(100, 550, "usd"),
}


@dataclass(frozen=True, slots=True)
class Started:
    """A purchase that waits for the buyer."""

    payment: int
    session: str
    url: str | None
    credits: int


async def start(
    storage: Storage, client: stripe.StripeClient, user: int, pack_name: str, *, base: str
) -> Started:
    """Begin a purchase. A user who has moved is refused by the fence before Stripe is asked.

    Raises:
        UnknownError: there is no such pack.
        DBAPIError: the fence's MG001 among others.
        stripe.StripeError: no session could be made.
    """
    pack = PACKS.get(pack_name)
    if pack is None:
        raise UnknownError(f"no pack {pack_name}; there are {', '.join(PACKS)}")
    payments = storage.payments
    values: dict[str, Any] = {
        "user_id": str(user), "provider": PROVIDER, "amount_total_cents": pack.cents, "currency": pack.currency.upper(),
        "expected_credits": pack.credits, "status": "INIT",
    }  # fmt: skip
    async with storage.sessions.begin() as session:
        row = await session.execute(insert(payments).values(values).returning(payments.c.id))
        number = int(row.scalar_one())
    words = {"user_id": str(user), "payment_id": str(number), "credits": str(pack.credits)}
    made = await client.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "metadata": words,
            "payment_intent_data": {"metadata": words},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": pack.currency,
                        "unit_amount": pack.cents,
                        "product_data": {"name": f"{pack.credits} credits"},
                    },
                }
            ],
            "success_url": f"{base}/balance",
            "cancel_url": f"{base}/balance",
        }
    )
    async with storage.sessions.begin() as session:
        await session.execute(
            update(payments).where(payments.c.id == number).values(provider_checkout_session_id=made.id)
        )
    return Started(number, made.id, made.url, pack.credits)
