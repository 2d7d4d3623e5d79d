"""The twin's own verbs: what a test or a demo does to it, in process or by ``POST /_twin/{verb}``.

Every verb takes and gives JSON, so that both ways are one.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from stripe_twin import buyer
from stripe_twin.delivery import Courier
from stripe_twin.errors import missing
from stripe_twin.faults import FaultKind, PlannedFault
from stripe_twin.receivers import new_secret
from stripe_twin.resources import disputes, refunds
from stripe_twin.resources.accounts import connect_account
from stripe_twin.resources.customers import make_customer
from stripe_twin.resources.payment_methods import Outcome, attach, make_method
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.versions import CURRENT_VERSION
from stripe_twin.view import shown
from stripe_twin.world import PLATFORM, World

ROLL_WINDOW_SECONDS = 24 * 3600
VERBS: dict[str, Callable[..., Any]] = {}
Verb = TypeVar("Verb", bound=Callable[..., Any])


def verb(function: Verb) -> Verb:
    """Offer a method over HTTP as well."""
    VERBS[function.__name__] = function
    return function


def _laid_over(target: Json, changes: Json) -> None:
    """Lay changes over an object, into its hashes."""
    for name, value in changes.items():
        present = target.get(name)
        if isinstance(value, dict) and isinstance(present, dict):
            _laid_over(present, value)
        else:
            target[name] = value


class Control:
    """Everything one can do to the twin besides calling its API."""

    def __init__(self, world: World, courier: Courier) -> None:
        """Act on this world."""
        self.world = world
        self.courier = courier

    def _found(self, identifier: str, account: str | None = None) -> tuple[Space, Json]:
        space = self.world.store.holding(identifier, account)
        item = space.find(identifier)
        if item is None:
            raise missing("object", identifier)
        self.world.is_changed = True
        return space, item

    def _shown(self, space: Space, item: Json) -> Json:
        return shown(space, item, CURRENT_VERSION)

    # Buyers

    @verb
    def pay(
        self,
        session_id: str,
        outcome: Outcome = "card",
        *,
        email: str | None = None,
        promotion_code: str | None = None,
        quantities: dict[str, int] | list[int] | None = None,
        presentment: tuple[str, int] | None = None,
    ) -> Json:
        """A buyer submits a session; a declined card raises ``ApiError`` 402. Returns the session."""
        with self.world.lock:
            space, session = self._found(session_id)
            lines = [line["id"] for line in session.get("_line_items", [])]
            given = (
                dict(zip(lines, quantities, strict=True))
                if isinstance(quantities, list)
                else quantities or {}
            )
            choices = buyer.Choices(outcome, email, None, promotion_code, given, presentment)
            buyer.submit(self.world, space, session, choices)
            return self._shown(space, session)

    @verb
    def authenticate(self, payment_intent: str, *, is_approved: bool = True) -> Json:
        """The buyer approves or fails the bank's challenge (of a session's or any other intent)."""
        with self.world.lock:
            space, intent = self._intent(payment_intent)
            buyer.authenticate(self.world, space, intent, is_approved=is_approved)
            return self._shown(space, intent)

    @verb
    def settle_sepa(self, payment_intent: str, *, is_paid: bool = True) -> Json:
        """A debit under way is paid or comes back; takes the intent's or the session's id."""
        with self.world.lock:
            space, intent = self._intent(payment_intent)
            buyer.settle(self.world, space, intent, is_paid=is_paid)
            return self._shown(space, intent)

    def _intent(self, identifier: str) -> tuple[Space, Json]:
        space, item = self._found(identifier)
        if item["object"] == "checkout.session":
            return self._found(item.get("_intent") or identifier)
        return space, item

    @verb
    def expire(self, session_id: str) -> Json:
        """Nobody pays: the session ends now, as its time would have it."""
        with self.world.lock:
            space, session = self._found(session_id)
            session["expires_at"] = min(session["expires_at"], self.world.clock.timestamp())
            buyer.tick(self.world)
            return self._shown(space, session)

    @verb
    def pay_again(self, payment_intent: str) -> Json:
        """A second paid intent with the metadata of the first: two payments for one order."""
        with self.world.lock:
            space, intent = self._found(payment_intent)
            return self._shown(space, buyer.pay_again(self.world, space, intent))

    @verb
    def buy_by_link(
        self,
        price_id: str,
        *,
        client_reference_id: str | None = None,
        metadata: dict[str, str] | None = None,
        outcome: Outcome = "card",
    ) -> Json:
        """Somebody pays through a Payment Link, possibly with a reference forged into its URL. Returns the session."""
        with self.world.lock:
            space, price = self._found(price_id)
            choices = buyer.Choices(outcome)
            session = buyer.buy_by_link(
                self.world, space, price, choices, reference=client_reference_id, metadata=metadata or {}
            )
            return self._shown(space, session)

    @verb
    def dashboard_charge(
        self,
        amount: int,
        currency: str,
        *,
        customer: str | None = None,
        livemode: bool = False,
        account: str = PLATFORM,
    ) -> Json:
        """Somebody charges by hand in the Dashboard: a paid intent without any metadata."""
        with self.world.lock:
            space = self.world.store.space(account, livemode)
            values: Json = {"amount": amount, "currency": currency, "customer": customer}
            return self._shown(space, buyer.pay_directly(self.world, space, values))

    @verb
    def save_card(self, customer: str | None = None, *, outcome: Outcome = "card") -> Json:
        """A customer (a new one without an id) with a saved card that behaves as told. Returns the payment method."""
        with self.world.lock:
            if customer is None:
                space = self.world.store.space(PLATFORM, False)
                customer = make_customer(self.world, space, {"email": buyer.BUYER_EMAIL})["id"]
            space, _ = self._found(customer)
            method = make_method(self.world, space, outcome)
            attach(self.world, space, method, customer)
            return self._shown(space, method)

    @verb
    def remember_customer(self, customer: str) -> Json:
        """A customer of the time before the twin, under the id that the seller's tables have; no event."""
        with self.world.lock:
            space = self.world.store.space(PLATFORM, False)
            made = self.world.make(
                space, "customer", {"id": customer, "invoice_prefix": self.world.token(8).upper()}
            )
            return self._shown(space, made)

    @verb
    def renew(self, subscription: str, *, outcome: Outcome | None = None) -> Json | None:
        """The subscription's next period: its invoice; None when the subscription ended instead."""
        with self.world.lock:
            space, item = self._found(subscription)
            invoice = buyer.renew(self.world, space, item, outcome)
            return None if invoice is None else self._shown(space, invoice)

    # Refunds, disputes, warnings

    @verb
    def refund(
        self,
        payment: str,
        amount: int | None = None,
        *,
        status: refunds.RefundStatus | None = None,
        is_lie: bool = False,
    ) -> Json:
        """Give money back (from the Dashboard); ``is_lie`` refunds more than was paid."""
        with self.world.lock:
            space, _ = self._found(payment)
            charge = refunds.charge_of(space, payment)
            refund = refunds.make_refund(
                self.world, space, charge, amount=amount, status=status, is_lie=is_lie
            )
            return self._shown(space, refund)

    @verb
    def settle_refund(self, refund: str, status: refunds.RefundStatus = "succeeded") -> Json:
        """What became of a refund: succeeded, failed or canceled."""
        with self.world.lock:
            space, item = self._found(refund)
            return self._shown(space, refunds.settle_refund(self.world, space, item, status))

    @verb
    def dispute(
        self,
        payment: str,
        amount: int | None = None,
        *,
        status: disputes.DisputeStatus = "needs_response",
        reason: str = "fraudulent",
    ) -> Json:
        """The buyer's bank disputes a payment, or only asks (``warning_needs_response``)."""
        with self.world.lock:
            space, _ = self._found(payment)
            charge = refunds.charge_of(space, payment)
            dispute = disputes.make_dispute(
                self.world, space, charge, amount=amount, status=status, reason=reason
            )
            return self._shown(space, dispute)

    @verb
    def move_dispute(self, dispute: str, status: disputes.DisputeStatus) -> Json:
        """Take a dispute to its next status: under_review, won, lost, warning_closed, ..."""
        with self.world.lock:
            space, item = self._found(dispute)
            return self._shown(space, disputes.move_dispute(self.world, space, item, status))

    @verb
    def warn_of_fraud(self, payment: str) -> Json:
        """The issuer suspects fraud: ``radar.early_fraud_warning.created``."""
        with self.world.lock:
            space, _ = self._found(payment)
            return self._shown(
                space, disputes.warn_of_fraud(self.world, space, refunds.charge_of(space, payment))
            )

    # Objects and events, bent by hand

    @verb
    def tamper(
        self, identifier: str, changes: Json, *, remove: list[str] | None = None, account: str | None = None
    ) -> Json:
        """Lay changes over any object (an event as well) without an event; ``remove`` takes dotted paths away."""
        with self.world.lock:
            space, item = self._found(identifier, account)
            _laid_over(item, changes)
            for path in remove or []:
                *heads, last = path.split(".")
                place = item
                for head in heads:
                    place = place[head]
                place.pop(last, None)
            return self._shown(space, item)

    @verb
    def delete(self, identifier: str) -> None:
        """Forget an object: from now on 404."""
        with self.world.lock:
            space, _ = self._found(identifier)
            space.remove(identifier)

    @verb
    def copy(self, identifier: str, *, account: str) -> Json:
        """The same object, with the same id, under another account too."""
        with self.world.lock:
            space, item = self._found(identifier)
            target = self.world.store.space(account, space.livemode)
            kind = space.kinds[identifier]
            fresh: Json = {"_deliveries": {}} if "_deliveries" in item else {}
            copied = target.put(kind, copy.deepcopy(item) | fresh)
            return self._shown(target, copied)

    @verb
    def emit(
        self, event_type: str, identifier: str, *, changes: Json | None = None, account: str | None = None
    ) -> Json | None:
        """An event of any type about an object as it is now; ``changes`` go into the event's copy only."""
        with self.world.lock:
            space, item = self._found(identifier, account)
            event = self.world.emit(space, event_type, self._shown(space, item) | (changes or {}))
            return None if event is None else self._shown(space, event)

    @verb
    def emit_thin(self, event_type: str, identifier: str | None = None, *, livemode: bool = False) -> Json:
        """A thin event of any type, about an object or (health events) about none."""
        with self.world.lock:
            space, about = self.world.store.space(PLATFORM, livemode), None
            if identifier is not None:
                space, about = self._found(identifier)
            thin = self.world.make_thin(space, event_type, about=about)
            self.courier.queue_event(space, thin)
            return self._shown(space, thin)

    @verb
    def events(self, event_type: str | None = None, *, about: str | None = None) -> list[Json]:
        """Every snapshot event of every account, oldest first, by type and by the object it is about."""
        with self.world.lock:
            return [
                self._shown(space, event)
                for space in self.world.store.spaces.values()
                for event in space.tables.get("event", {}).values()
                if event_type in (None, event["type"]) and about in (None, event["data"]["object"].get("id"))
            ]

    @verb
    def unborn_events(self) -> list[Json]:
        """The events that a fault kept from being made."""
        return list(self.world.unborn)

    # Accounts, keys, endpoints

    @verb
    def connect_account(self, account: str) -> Json:
        """Open an account that the platform may act for."""
        with self.world.lock:
            return connect_account(self.world, account)

    @verb
    def revoke_key(self, key: str) -> None:
        """From now on this API key is answered with 401."""
        self.world.revoked_keys.add(key)

    @verb
    def roll_secret(self, endpoint: str, *, old_valid_seconds: float = ROLL_WINDOW_SECONDS) -> str:
        """A new signing secret; deliveries carry both signatures until the old one's time is over."""
        with self.world.lock:
            _, item = self._found(endpoint)
            until = self.world.clock.now() + old_valid_seconds
            for secret in item["_secrets"]:
                secret["until"] = until if secret["until"] is None else min(secret["until"], until)
            fresh = new_secret(self.world)
            item["_secrets"].append(fresh)
            return str(fresh["secret"])

    @verb
    def set_endpoint_status(self, endpoint: str, status: str) -> Json:
        """Enable or disable an endpoint, as Stripe does after days of failures."""
        with self.world.lock:
            space, item = self._found(endpoint)
            item["status"] = {"enabled": "enabled", "disabled": "disabled"}[status]
            return self._shown(space, item)

    # Faults and time

    @verb
    def set_faults(self, **changes: Any) -> Json:
        """Set faults by name (see ``Faults``); returns all of them."""
        with self.world.lock:
            self.world.set_faults(changes)
            return self.world.faults.as_json()

    @verb
    def fail_next(
        self, kind: FaultKind, *, method: str | None = None, path: str | None = None, times: int = 1
    ) -> None:
        """Let the next matching API requests fail: 500, 500_after, 429, 409, timeout, lost."""
        with self.world.lock:
            self.world.planned.append(PlannedFault(kind, method, path, times))

    @verb
    def advance(self, seconds: float) -> float:
        """Move the clock; what falls due meanwhile happens. Returns the time."""
        with self.world.lock:
            self.world.clock.advance(seconds)
            self.world.is_changed = True
            buyer.tick(self.world)
        self.courier.poke()
        return self.world.clock.now()

    @verb
    def freeze(self, at: float | None = None) -> float:
        """Stop the clock, at a time or now."""
        self.world.clock.freeze(at)
        self.world.is_changed = True
        return self.world.clock.now()

    @verb
    def flow(self) -> float:
        """Let the clock go on."""
        self.world.clock.flow()
        self.world.is_changed = True
        self.courier.poke()
        return self.world.clock.now()
