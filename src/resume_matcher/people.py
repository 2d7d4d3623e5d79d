"""Whose credits: a signed-in person's user and account at heller, made at the first visit."""

from dataclasses import dataclass

import heller
from heller.errors import IdentityTaken


@dataclass(frozen=True, slots=True)
class Person:
    """``user`` is heller's id; ``account`` is where the credits are."""

    user: str
    account: str


async def person_of(credits: heller.Heller, *, user: str | None, subject: str, email: str | None) -> Person:
    """The person behind a sign-in. One who was here before, or came by migration, keeps what they have.

    ``user`` is whom heller knows by that sign-in; None for somebody new, who gets a user and an account.
    """
    if user is not None:
        for account in await credits.accounts_of(user):
            if account.unit == "credit":
                return Person(user, account.account)
    name = user or subject
    account = await credits.open_account(name, user=name)
    if user is None:
        for kind, identity in (("auth0", subject), ("email", email)):
            if identity:
                await _know(credits, name, kind, identity)
    return Person(name, account.account)


async def _know(credits: heller.Heller, user: str, kind: str, identity: str) -> None:
    try:
        await credits.add_identity(user, kind, identity)
    except (
        IdentityTaken
    ):  # two first visits at once, or an address that somebody has: the sign-in finds its user anyway
        return
