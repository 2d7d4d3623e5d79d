"""Stripe's customer of a user: made once, kept among the user's identities."""

from hashlib import sha256

from heller.database import Database, call, call_many
from heller.stripe.api import StripeApi

KIND = "stripe_customer"


async def customer_of(database: Database, api: StripeApi, user: str, *, account: str = "") -> str:
    """The Stripe customer of a user, made now if there is none.

    Raises:
        stripe.StripeError: Stripe cannot be reached or refuses.
        IdentityTaken: the customer belongs to another user.
    """
    kind = f"{KIND}_{account.lower()}"[:40] if account else KIND
    async with database.connection() as connection:
        identities = await call_many(connection, "identities_of", user_id=user)
    known = [identity["name"] for identity in identities if identity["kind"] == kind]
    if known:
        return str(known[-1])
    emails = [identity["name"] for identity in identities if identity["kind"] == "email"]
    params = {"metadata": {"heller_user": user}} | ({"email": emails[0]} if emails else {})
    digest = sha256(repr((user, emails[:1])).encode()).hexdigest()[
        :24
    ]  # other words, other request, other key
    customer = await api.create(
        "customers", params, key=f"customer:{api.settings.mode}:{digest}", account=account
    )
    async with database.connection() as connection:
        await call(connection, "add_identity", user_id=user, kind=kind, name=customer["id"])
    return str(customer["id"])
