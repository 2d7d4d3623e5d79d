"""What a user does: look at the balance, spend, undo a spend. Balance and history change in one transaction, by hand."""

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import desc, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from legacy_sample.app.faults import Fault
from legacy_sample.app.storage import Storage

PRICES = {"analysis": 10, "match": 5, "improvement": 15}
HISTORY_ROWS = 20

log = logging.getLogger("legacy_sample.app")


class TooFewError(Exception):
    """There are not enough credits."""

    def __init__(self, required: int, available: int) -> None:
        super().__init__(f"{required} credits are needed, {available} are there")
        self.required, self.available = required, available


class UnknownError(Exception):
    """There is no such user, spend or feature."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A row of the history and the balance after it."""

    transaction: int
    delta: int
    balance: int


async def find_user(session: AsyncSession, storage: Storage, email: str) -> Any:
    """The user row of an e-mail, or None."""
    users = storage.users
    return (await session.execute(select(users).where(users.c.email == email))).first()


async def balance_of(storage: Storage, user: int, faults: frozenset[Fault]) -> int:
    """The user's credits.

    Raises:
        UnknownError: there is no such user.
    """
    users = storage.users
    try:
        async with storage.sessions() as session:
            found = (
                await session.execute(select(users.c.credits_balance).where(users.c.id == user))
            ).scalar()
    except DBAPIError:
        if Fault.ZERO_ON_ERROR in faults:
            log.exception("balance")
            return 0
        raise
    if found is None:
        raise UnknownError(f"no user {user}")
    return int(found)


async def history_of(session: AsyncSession, storage: Storage, user: int) -> list[Any]:
    """The newest rows of the history."""
    rows = storage.transactions
    query = select(rows).where(rows.c.user_id == str(user)).order_by(desc(rows.c.id)).limit(HISTORY_ROWS)
    return list(await session.execute(query))


async def spend(storage: Storage, user: int, feature: str, *, ref: str | None = None) -> Booked:
    """Take the price of a feature.

    Raises:
        UnknownError: there is no such feature.
        TooFewError: the balance is smaller.
        DBAPIError: the fence's MG001 among others.
    """
    price = PRICES.get(feature)
    if price is None:
        raise UnknownError(f"no feature {feature}; there are {', '.join(PRICES)}")
    users = storage.users
    async with storage.sessions.begin() as session:
        change = (
            update(users)
            .where(users.c.id == user, users.c.credits_balance >= price)
            .values(credits_balance=users.c.credits_balance - price)
            .returning(users.c.credits_balance)
        )
        left = (await session.execute(change)).scalar()
        if left is None:
            has = (await session.execute(select(users.c.credits_balance).where(users.c.id == user))).scalar()
            raise TooFewError(price, has or 0)
        number = await book(
            session, storage, user, -price, reason=feature, meta={"ref": ref} if ref else None
        )
    return Booked(number, -price, left)


async def undo(storage: Storage, user: int, transaction: int) -> Booked:
    """Give back what a spend took, once.

    Raises:
        UnknownError: the user has no such spend.
        DBAPIError: the fence's MG001 among others.
    """
    rows, users = storage.transactions, storage.users
    async with storage.sessions.begin() as session:
        await session.execute(select(users.c.id).where(users.c.id == user).with_for_update())
        mine = (
            await session.execute(select(rows).where(rows.c.id == transaction, rows.c.user_id == str(user)))
        ).first()
        if mine is None or mine.delta_credits >= 0:
            raise UnknownError(f"no spend {transaction}")
        reason = f"refund of {transaction}"
        again = (
            await session.execute(select(rows).where(rows.c.user_id == str(user), rows.c.reason == reason))
        ).first()
        back = -mine.delta_credits
        if again is not None:
            return Booked(again.id, back, await add(session, storage, user, 0))
        number = await book(session, storage, user, back, reason=reason)
        return Booked(number, back, await add(session, storage, user, back))


async def add(session: AsyncSession, storage: Storage, user: int, delta: int) -> int:
    """Change the balance; the new one. With 0 it only looks."""
    users = storage.users
    if delta == 0:
        found = await session.execute(select(users.c.credits_balance).where(users.c.id == user))
    else:
        found = await session.execute(
            update(users)
            .where(users.c.id == user)
            .values(credits_balance=users.c.credits_balance + delta)
            .returning(users.c.credits_balance)
        )
    return int(found.scalar_one())


async def book(
    session: AsyncSession,
    storage: Storage,
    user: int,
    delta: int,
    *,
    reason: str,
    payment: int | None = None,
    meta: dict[str, Any] | None = None,
) -> int:
    """Write a row of the history; its id."""
    rows = storage.transactions
    values = {
        "user_id": str(user),
        "delta_credits": delta,
        "reason": reason,
        "payment_id": payment,
        "meta": meta,
    }
    return int((await session.execute(insert(rows).values(values).returning(rows.c.id))).scalar_one())
