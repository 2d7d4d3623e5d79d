"""The webhook gateway: one URL for the payment provider while two systems live. The inbox first, then the relay.

heller has each delivery in its inbox before anything else; those of users at home in the legacy system are handed on
to the legacy handler, signed anew, because the provider's libraries refuse a signature that is older than 300 seconds.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx

from heller.database import Database, call
from heller.stripe.events import MalformedError, read
from heller.stripe.ingest import Ingest, IngestResult

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of one delivery: kept here only, or answered by the legacy handler with ``status``."""

    home: str
    status: int

    @property
    def ok(self) -> bool:
        """False asks the sender to try again."""
        return 200 <= self.status < 300  # noqa: PLR2004  # the 2xx of HTTP


def signed(body: bytes, secret: str, *, at: int | None = None) -> str:
    """A signature header for ``body`` as the provider makes it: ``t=...,v1=...`` over ``t.body``."""
    stamp = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


async def relay(
    body: bytes,
    headers: Mapping[str, str],
    *,
    home: Callable[[bytes], Awaitable[str]],
    legacy_url: str,
    legacy_secret: str,
    client: httpx.AsyncClient,
) -> Relayed:
    """Hand a delivery that heller's inbox has on to the legacy handler if its user is at home there, or unknown here.

    A refusal of the legacy handler is passed back, so that the sender tries again; heller's own copy is safe meanwhile.
    """
    where = await home(body)
    if where in {"heller", "moving"}:
        return Relayed(where, 200)
    passed = {
        name: value for name, value in headers.items() if name.lower() in {"content-type", "user-agent"}
    }
    passed["Stripe-Signature"] = signed(body, legacy_secret)
    try:
        answer = await client.post(legacy_url, content=body, headers=passed, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError:
        return Relayed(where, 502)
    return Relayed(where, answer.status_code)


class RelayingIngest:
    """heller's receiving end, which hands on what it has stored to the legacy handler where its user is at home there.

    A legacy handler that refuses or does not answer is the sender's to try again; heller's copy is stored already, and
    a repetition only counts.
    """

    def __init__(
        self,
        ingest: Ingest,
        *,
        database: Database,
        client: httpx.AsyncClient,
        legacy_url: str,
        legacy_secret: str,
    ) -> None:
        self._ingest, self._database, self._client = ingest, database, client
        self._legacy_url, self._legacy_secret = legacy_url, legacy_secret

    async def ingest(self, body: bytes, headers: Mapping[str, str]) -> IngestResult:
        """Store, then relay."""
        result = await self._ingest.ingest(body, headers)
        if not result.is_accepted:
            return result
        passed = await relay(
            body, headers, home=self._home, legacy_url=self._legacy_url, legacy_secret=self._legacy_secret, client=self._client
        )  # fmt: skip
        if passed.ok:
            return result
        return IngestResult(
            502, "legacy_refused", f"Stored here; the legacy handler answered {passed.status}. Send it again."
        )

    def refuse_too_large(self) -> IngestResult:
        """The answer to a body that was not even read."""
        return self._ingest.refuse_too_large()

    async def _home(self, body: bytes) -> str:
        """Where the user is at home whom an event is about; unknown for what heller has never heard of."""
        async with self._database.connection() as connection:
            for name in _names(body):
                payment = await call(connection, "stripe_payment", payment_key=name)
                found = payment or await call(connection, "stripe_order", name=name)
                if found is not None:
                    return str((await call(connection, "route", account_id=found["account_id"]))["home"])
        return "unknown"


def _names(body: bytes) -> list[str]:
    """What an event calls its payment: the key, the object, the order that its metadata names."""
    try:
        event = read(body)
    except MalformedError:
        return []
    about = json.loads(body).get("data", {}).get("object", {})
    metadata = about.get("metadata") if isinstance(about, dict) else None
    names = [event.payment_key, event.object_id, (metadata or {}).get("order_id")]
    return [name for name in names if isinstance(name, str) and name]
