"""Customers who use their credits: they sign in, spend, undo, buy, get money back, at a chosen rate, from a seed.

Each acknowledged operation goes into a record of its own, so that conservation can be checked from outside: what a
customer had, plus what was acknowledged, is what they must have, whichever system they are served by.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import psycopg

FEATURES = {"analysis": 10, "match": 5, "improvement": 15}
PACK, PACK_CREDITS, PACK_CENTS = "small", 100, 500
ACTIONS = {"sign in": 12, "spend": 68, "undo": 12, "buy": 6, "money back": 2}
AT_ONCE_MAX = 24
REMEMBERED_MAX = 200
TIMEOUT_SECONDS = 15.0
LIMITS = httpx.Limits(
    keepalive_expiry=2.0
)  # shorter than a server's, which would close it in the middle of a request
BACK_CENTS = (PACK_CENTS, 200)


class MovedError(Exception):
    """The system that was asked no longer serves this customer: the other one does."""


class TooFewError(Exception):
    """Not enough credits; nothing was taken."""


class FailedError(Exception):
    """The system is in trouble; nothing was acknowledged, and what it did is not known."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One user who takes part, and the credits they had at the start."""

    user: str
    email: str
    balance: int


@dataclass(frozen=True, slots=True)
class Spent:
    """An acknowledged spend; ``undo`` is what its system wants to hear to give it back."""

    customer: Customer
    way: str
    credits: int
    undo: str


class Way(Protocol):
    """A system as a customer reaches it. Every verb raises MovedError, TooFewError or FailedError."""

    name: str

    async def sign_in(self, customer: Customer) -> None:
        """Come in and look at the balance."""

    async def spend(self, customer: Customer, feature: str, ref: str) -> str:
        """Use a feature; what ``undo`` wants to hear."""

    async def undo(self, customer: Customer, spend: str) -> None:
        """Give a spend back."""

    async def buy(self, customer: Customer) -> str:
        """Begin to buy the pack; the session in which it is paid."""


