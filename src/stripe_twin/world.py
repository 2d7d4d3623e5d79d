"""The twin's whole state: clock, objects, faults, and the making of objects and events."""

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stripe_twin.clock import Clock
from stripe_twin.faults import Dice, Faults, PlannedFault
from stripe_twin.shapes import Json, all_shapes, shaped
from stripe_twin.store import Space, Store
from stripe_twin.versions import CURRENT_VERSION
from stripe_twin.view import shown

PLATFORM = "acct_1TwinPlatform"
ID_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 24
UNBORN_KEPT_MAX = 10_000

PREFIXES = {
    "account": "acct",
    "balance_transaction": "txn",
    "billing_portal.session": "bps",
    "charge": "ch",
    "coupon": "coupon",
    "customer": "cus",
    "discount": "di",
    "dispute": "du",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "item": "li",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "price": "price",
    "product": "prod",
    "promotion_code": "promo",
    "radar.early_fraud_warning": "issfr",
    "refund": "re",
    "setup_intent": "seti",
    "subscription": "sub",
    "subscription_item": "si",
    "v2.core.event": "evt",
    "v2.core.event_destination": "ed",
    "webhook_endpoint": "we",
}

# The path under which an object can be fetched, for thin events.
PATHS = {
    "charge": "/v1/charges/",
    "checkout.session": "/v1/checkout/sessions/",
    "customer": "/v1/customers/",
    "dispute": "/v1/disputes/",
    "invoice": "/v1/invoices/",
    "payment_intent": "/v1/payment_intents/",
    "price": "/v1/prices/",
    "product": "/v1/products/",
    "radar.early_fraud_warning": "/v1/radar/early_fraud_warnings/",
    "refund": "/v1/refunds/",
    "setup_intent": "/v1/setup_intents/",
    "subscription": "/v1/subscriptions/",
}


@dataclass(slots=True)
class World:
    """Everything the twin knows. Whoever reads or writes holds ``lock`` and never waits for the network under it."""

    base_url: str = "http://127.0.0.1"
    id_seed: int | None = None
    tax_percent: int = 19
    api_version: str = CURRENT_VERSION
    sepa_settles_after_seconds: float | None = None
    clock: Clock = field(default_factory=Clock)
    store: Store = field(default_factory=Store)
    faults: Faults = field(default_factory=Faults)
    planned: list[PlannedFault] = field(default_factory=list)
    revoked_keys: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    cause: Json = field(default_factory=lambda: {"id": None, "idempotency_key": None})
    unborn: deque[Json] = field(default_factory=lambda: deque(maxlen=UNBORN_KEPT_MAX))
    on_event: Callable[[Space, Json], None] | None = None
    on_direct: Callable[[Space, Json, str], None] | None = None
    is_changed: bool = False
    dice: Dice = field(init=False)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Seed chance and ids, and open the platform's own account."""
        self.dice = Dice(self.faults.seed)
        self._random = random.SystemRandom() if self.id_seed is None else random.Random(self.id_seed)  # noqa: S311 - ids of a fake
        for livemode in (False, True):
            space = self.store.space(PLATFORM, livemode)
            if PLATFORM not in space.kinds:
                space.put("account", self.account_shape(PLATFORM))

    def account_shape(self, identifier: str) -> Json:
        """An account that can take payments in euros."""
        return shaped(
            "account",
            {
                "id": identifier,
                "created": self.clock.timestamp(),
                "country": "DE",
                "default_currency": "eur",
                "charges_enabled": True,
                "payouts_enabled": True,
                "details_submitted": True,
            },
        )

    def token(self, length: int = ID_LENGTH) -> str:
        """Random characters, as in ids and secrets."""
        return "".join(self._random.choices(ID_CHARACTERS, k=length))

    def new_id(self, kind: str, livemode: bool) -> str:
        """A fresh id with the prefix of its kind."""
        if kind == "checkout.session":
            return f"cs_{'live' if livemode else 'test'}_{self.token(58)}"
        return f"{PREFIXES[kind]}_{self.token()}"

    def draft(self, space: Space, kind: str, values: Json) -> Json:
        """A whole object that is not kept yet: shape, id, time and mode, with ``values`` laid over."""
        basis: Json = {"id": self.new_id(kind, space.livemode)}
        shape = all_shapes()[kind]
        if "created" in shape:
            basis["created"] = self.clock.timestamp()
        if "livemode" in shape:
            basis["livemode"] = space.livemode
        return shaped(kind, basis | values)

    def make(self, space: Space, kind: str, values: Json) -> Json:
        """A whole object, kept."""
        self.is_changed = True
        return space.put(kind, self.draft(space, kind, values))

    def emit(self, space: Space, event_type: str, item: Json, *, previous: Json | None = None) -> Json | None:
        """Make an event about an object and queue its deliveries; None when a fault keeps it from being made."""
        if event_type in self.faults.unborn_types or self.dice.falls(self.faults.unborn):
            self.unborn.append({"type": event_type, "object": item["id"]})
            return None
        data: Json = {"object": shown(space, item, CURRENT_VERSION)}
        if previous is not None:
            data["previous_attributes"] = previous
        values = {
            "api_version": self.api_version,
            "data": data,
            "type": event_type,
            "request": dict(self.cause),
            "_deliveries": {},
        }
        event = self.make(space, "event", values)
        if self.on_event is not None:
            self.on_event(space, event)
        return event

    def make_thin(
        self, space: Space, event_type: str, *, about: Json | None, snapshot: str | None = None
    ) -> Json:
        """A thin (v2) event, kept: a type, a reference and nothing of the object itself."""
        thin: Json = {
            "id": self.new_id("v2.core.event", space.livemode),
            "object": "v2.core.event",
            "type": event_type,
            "created": self.make_time(),
            "livemode": space.livemode,
            "context": None if space.account == PLATFORM else space.account,
            "reason": None,
            "snapshot_event": snapshot,
            "_deliveries": {},
        }
        if about is not None:
            kind = str(about["object"])
            path = PATHS.get(kind, f"/v1/{kind.replace('.', '/')}s/")
            thin["related_object"] = {"id": about["id"], "type": kind, "url": path + about["id"]}
        self.is_changed = True
        return space.put("v2.core.event", thin)

    def make_time(self) -> str:
        """Now, as the v2 API writes it."""
        at = datetime.fromtimestamp(self.clock.now(), tz=UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def set_faults(self, changes: Json) -> None:
        """Change faults; a new seed starts chance anew."""
        self.faults.update(changes)
        if "seed" in changes:
            self.dice = Dice(self.faults.seed)
