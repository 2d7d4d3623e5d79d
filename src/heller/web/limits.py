"""Rate limits of principals, counted in PostgreSQL for all processes together.

Each process takes a share of a bucket at a time and gives it out itself, so that a request seldom asks the database.
A process that stops loses what it had taken: the limit may bite a little early, never late.
"""

import math
from dataclasses import dataclass

from heller.database import Database, call
from heller.web.principal import Principal
from heller.web.problems import TooManyRequests

SHARES = 20
SHARE_MAX = 500
FAILURES_PER_MINUTE = 60
BUCKETS_MAX = 10_000


@dataclass(slots=True)
class _Share:
    left: int = 0
    elsewhere: int = 0


class Limiter:
    """Says whether a principal may ask once more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shares: dict[str, _Share] = {}

    async def take(self, principal: Principal, per_minute: int) -> list[tuple[bytes, bytes]]:
        """One request of a principal: the headers that say what is left.

        Raises:
            TooManyRequests: nothing is.
        """
        bucket = principal.actor
        share = self._shares.get(bucket)
        if share is None:
            if len(self._shares) >= BUCKETS_MAX:
                self._shares.clear()
            share = self._shares[bucket] = _Share()
        if share.left == 0:
            await self._refill(share, bucket, per_minute)
        share.left -= 1
        return headers(per_minute, share.left + share.elsewhere)

    async def _refill(self, share: _Share, bucket: str, per_minute: int) -> None:
        weight = max(1, min(per_minute // SHARES, SHARE_MAX))
        answer = await self._ask(bucket, per_minute, weight)
        if not answer["allowed"] and weight > 1:  # not a share any more, but perhaps one request
            weight = 1
            answer = await self._ask(bucket, per_minute, weight)
        if not answer["allowed"]:
            wait = max(1, math.ceil(answer["wait_seconds"]))
            raise TooManyRequests(
                f"More than {per_minute} requests a minute.", hint=f"Try again in {wait} s.", retry_after=wait
            )
        share.left += weight
        share.elsewhere = int(answer["remaining"])

    async def fail(self, address: str) -> None:
        """Somebody at an address was not believed; guessing is slowed down.

        Raises:
            TooManyRequests: it happened too often within a minute.
        """
        answer = await self._ask(f"failed:{address}", FAILURES_PER_MINUTE, 1)
        if not answer["allowed"]:
            wait = max(1, math.ceil(answer["wait_seconds"]))
            raise TooManyRequests("Too many failed attempts from this address.", retry_after=wait)

    async def _ask(self, bucket: str, per_minute: int, weight: int) -> dict[str, float]:
        async with self._database.connection() as connection:
            answer: dict[str, float] = await call(
                connection, "take_rate", bucket=bucket, per_minute=per_minute, weight=weight
            )
        return answer


def headers(per_minute: int, remaining: int) -> list[tuple[bytes, bytes]]:
    """What an answer says of the limit, per minute."""
    return [
        (b"ratelimit-limit", b"%d" % per_minute),
        (b"ratelimit-remaining", b"%d" % remaining),
        (b"ratelimit-policy", b"%d;w=60" % per_minute),
    ]
