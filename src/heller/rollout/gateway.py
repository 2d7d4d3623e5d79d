"""The webhook gateway: one URL for the payment provider while two systems live. The inbox first, then the relay.

heller has each delivery in its inbox before anything else; those of users at home in the legacy system are handed on
to the legacy handler, signed anew, because the provider's libraries refuse a signature that is older than 300 seconds.
"""

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx

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
