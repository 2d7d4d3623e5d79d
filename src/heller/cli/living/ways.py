"""How a customer reaches heller: through the facade that serves both homes with the same verbs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import stripe

from heller import route
from heller.cli.living.twin import KEY
from heller.database import Database
from heller.errors import HellerError, InsufficientCredits
from heller.migration.handover.facade import Credits
from heller.migration.handover.observing import observed
from heller.stripe import Item, StripeApi, StripeSettings, add_price, buy, prices
from legacy_sample.traffic import (
    FEATURES,
    PACK_CENTS,
    PACK_CREDITS,
    AppWay,
    Customer,
    FailedError,
    TooFewError,
)

PRICE = "pack-100"
BACK_TO = "http://127.0.0.1/back"


class FacadeWay:
    """One set of verbs for customers of both homes; a purchase begins where the customer is at home now."""

    name = "heller's facade"

    def __init__(self, credits: Credits, database: Database, api: StripeApi, legacy: AppWay) -> None:
        self._credits, self._database, self._api, self._legacy = credits, database, api, legacy

    async def sign_in(self, customer: Customer) -> None:
        """Look at the balance."""
        async with _as_customers_see_it():
            await self._credits.balance(customer.user)

    async def spend(self, customer: Customer, feature: str, ref: str) -> str:
        """Take the price of a feature; the key is what ``undo`` wants."""
        async with _as_customers_see_it():
            await self._credits.spend(customer.user, FEATURES[feature], key=ref, reason=feature)
        return ref

    async def undo(self, customer: Customer, spend: str) -> None:
        """Give a spend back by its key, wherever it was made."""
        async with _as_customers_see_it():
            await self._credits.refund(customer.user, spend, key=f"undo {spend}")

    async def buy(self, customer: Customer) -> str:
        """Begin to buy in the home that ``heller.route`` names."""
        async with _as_customers_see_it():
            async with self._database.connection() as connection:
                home = await route(customer.user, database=connection)
            if home != "heller":
                return await self._legacy.buy(customer)
            async with observed(self._database, account=customer.user, what="purchase"):
                order = await buy(
                    self._database,
                    self._api,
                    customer.user,
                    [Item(PRICE)],
                    success_url=BACK_TO,
                    cancel_url=BACK_TO,
                )
        return str(order.checkout_session)


@asynccontextmanager
async def _as_customers_see_it() -> AsyncIterator[None]:
    """Errors of heller in the words of a customer."""
    try:
        yield
    except InsufficientCredits as error:
        raise TooFewError(str(error)) from error
    except (HellerError, psycopg.Error, stripe.StripeError) as error:
        raise FailedError(str(error)) from error


def stripe_settings(api_base: str, webhook_secret: str) -> StripeSettings:
    """Settings for a stand-in of Stripe on this machine."""
    return StripeSettings(
        secret_key=KEY,
        webhook_secrets=(webhook_secret,),
        mode="test",
        api_base=api_base,
        requests_per_second=1_000,
        receipts=False,
    )


async def ensure_price(database: Database) -> None:
    """Sell in heller what the legacy application sells."""
    if PRICE not in {price.price for price in await prices(database)}:
        await add_price(
            database, PRICE, product="Credits", pack=f"{PACK_CREDITS} credits", credits=PACK_CREDITS, currency="eur",
            amount=PACK_CENTS,
        )  # fmt: skip
