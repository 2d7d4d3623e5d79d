"""The legacy webhook: signature, dedupe row, payment, history, balance in one transaction; its old defects behind switches."""

import logging
from dataclasses import dataclass
from typing import Any

import stripe
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from legacy_sample.app.accounts import add, book
from legacy_sample.app.buying import PROVIDER
from legacy_sample.app.faults import Fault
from legacy_sample.app.storage import CREDITED_ELSEWHERE, MOVED, Storage, state_of

PAID = ("checkout.session.completed", "checkout.session.async_payment_succeeded", "payment_intent.succeeded")
BACK = ("charge.refunded", "refund.created", "charge.refund.updated")
CUMULATIVE = "charge.refunded"
SETTLED = ("CREDITED", "REFUNDED", "CHARGEBACK")
PURCHASE, REFUND = "PURCHASE", "REFUND"

Json = dict[str, Any]
log = logging.getLogger("legacy_sample.app")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender hears."""

    status: int
    outcome: str


class UnknownBuyerError(Exception):
    """Nobody can be credited."""


class Webhook:
    """The endpoint's work, for one storage and one signing secret."""

    def __init__(self, storage: Storage, secret: str, faults: frozenset[Fault]) -> None:
        self._storage, self._secret, self._faults = storage, secret, faults

    async def take(self, body: bytes, signature: str) -> Answer:
        """One delivery. Anything but 200 is sent again by Stripe."""
        try:
            event = stripe.Webhook.construct_event(body, signature, self._secret)
        except (ValueError, stripe.SignatureVerificationError) as error:
            return Answer(400, f"not believed: {error}")
        try:
            return Answer(200, await self._handle(event.to_dict()))
        except (SQLAlchemyError, UnknownBuyerError) as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Answer:
        state = state_of(error)
        if state == CREDITED_ELSEWHERE:
            return Answer(200, "credited by the new system already")
        if state == MOVED:
            return Answer(409, "moved: the credits of this user are in the new system")
        log.warning("webhook failed: %s", error)
        return Answer(200 if Fault.ERRORS_ARE_200 in self._faults else 500, "failed")

    async def _handle(self, event: Json) -> str:
        if event["type"] not in (*PAID, *BACK):
            return "not for us"
        found = event["data"]["object"]
        if event["type"] == CUMULATIVE or event["type"] in PAID or Fault.FULL_REFUND in self._faults:
            async with self._storage.sessions.begin() as session:
                return await self._effect(session, event, found)
        return "the charge says it"

    async def _effect(self, session: AsyncSession, event: Json, found: Json) -> str:
        if not await self._is_new(session, event["id"]):
            return "seen before"
        await self._remember_customer(session, found)
        is_session = found["object"] == "checkout.session"
        if event["type"] in PAID and is_session and found["payment_status"] != "paid":
            return "not paid yet"
        currency = str(found.get("currency") or "").upper()
        if Fault.EURO_ONLY in self._faults and currency != "EUR":
            return "ignored"
        intent = found["id"] if found["object"] == "payment_intent" else found.get("payment_intent")
        payment = await self._payment(session, found, intent)
        if (
            payment is None
            and "user_id" not in (found.get("metadata") or {})
            and Fault.NAME_MATCH not in self._faults
        ):
            return "not ours"
        user = await self._user(session, payment, found)
        if event["type"] in PAID:
            return await self._credit(session, payment, user, event=event, intent=intent)
        return await self._take_back(session, payment, user, charge=found)

    async def _is_new(self, session: AsyncSession, event: str) -> bool:
        events = self._storage.events
        row = {"provider": PROVIDER, "provider_event_id": event}
        done = await session.execute(
            insert(events).values(row).on_conflict_do_nothing().returning(events.c.id)
        )
        return done.first() is not None

    async def _remember_customer(self, session: AsyncSession, found: Json) -> None:
        """Keep the Stripe customer of a user, once."""
        user, customer = (found.get("metadata") or {}).get("user_id"), found.get("customer")
        if Fault.ROLLBACK_CASCADE in self._faults:  # as if the transaction were this helper's own
            await session.rollback()
            await session.commit()
        if user is None or customer is None:
            return
        row = {"user_id": user, "stripe_customer_id": customer}
        await session.execute(insert(self._storage.customers).values(row).on_conflict_do_nothing())

    async def _payment(self, session: AsyncSession, found: Json, intent: str | None) -> Any:
        """The row that the purchase was begun with, locked."""
        payments, metadata = self._storage.payments, found.get("metadata") or {}
        by_session = found["id"] if found["object"] == "checkout.session" else None
        if Fault.NULL_MATCH in self._faults:  # "or the intent we know", which for an open payment is NULL
            known = (
                await session.execute(
                    select(payments.c.provider_payment_intent_id).where(
                        payments.c.provider_checkout_session_id == by_session
                    )
                )
            ).scalar()
            sieve = or_(
                payments.c.provider_payment_intent_id == known,
                payments.c.provider_checkout_session_id == by_session,
            )
        else:
            names = [payments.c.provider_payment_intent_id == intent] if intent else []
            names += [payments.c.provider_checkout_session_id == by_session] if by_session else []
            number = str(metadata.get("payment_id", ""))
            names += [payments.c.id == int(number)] if number.isdecimal() else []
            sieve = or_(*names)
        query = select(payments).where(sieve).order_by(payments.c.id).limit(1).with_for_update()
        return (await session.execute(query)).first()

    async def _user(self, session: AsyncSession, payment: Any, found: Json) -> int:
        users = self._storage.users
        name = payment.user_id if payment is not None else (found.get("metadata") or {}).get("user_id")
        if Fault.TEXT_ID in self._faults:
            await session.execute(
                text("select id from users where id = cast(:user_id as text)"), {"user_id": str(name)}
            )
        if name is not None and str(name).isdecimal():
            row = await session.execute(select(users.c.id).where(users.c.id == int(name)).with_for_update())
            if (user := row.scalar()) is not None:
                return int(user)
        buyer = (found.get("customer_details") or {}).get("name")
        if Fault.NAME_MATCH in self._faults and buyer:
            like = users.c.name.ilike(f"%{str(buyer).split()[0]}%")
            row = await session.execute(select(users.c.id).where(like).order_by(users.c.id).limit(1))
            if (user := row.scalar()) is not None:
                return int(user)
        raise UnknownBuyerError(f"no user {name}")

    async def _credit(
        self, session: AsyncSession, payment: Any, user: int, *, event: Json, intent: str | None
    ) -> str:
        payments = self._storage.payments
        if payment is None:
            raise UnknownBuyerError("no payment was begun")
        if payment.status in SETTLED and Fault.LATE_SUCCEEDED not in self._faults:
            return "credited before"
        await session.execute(
            update(payments)
            .where(payments.c.id == payment.id)
            .values(
                status="CREDITED",
                provider_payment_intent_id=intent or payment.provider_payment_intent_id,
                updated_at=func.now(),
            )
        )
        meta = {"event": event["id"], "intent": intent, "session": payment.provider_checkout_session_id}
        await book(
            session,
            self._storage,
            user,
            payment.expected_credits,
            reason=PURCHASE,
            payment=payment.id,
            meta=meta,
        )
        await add(session, self._storage, user, payment.expected_credits)
        return "credited"

    async def _take_back(self, session: AsyncSession, payment: Any, user: int, *, charge: Json) -> str:
        if payment is None:
            raise UnknownBuyerError("no payment was begun")
        if payment.status not in SETTLED:  # Stripe sends it again, after what it takes back
            raise UnknownBuyerError("the payment is not credited yet")
        rows, payments = self._storage.transactions, self._storage.payments
        taken = await session.execute(
            select(func.coalesce(func.sum(rows.c.delta_credits), 0)).where(
                rows.c.payment_id == payment.id, rows.c.reason == REFUND
            )
        )
        if Fault.FULL_REFUND in self._faults:
            delta = -payment.expected_credits
        else:
            due = payment.expected_credits * charge["amount_refunded"] // charge["amount"]
            delta = -due - int(taken.scalar_one())
        if delta == 0:
            return "taken before"
        if charge["object"] != "charge" or charge["amount_refunded"] >= charge["amount"]:
            await session.execute(
                update(payments)
                .where(payments.c.id == payment.id)
                .values(status="REFUNDED", updated_at=func.now())
            )
        await book(session, self._storage, user, delta, reason=REFUND, payment=payment.id)
        await add(session, self._storage, user, delta)
        return "taken back"


def is_moved(error: DBAPIError) -> bool:
    """Whether the fence refused: the user's credits are in the new system."""
    return state_of(error) == MOVED
