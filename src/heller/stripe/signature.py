"""The signature of a delivery, over its raw bytes. There is no way around it.

The SDK's ``construct_event`` takes one secret, decodes the body, answers a non-ASCII header with an exception of
its own and accepts timestamps in the future; so the twenty lines are here.
"""

import hashlib
import hmac
from collections.abc import Sequence

TOLERANCE_SECONDS = 300
HEADER_CHARACTERS_MAX = 4_096
SIGNATURES_MAX = 16


class BadSignatureError(Exception):
    """Why a delivery is not believed: ``outcome`` is the counter's name."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


def matching_slot(body: bytes, header: str | None, secrets: Sequence[str], *, now: float) -> int:
    """Which secret signed the body: 0 is the newest.

    Raises:
        BadSignatureError: none did, the header is not one, or its time is not within five minutes of ours.
    """
    timestamp, signatures = _parsed(header)
    signed = b"%d." % timestamp + body
    for slot, secret in enumerate(secrets):
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        if any(hmac.compare_digest(expected, given) for given in signatures):
            if abs(now - timestamp) > TOLERANCE_SECONDS:
                word = "old" if timestamp < now else "future"
                raise BadSignatureError(
                    f"{word}_timestamp", "the signature's time is too far from this server's clock"
                )
            return slot
    raise BadSignatureError("bad_signature", "no configured secret signed these bytes")


def _parsed(header: str | None) -> tuple[int, list[str]]:
    if not header:
        raise BadSignatureError("no_signature", "there is no Stripe-Signature header")
    if len(header) > HEADER_CHARACTERS_MAX or not header.isascii():
        raise BadSignatureError("bad_header", "the Stripe-Signature header is not ASCII, or too long")
    timestamp: int | None = None
    signatures: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isdecimal() and len(value) <= 12:  # noqa: PLR2004  # digits of any time that can be
            timestamp = int(value)
        elif name == "v1" and len(signatures) < SIGNATURES_MAX:
            signatures.append(value)
    if timestamp is None or not signatures:
        raise BadSignatureError("bad_header", "the Stripe-Signature header has no t or no v1")
    return timestamp, signatures
