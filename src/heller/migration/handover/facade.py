"""``Credits``: the same verbs whichever system a user is at home in. An application needs one call and no flag.

The first try goes where the user was last seen; a refusal by the fence or by heller's epoch sends it to the other
home. So a stale route costs a second try and never a credit, and a key is one intent across both homes.
Each change's outcome is recorded for the guardrails, under the home that answered.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import psycopg
from psycopg.types.json import Jsonb

from heller.database import Database, call, refusal
from heller.errors import AccountAway, InvalidArgument, UnknownAccount, UnknownTransaction
from heller.ledger import Heller
from heller.migration.handover.observing import Seen, observed

Home = Literal["heller", "legacy"]
T = TypeVar("T")

PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.02
SEEN_MAX = 100_000
MOVED = "MG001"
_BY_KEY = """
select seq, delta from heller.transaction_log where account_id = %s and unit = 'credit' and idempotency_key = %s
"""


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of credits in either home."""

    account: str
    delta: int
    balance_after: int
    home: Home
    replayed: bool = False
    key: str | None = None


class LegacyCredits:
    """The legacy system's credits by the functions of the fence; any shape, since those are made for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def balance(self, user: str) -> int:
        """What the user has there. Raises AccountAway when that is not the home, UnknownAccount for nobody."""
        async with self._database.connection() as connection:
            row = await (
                await connection.execute(
                    "select heller_fence.home(%(u)s), b.balance from heller_fence.balances("
                    "array[coalesce(heller_fence.user_of(%(u)s), %(u)s)]) b", {"u": user}
                )
            ).fetchone()  # fmt: skip
        if row is None or row[0] is None:
            raise UnknownAccount(f"The legacy system has no user {user}.", account=user)
        if row[0] != "legacy":
            raise _away(user)
        return int(row[1])

    async def post(
        self,
        user: str,
        delta: int,
        *,
        kind: str,
        key: str | None,
        reason: str,
        metadata: Mapping[str, Any] | None,
    ) -> Movement:
        """One change with its history row. Raises AccountAway, InsufficientCredits, IdempotencyConflict, UnknownAccount."""
        entry = {
            "delta": delta,
            "kind": kind,
            "key": key,
            "reason": reason,
            "metadata": dict(metadata) if metadata else None,
        }
        try:
            async with self._database.transaction() as connection:
                row = await (
                    await connection.execute("select heller_fence.post(%s, %s)", [user, Jsonb(entry)])
                ).fetchone()
        except psycopg.Error as error:
            if error.sqlstate == MOVED:
                raise _away(user) from error
            raise
        answer: dict[str, Any] = row[0] if row else {}
        if "error" in answer:
            raise refusal(answer["error"], answer["message"], answer["detail"])
        return Movement(
            answer["account"],
            answer["delta"],
            answer["balance_after"],
            "legacy",
            replayed=answer["replayed"],
            key=key,
        )

    async def delta_of(self, user: str, key: str) -> int | None:
        """The change that a key made. Raises AccountAway where that is not the home: the key may be made elsewhere."""
        async with self._database.connection() as connection:
            row = await (
                await connection.execute(
                    "select heller_fence.home(%(u)s), (select k.delta from heller_fence.keys k"
                    " where k.user_id = coalesce(heller_fence.user_of(%(u)s), %(u)s) and k.key = %(k)s)",
                    {"u": user, "k": key},
                )
            ).fetchone()
        if row is None or row[0] is None:
            raise UnknownAccount(f"The legacy system has no user {user}.", account=user)
        if row[0] != "legacy":
            raise _away(user)
        return None if row[1] is None else int(row[1])


class Credits:
    """Both homes behind one set of verbs. ``observations`` is where outcomes are recorded: heller's database."""

    def __init__(
        self,
        heller: Heller,
        legacy: LegacyCredits,
        *,
        observations: Database,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._heller, self._legacy, self._patience = heller, legacy, patience_seconds
        self._observations = observations
        self._seen: dict[str, Home] = {}

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, database: str, legacy_url: str, *, pool_max: int | None = None
    ) -> "AsyncIterator[Credits]":
        """Pools on both databases. The legacy role needs EXECUTE on ``heller_fence.post`` and ``balances``."""
        async with Heller.connect(database, pool_max=pool_max) as heller:
            legacy = await Database.open(legacy_url, pool_max=pool_max)
            try:
                ours = await Database.open(database, pool_max=pool_max)
                try:
                    yield cls(heller, LegacyCredits(legacy), observations=ours)
                finally:
                    await ours.close()
            finally:
                await legacy.close()

    async def home(self, user: str) -> str:
        """Where the user is served now: heller, legacy or moving."""
        route = await self._heller.route(user)
        return str(route["home"]) if route["home"] != "unknown" else "legacy"

    async def balance(self, user: str) -> int:
        """The credits the user has, wherever they are."""

        async def ours() -> int:
            account = await self._heller.balance(user)
            if (await self._heller.route(user))["home"] != "heller":
                raise _away(user, "legacy")
            return account.available

        return await self._either(user, heller=ours, legacy=lambda: self._legacy.balance(user))

    async def spend(
        self, user: str, amount: int, *, key: str, reason: str = "", metadata: Mapping[str, Any] | None = None
    ) -> Movement:
        """Take credits. The key is one intent in both homes, so a retry after a move is a replay.

        Raises:
            InsufficientCredits: there are not enough, in the home that has the user.
            AccountAway: the user was moving for longer than the patience.
        """
        if amount < 1:
            raise InvalidArgument("amount must be at least 1", argument="amount")

        async def ours() -> Movement:
            t = await self._heller.spend(user, amount, key=key, reason=reason or None, metadata=metadata)
            return Movement(user, t.delta, t.balance_after, "heller", replayed=t.replayed, key=key)

        return await self._change(
            user, "spend", key, heller=ours,
            legacy=lambda: self._legacy.post(user, -amount, kind="spend", key=key, reason=reason, metadata=metadata),
        )  # fmt: skip

    async def grant(
        self, user: str, amount: int, *, key: str, reason: str = "", metadata: Mapping[str, Any] | None = None
    ) -> Movement:
        """Give credits as a promotion. Purchases come by the webhooks, not by this."""
        if amount < 1:
            raise InvalidArgument("amount must be at least 1", argument="amount")

        async def ours() -> Movement:
            t = await self._heller.grant(user, amount, key=key, reason=reason or None, metadata=metadata)
            return Movement(
                user, amount, int(getattr(t, "balance_after", 0) or 0), "heller", replayed=t.replayed, key=key
            )

        return await self._change(
            user, "grant", key, heller=ours,
            legacy=lambda: self._legacy.post(user, amount, kind="grant", key=key, reason=reason, metadata=metadata),
        )  # fmt: skip

    async def refund(self, user: str, of: str, *, key: str, reason: str = "") -> Movement:
        """Give back wholly what the spend with key ``of`` took, wherever it was made.

        Raises:
            UnknownTransaction: no spend has that key.
        """

        async def ours() -> Movement:
            seq, delta = await self._ours(user, of) or (0, 0)
            if delta >= 0:
                raise UnknownTransaction(f"No spend of {user} has the key {of}.", account=user)
            back = await self._heller.refund(user, seq, -delta, key=key, reason=reason or None)
            return Movement(user, back.delta, back.balance_after, "heller", replayed=back.replayed, key=key)

        async def theirs() -> Movement:
            delta = await self._legacy.delta_of(user, of)
            if delta is None or delta >= 0:
                raise UnknownTransaction(f"No spend of {user} has the key {of}.", account=user)
            return await self._legacy.post(user, -delta, kind="refund", key=key, reason=reason, metadata=None)

        return await self._change(user, "refund", key, heller=ours, legacy=theirs)

    async def delta_of(self, user: str, key: str) -> int | None:
        """The change that a key made, wherever it was made; None for a key that made none."""

        async def ours() -> int | None:
            found = await self._ours(user, key)
            return None if found is None else found[1]

        return await self._either(user, heller=ours, legacy=lambda: self._legacy.delta_of(user, key))

    async def purchase(
        self,
        user: str,
        amount: int,
        *,
        intent: str,
        session: str | None = None,
        cost: int | None = None,
        currency: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Credit in heller a purchase that the legacy handler was given after its user had moved: once, whoever reports it.

        Args:
            user: the buyer.
            amount: credits.
            intent: Stripe's payment intent; it is what makes the purchase one.
            session: Stripe's checkout session.
            cost: the price, in the currency's smallest unit.
            currency: as Stripe writes it.
            metadata: kept with the transaction.

        Returns:
            ``credited``, or ``known`` for one that was credited before.

        Raises:
            AccountAway: the user is at home in the legacy system, whose own handler books it.
        """
        if (home := await self.home(user)) != "heller":
            async with self._observations.connection() as connection:
                payment = await call(connection, "stripe_payment", payment_key=intent)
            if payment is not None and payment["net_credits"] > 0:
                return "known"
            raise _away(user, home)
        operation = f"purchase:{user}:{intent}"
        async with (
            observed(self._observations, account=user, what="purchase", operation=operation),
            self._observations.transaction() as connection,
        ):
            done = await call(
                connection, "credit_purchase", account_id=user, payment_key=intent, credits=amount, intent=intent, session=session,
                amount=cost, currency=currency.upper() if currency else None, metadata=Jsonb(dict(metadata)) if metadata else None,
            )  # fmt: skip
        return str(done["outcome"])

    async def _ours(self, user: str, key: str) -> tuple[int, int] | None:
        """The seq and delta that a key made in heller. Raises AccountAway elsewhere: a history that is not all here yet proves nothing."""
        home = (await self._heller.route(user))["home"]
        if home == "unknown":
            raise UnknownAccount(f"heller has no account {user}.", account=user)
        if home != "heller":
            raise _away(user, home)
        async with self._observations.connection() as connection:
            row = await (await connection.execute(_BY_KEY, [user, key])).fetchone()
        return None if row is None else (row[0], row[1])

    async def _change(
        self,
        user: str,
        what: str,
        key: str,
        *,
        heller: Callable[[], Awaitable[Movement]],
        legacy: Callable[[], Awaitable[Movement]],
    ) -> Movement:
        """A change in either home; its first outcome is what the guardrails see, however often it is repeated."""
        async with observed(
            self._observations, account=user, what=what, operation=f"{what}:{user}:{key}"
        ) as seen:
            return await self._either(user, heller=heller, legacy=legacy, seen=seen)

    async def _either(
        self,
        user: str,
        *,
        heller: Callable[[], Awaitable[T]],
        legacy: Callable[[], Awaitable[T]],
        seen: Seen | None = None,
    ) -> T:
        """Try the home the user was last seen in, then the other, until one of them takes it."""
        deadline = time.monotonic() + self._patience
        home: Home = self._seen.get(user) or ("heller" if await self.home(user) == "heller" else "legacy")
        refused, unknown = 0, set[Home]()
        while True:
            if seen is not None:
                seen.arm = home
            try:
                result = await (heller() if home == "heller" else legacy())
            except (AccountAway, UnknownAccount) as error:
                refused += 1
                unknown = unknown | {home} if isinstance(error, UnknownAccount) else set()
                if len(unknown) == 2 or time.monotonic() > deadline:  # noqa: PLR2004  # neither home has ever seen them
                    raise
                home = "legacy" if home == "heller" else "heller"
                if (
                    refused % 2 == 0
                ):  # both say no: the user is between the homes, for some tens of milliseconds
                    await asyncio.sleep(PAUSE_SECONDS)
            else:
                if len(self._seen) >= SEEN_MAX:
                    self._seen.clear()
                self._seen[user] = home
                return result


def _away(user: str, home: str = "heller") -> AccountAway:
    return AccountAway(
        f"User {user} is not at home in the legacy system.", account=user, reason=f"home: {home}", home=home
    )
