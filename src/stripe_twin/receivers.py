"""Who receives events: webhook endpoints (v1) and event destinations (v2), and how deliveries to them are signed."""

import hashlib
import hmac
import time
from dataclasses import dataclass

from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import PLATFORM, World


@dataclass(frozen=True, slots=True)
class Receiver:
    """One endpoint, whichever API made it. ``secrets`` are pairs of secret and the time until which it signs."""

    id: str
    url: str
    enabled_events: tuple[str, ...]
    secrets: tuple[tuple[str, float | None], ...]
    api_version: str | None
    is_thin: bool
    is_connect: bool
    is_enabled: bool

    def live_secrets(self, world: World) -> list[str]:
        """The secrets that sign now: one, or two within the window after a roll."""
        now = world.clock.now()
        return [secret for secret, until in self.secrets if until is None or until > now]

    def wants(self, event_type: str) -> bool:
        """Whether it subscribed to this type."""
        return event_type in self.enabled_events or "*" in self.enabled_events


def _receiver(item: Json) -> Receiver:
    is_destination = item["object"] == "v2.core.event_destination"
    return Receiver(
        id=item["id"],
        url=item["_url"] if is_destination else item["url"],
        enabled_events=tuple(item["enabled_events"]),
        secrets=tuple((s["secret"], s["until"]) for s in item["_secrets"]),
        api_version=item["snapshot_api_version"] if is_destination else item["api_version"],
        is_thin=is_destination and item["event_payload"] == "thin",
        is_connect="@accounts" in item["events_from"] if is_destination else bool(item["_connect"]),
        is_enabled=item["status"] == "enabled",
    )


def _all(space: Space) -> list[Receiver]:
    kinds = ("webhook_endpoint", "v2.core.event_destination")
    return [_receiver(item) for kind in kinds for item in space.tables.get(kind, {}).values()]


def receivers_of(world: World, space: Space, event_type: str, *, thin: bool) -> list[Receiver]:
    """The enabled endpoints that get an event of this space: its own, and the platform's Connect ones."""
    own = [r for r in _all(space) if not r.is_connect]
    if space.account != PLATFORM:
        own += [r for r in _all(world.store.space(PLATFORM, space.livemode)) if r.is_connect]
    return [r for r in own if r.is_enabled and r.is_thin == thin and r.wants(event_type)]


def find_receiver(world: World, identifier: str) -> Receiver | None:
    """The endpoint with this id, in whichever space."""
    for space in world.store.spaces.values():
        item = space.find(identifier)
        if item is not None and item["object"] in ("webhook_endpoint", "v2.core.event_destination"):
            return _receiver(item)
    return None


def new_secret(world: World) -> Json:
    """A fresh signing secret without an end."""
    return {"secret": f"whsec_{world.token(32)}", "until": None}


def signature(body: bytes, secret: str, timestamp: int) -> str:
    """The ``v1`` signature: HMAC-SHA256 over ``timestamp.body``."""
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def signature_header(world: World, body: bytes, secrets: list[str], *, timestamp: int | None = None) -> str:
    """The ``Stripe-Signature`` header, one ``v1`` per secret.

    The time is real time (a receiver compares with its own clock), plus the skew that the faults ask for.
    """
    at = int(time.time() + world.faults.signature_skew_seconds) if timestamp is None else timestamp
    return ",".join([f"t={at}", *(f"v1={signature(body, secret, at)}" for secret in secrets)])
