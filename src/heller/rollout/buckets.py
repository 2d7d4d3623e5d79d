"""A user's stable number from 0 to 99. It only plans who moves when; the stored home decides who is served where."""

import hashlib
import hmac

BUCKETS = 100


def bucket(email: str) -> int:
    """The migration plan's JavaScript hash, bit for bit: ``((hash << 5) - hash) + charCode`` in signed 32 bits, absolute, % 100.

    JavaScript walks UTF-16 code units (an emoji is two), and ``Math.abs(-2**31)`` is 2**31.
    """
    value = 0
    units = email.encode("utf-16-le", "surrogatepass")
    for place in range(0, len(units), 2):
        value = (value * 31 + int.from_bytes(units[place : place + 2], "little")) & 0xFFFFFFFF
    signed = value - 0x1_0000_0000 if value & 0x8000_0000 else value
    return abs(signed) % BUCKETS


def keyed_bucket(user: str, salt: str) -> int:
    """HMAC-SHA-256 of the user id under the rollout's own salt: even, and another order for each rollout."""
    digest = hmac.digest(salt.encode(), user.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return int.from_bytes(digest[:8], "big") % BUCKETS