class AppWay:
    """Through the pages of the legacy application."""

    name = "legacy application"

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._cookies: dict[str, str] = {}

    async def sign_in(self, customer: Customer) -> None:
        """Sign in; later requests of this customer carry the cookie."""
        answer = await self._send("POST", "/api/login", {"email": customer.email})
        self._cookies[customer.user] = f"session={answer.cookies['session']}"

    async def spend(self, customer: Customer, feature: str, ref: str) -> str:
        """POST /api/spend; the number of the transaction."""
        answer = await self._as(customer, "/api/spend", {"feature": feature, "ref": ref})
        return str(answer["transaction"])

    async def undo(self, customer: Customer, spend: str) -> None:
        """POST /api/undo."""
        await self._as(customer, "/api/undo", {"transaction": int(spend)})

    async def buy(self, customer: Customer) -> str:
        """POST /api/buy."""
        return str((await self._as(customer, "/api/buy", {"pack": PACK}))["session"])

    async def _as(self, customer: Customer, path: str, body: Mapping[str, Any]) -> Any:
        if customer.user not in self._cookies:
            await self.sign_in(customer)
        return (await self._send("POST", path, body, cookie=self._cookies[customer.user])).json()

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any], *, cookie: str | None = None
    ) -> httpx.Response:
        headers = {} if cookie is None else {"cookie": cookie}
        try:
            answer = await self._client.request(
                method, path, json=body, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise FailedError(f"{path}: {error!r}") from error
        self._client.cookies.clear()  # each customer has their own
        if "x-heller-home" in answer.headers or (
            answer.status_code == httpx.codes.CONFLICT and answer.json()["error"] == "moved"
        ):
            raise MovedError(path)
        if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
            raise TooFewError(path)
        if answer.status_code != httpx.codes.OK:
            raise FailedError(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer


@dataclass(slots=True)
class Record:
    """What was acknowledged, kept outside both systems; as JSON lines in ``path`` where one is given."""

    path: Path | None = None
    deltas: Counter[str] = field(default_factory=Counter)
    unsure: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    bought: int = 0
    spent: int = 0

    def note(self, what: str, customer: Customer, delta: int, *, way: str, ref: str) -> None:
        """One acknowledged operation."""
        self.counts[what] += 1
        self.ways[way] += 1
        self.deltas[customer.user] += delta
        if what in {"buy", "money back"}:
            self.bought += delta
        else:
            self.spent -= delta
        self._write({"what": what, "user": customer.user, "delta": delta, "way": way, "ref": ref})

    def doubt(self, what: str, customer: Customer, credits: int, *, ref: str, why: Exception) -> None:
        """One whose answer was lost or an error: it may have been done or not."""
        self.counts["failed"] += 1
        self.unsure[customer.user] += credits
        self._write(
            {"what": f"{what} failed", "user": customer.user, "credits": credits, "ref": ref, "why": str(why)}
        )

    def _write(self, entry: Mapping[str, Any]) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(entry) + "\n")

    def wrong(self, customers: Sequence[Customer], balances: Mapping[str, int]) -> list[str]:
        """Customers whose balance is not what was acknowledged, in words; doubtful operations allow either."""
        found = []
        for customer in customers:
            has, due = balances.get(customer.user), customer.balance + self.deltas[customer.user]
            room = self.unsure[customer.user]
            if has is None or not due - room <= has <= due + room:
                found.append(f"{customer.user} ({customer.email}) has {has} credits and should have {due}")
        return found

    def as_json(self) -> dict[str, Any]:
        """The tallies."""
        return {
            "counts": dict(self.counts),
            "ways": dict(self.ways),
            "bought": self.bought,
            "spent": self.spent,
        }


class Traffic:
    """Many customers at once. A customer who is told that they moved goes where they are served, as a person would."""

    def __init__(
        self,
        customers: Sequence[Customer],
        ways: Sequence[Way],
        *,
        stripe_url: str,
        record: Record,
        rate: float,
        seed: int = 1,
    ) -> None:
        self._customers, self._ways, self._rate = customers, ways, rate
        self._chance, self._record = random.Random(seed), record
        self._spends: list[Spent] = []
        self._payments: list[tuple[Customer, str, str]] = []
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._stripe = httpx.AsyncClient(base_url=stripe_url, timeout=TIMEOUT_SECONDS, limits=LIMITS)
        self._number = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Act until ``stop`` is set; what is under way then is finished."""
        loop, next_at = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        async with self._stripe, asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                await self._slots.acquire()
                tasks.create_task(self._act())
                next_at = max(next_at + self._chance.expovariate(self._rate), loop.time() - 1)
                await asyncio.sleep(max(0.0, next_at - loop.time()))

    async def _act(self) -> None:
        try:
            (action,) = self._chance.choices(list(ACTIONS), list(ACTIONS.values()))
            self._number += 1
            customer, ref = self._chance.choice(self._customers), f"t{self._number}"
            first = self._chance.randrange(len(self._ways))
            for way in (*self._ways[first:], *self._ways[:first]):
                try:
                    await self._do(action, customer, way, ref)
                except MovedError:
                    self._record.counts["moved"] += 1
                    continue
                except TooFewError:
                    self._record.counts["too few"] += 1
                return
        finally:
            self._slots.release()

    async def _do(self, action: str, customer: Customer, way: Way, ref: str) -> None:
        if action == "spend":
            await self._spend(customer, way, ref)
        elif action == "undo":
            await self._undo(ref)
        elif action == "buy":
            await self._buy(customer, way, ref)
        elif action == "money back":
            await self._money_back()
        else:
            try:
                await way.sign_in(customer)
            except FailedError as error:
                self._record.doubt(action, customer, 0, ref=ref, why=error)
            else:
                self._record.note(action, customer, 0, way=way.name, ref=ref)

    async def _spend(self, customer: Customer, way: Way, ref: str) -> None:
        feature = self._chance.choice(list(FEATURES))
        try:
            undo = await way.spend(customer, feature, ref)
        except FailedError as error:
            self._record.doubt("spend", customer, FEATURES[feature], ref=ref, why=error)
            return
        self._record.note("spend", customer, -FEATURES[feature], way=way.name, ref=ref)
        self._remember(self._spends, Spent(customer, way.name, FEATURES[feature], undo))

    async def _undo(self, ref: str) -> None:
        """An earlier spend, by the way it was made; one whose customer has moved since is let be."""
        if not self._spends:
            return
        spent = self._spends.pop(self._chance.randrange(len(self._spends)))
        way = next(way for way in self._ways if way.name == spent.way)
        try:
            await way.undo(spent.customer, spent.undo)
        except MovedError:
            self._record.counts["moved"] += 1
        except FailedError as error:
            self._record.doubt("undo", spent.customer, spent.credits, ref=ref, why=error)
        else:
            self._record.note("undo", spent.customer, spent.credits, way=way.name, ref=ref)

    async def _buy(self, customer: Customer, way: Way, ref: str) -> None:
        """What Stripe says was paid is owed, whichever system hears of it and when."""
        try:
            session = await way.buy(customer)
        except FailedError as error:
            self._record.doubt("buy", customer, 0, ref=ref, why=error)  # no session, so nobody can pay
            return
        paid = await self._stripe.post("/_twin/pay", json={"session_id": session})
        paid.raise_for_status()
        intent = str(paid.json()["payment_intent"])
        self._record.note("buy", customer, PACK_CREDITS, way=way.name, ref=intent)
        self._remember(self._payments, (customer, way.name, intent))

    async def _money_back(self) -> None:
        """The seller gives money back at Stripe: credits follow in proportion."""
        if not self._payments:
            return
        customer, way, intent = self._payments.pop(self._chance.randrange(len(self._payments)))
        cents = self._chance.choice(BACK_CENTS)
        answer = await self._stripe.post("/_twin/refund", json={"payment": intent, "amount": cents})
        answer.raise_for_status()
        self._record.note("money back", customer, -(PACK_CREDITS * cents // PACK_CENTS), way=way, ref=intent)

    @staticmethod
    def _remember(into: list[Any], item: Any) -> None:
        if len(into) < REMEMBERED_MAX:
            into.append(item)


async def customers_of(url: str, *, count: int, seed: int = 1, balance_min: int = 50) -> list[Customer]:
    """So many users of the legacy database at ``url`` who can sign in and have something to spend."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (
            await connection.execute(
                "select id::text, email, credits_balance from users u where credits_balance >= %s and email is not null"
                " order by md5(id::text || %s), id limit %s", [balance_min, str(seed), count]
            )
        ).fetchall()  # fmt: skip
    return [Customer(*row) for row in rows]
