"""Stripe's customer of a user: made once, kept among the user's identities."""

from hashlib import sha256

import stripe

from heller.database import Database, call, call_many
from heller.stripe.api import Json, StripeApi

KIND = "stripe_customer"
ATTEMPTS_MAX = 5


async def customer_of(
    database: Database, api: StripeApi, user: str, *, account: str = "", instead_of: str | None = None
) -> str:
    """The Stripe customer of a user, made now if there is none.

    Args:
        account: the connected account.
        instead_of: one that Stripe has not (any more): it was deleted, or is of the other mode.

    Raises:
        stripe.StripeError: Stripe cannot be reached or refuses.
        IdentityTaken: the customer belongs to another user.
    """
    kind = f"{KIND}_{account.lower()}"[:40] if account else KIND
    async with database.connection() as connection:
        identities = await call_many(connection, "identities_of", user_id=user)
    known = [str(identity["name"]) for identity in identities if identity["kind"] == kind]
    if len(known) == 1 and instead_of is None:
        return known[0]
    for name in known:
        if name != instead_of and await is_there(api, name, account=account):
            return name
    emails = [identity["name"] for identity in identities if identity["kind"] == "email"]
    params: Json = {"metadata": {"heller_user": user}} | ({"email": emails[0]} if emails else {})
    named = (
        (user, emails[:1], known) if known else (user, emails[:1])
    )  # other words, other request, other key
    digest = sha256(repr(named).encode()).hexdigest()[:24]
    customer = await _create(api, params, f"customer:{api.settings.mode}:{digest}", account)
    async with database.connection() as connection:
        await call(connection, "add_identity", user_id=user, kind=kind, name=customer["id"])
    return str(customer["id"])


async def is_there(api: StripeApi, customer: str, *, account: str = "") -> bool:
    """Whether Stripe has a customer and did not delete it."""
    try:
        return not (await api.retrieve("customers", customer, account=account)).get("deleted")
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:  # noqa: PLR2004  # not found
            return False
        raise


async def _create(api: StripeApi, params: Json, key: str, account: str) -> Json:
    """Make the customer, with a new key after a server error: Stripe keeps a 500 for its key for ever.

    A second customer, should the first have been made all the same, does no harm.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        name = key if attempt == 1 else f"{key}:{attempt}"
        try:
            return await api.create("customers", params, key=name, account=account)
        except stripe.APIError as error:
            if attempt == ATTEMPTS_MAX or (error.http_status or 0) < 500:  # noqa: PLR2004  # server error
                raise
    raise AssertionError  # the loop returns or raises
