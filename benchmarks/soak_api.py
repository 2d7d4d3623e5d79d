"""The soak's programs: accounts of heller alone that are used through the API, and what must be true of them.

They spend; they hold, and then capture, release, or forget the hold; they are given credits that expire; their cards
are charged when credits run low, and some of those payments are disputed. A call is repeated under its key until it is
answered, so what was answered is written down here and the sums must be exact.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from heller import Heller
from heller.cli.living.twin import KEY
from heller.cli.living.ways import PRICE, stripe_settings
from heller.client import AsyncClient
from heller.database import Database, connect
from heller.errors import HellerError, InsufficientCredits
from heller.stripe import StripeApi
from heller.stripe.customers import customer_of
from legacy_sample.traffic import PACK_CREDITS
from soak_stage import World

RATE, TRIES_MAX = 6, 40
CREDITS = 1_000_000
ACCOUNTS = {"api": 20, "expiring": 4, "topped-up": 4}
ACTIONS = {"spend": 50, "capture": 12, "part": 6, "release": 6, "forget": 6, "expire": 8, "top up": 12}
HOLD_SECONDS, FORGOTTEN_SECONDS, EXPIRES_SECONDS = 900, 5, 20
THRESHOLD, TOP_UP_SPEND = 50, 5
DISPUTE_SECONDS, DISPUTE_ANSWER_SECONDS = 40.0, 5.0
SWEEP_TRIES_MAX = 180  # longer than the lease of a worker that was killed in its sweep
KINDS = """
select account_id, kind, sum(delta)::bigint from heller.transactions
where account_id like 'api-%' or account_id like 'expiring-%' or account_id like 'topped-up-%' group by 1, 2
"""
HELD = "select account_id, held from heller.accounts where held <> 0"
UNSWEPT = """
select 1 from heller.accounts where held <> 0 or account_id like 'expiring-%' and posted <> 0 limit 1
"""


@dataclass(slots=True)
class Due:
    """What was answered: credits of each account by kind; ``doubtful`` are credits whose call was given up."""

    credits: dict[str, Counter[str]] = field(default_factory=dict)
    doubtful: Counter[str] = field(default_factory=Counter)
    customers: dict[str, str] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)  # to disputes
    counts: Counter[str] = field(default_factory=Counter)

    def note(self, account: str, kind: str, delta: int) -> None:
        """One answered change."""
        self.credits.setdefault(account, Counter())[kind] += delta


@dataclass(slots=True)
class Programs:
    """They ask one web process or the other, and do not give up before they are answered."""

    world: World
    due: Due
    webs: list[AsyncClient]
    chance: random.Random
    number: int = 0

    async def ask(self, account: str, credits: int, call: Callable[[AsyncClient], Awaitable[Any]]) -> Any:
        """The answer; None when there were not enough credits, or nobody answered in all tries."""
        for again in range(TRIES_MAX):
            try:
                return await call(self.webs[(self.number + again) % len(self.webs)])
            except InsufficientCredits:
                self.due.counts["too few"] += 1
                return None
            except HellerError:
                await asyncio.sleep(1)
        self.due.doubtful[account] += credits
        self.due.counts["given up"] += 1
        return None

    async def act(self) -> None:
        """One thing that a program does."""
        (action,) = self.chance.choices(list(ACTIONS), list(ACTIONS.values()))
        self.number += 1
        key = f"program-{self.number}"
        self.due.counts[action] += 1
        if action == "spend":
            await self.spend(self._one_of("api"), 1, key)
        elif action == "top up":
            await self.spend(self._one_of("topped-up"), TOP_UP_SPEND, key)
        elif action == "expire":
            await self.expiring(self._one_of("expiring"), key)
        else:
            await self.hold(self._one_of("api"), action, key)

    def _one_of(self, kind: str) -> str:
        return f"{kind}-{self.chance.randrange(ACCOUNTS[kind])}"

    async def spend(self, account: str, credits: int, key: str) -> None:
        """Spend so many."""
        if await self.ask(account, credits, lambda web: web.spend(account, credits, key=key)):
            self.due.note(account, "spend", -credits)

    async def expiring(self, account: str, key: str) -> None:
        """Two credits for a short while; one of them is spent, sometimes too late."""
        ends = datetime.now(UTC) + timedelta(seconds=EXPIRES_SECONDS)
        if await self.ask(account, 2, lambda web: web.grant(account, 2, expires_at=ends, key=f"{key} gift")):
            self.due.note(account, "grant", 2)
        await self.spend(account, 1, key)

    async def hold(self, account: str, action: str, key: str) -> None:
        """Reserve three; use all, or two of them in parts, or none; or never come back."""
        seconds = FORGOTTEN_SECONDS if action == "forget" else HOLD_SECONDS
        held = await self.ask(
            account, 0, lambda web: web.place_hold(account, 3, seconds=seconds, key=f"{key} hold")
        )
        if held is None or action == "forget":
            return
        if action == "release":
            await self.ask(account, 0, lambda web: web.release(account, held.hold))
            return
        for part, final in ((1, False), (1, True)) if action == "part" else ((3, True),):
            name = f"{key} {final}"
            if await self.ask(
                account,
                part,
                lambda web, p=part, f=final, n=name: web.capture(account, held.hold, p, final=f, key=n),
            ):  # type: ignore[misc]
                self.due.note(account, "spend", -part)


async def programs(world: World, due: Due, stop: asyncio.Event) -> None:
    """All of them, until ``stop``; what is under way then is finished."""
    code, made, said = await world.run("keys", "create", "soak")
    if code:
        raise RuntimeError(f"no key: {said}")
    bases = [world.programs[name].health.removesuffix("/health") for name in ("web steady", "web restarted")]
    async with AsyncExitStack() as stack:
        webs = [await stack.enter_async_context(AsyncClient(base, key=made["secret"])) for base in bases]
        mine = Programs(world, due, webs, random.Random(3))
        await _open(mine)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_disputes(world, due, stop))
            while not stop.is_set():
                tasks.create_task(mine.act())
                await asyncio.sleep(mine.chance.expovariate(RATE))


async def _open(mine: Programs) -> None:
    for kind, count in ACCOUNTS.items():
        for account in (f"{kind}-{number}" for number in range(count)):
            await mine.ask(account, 0, lambda web, a=account: web.open_account(a))  # type: ignore[misc]
            if kind == "api":
                await mine.ask(
                    account, CREDITS, lambda web, a=account: web.grant(a, CREDITS, key=f"first of {a}")
                )  # type: ignore[misc]
                mine.due.note(account, "grant", CREDITS)
            if kind == "topped-up":
                await _card(mine.world, mine.due, account)


async def _card(world: World, due: Due, account: str) -> None:
    """A rule that buys when the account runs low, and a card that it may charge."""
    async with AsyncExitStack() as stack:
        database = await Database.open(world.url, pool_max=1)
        stack.push_async_callback(database.close)
        api = StripeApi(stripe_settings(world.environment["STRIPE_API_BASE"], "whsec_unused"))
        stack.push_async_callback(api.close)
        heller = await stack.enter_async_context(Heller.connect(world.url, pool_max=1))
        due.customers[account] = await customer_of(database, api, account)
        await heller.put_top_up_rule(
            account, threshold=THRESHOLD, price=PRICE, cooldown_seconds=5, failures_max=1_000
        )
    (await world.twin.post("/_twin/save_card", json={"customer": due.customers[account]})).raise_for_status()


async def _disputes(world: World, due: Due, stop: asyncio.Event) -> None:
    """Now and then a buyer's bank takes a payment back; every second time it gives it up again."""
    disputed: set[str] = set()
    for number in range(100_000):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), DISPUTE_SECONDS)
        if stop.is_set():
            return
        account = f"topped-up-{number % ACCOUNTS['topped-up']}"
        open_ones = [intent for intent in await paid(world, due.customers[account]) if intent not in disputed]
        if not open_ones:
            continue
        disputed.add(open_ones[0])
        made = await world.twin.post("/_twin/dispute", json={"payment": open_ones[0]})
        await asyncio.sleep(DISPUTE_ANSWER_SECONDS)
        end = "lost" if number // ACCOUNTS["topped-up"] % 2 else "won"
        ended = await world.twin.post(
            "/_twin/move_dispute", json={"dispute": made.raise_for_status().json()["id"], "status": end}
        )
        ended.raise_for_status()
        due.counts[f"disputes {end}"] += 1
        due.lost[account] += PACK_CREDITS * (end == "lost")


async def paid(world: World, customer: str) -> list[str]:
    """The payments of a customer that succeeded, as Stripe's stand-in has them."""
    found: list[str] = []
    params = {"customer": customer, "limit": "100"}
    while True:
        answer = await world.twin.get(
            "/v1/payment_intents", params=params, headers={"authorization": f"Bearer {KEY}"}
        )
        page = answer.raise_for_status().json()
        found += [intent["id"] for intent in page["data"] if intent["status"] == "succeeded"]
        if not page["has_more"]:
            return found
        params["starting_after"] = page["data"][-1]["id"]


# -- the sums


async def settled(world: World) -> None:
    """What was forgotten runs out, and a worker sweeps it."""
    await asyncio.sleep(EXPIRES_SECONDS)
    async with await connect(world.url) as connection:
        for _ in range(SWEEP_TRIES_MAX):
            if not await (await connection.execute(UNSWEPT)).fetchone():
                return
            await asyncio.sleep(1)


async def findings(world: World, due: Due) -> tuple[list[str], dict[str, Any]]:
    """Each answered call is in the ledger once and no other is; nothing is held; what Stripe was paid was credited."""
    async with await connect(world.url) as connection:
        rows = await (await connection.execute(KINDS)).fetchall()
        held = await (await connection.execute(HELD)).fetchall()
    there: dict[str, Counter[str]] = {}
    for account, kind, credits in rows:
        there.setdefault(account, Counter())[kind] = credits
    payments = {account: len(await paid(world, customer)) for account, customer in due.customers.items()}
    found = [
        f"programs: {account} holds {credits} although nothing is under way" for account, credits in held
    ]
    return found + compare(due, there, payments), {
        "counts": dict(due.counts), "doubtful": due.doubtful.total(), "payments": sum(payments.values())
    }  # fmt: skip


def compare(due: Due, there: Mapping[str, Counter[str]], payments: Mapping[str, int]) -> list[str]:
    """The sums of each account by kind beside what was answered; exact but for calls that were given up."""
    found = []
    for account, must in due.credits.items():
        has = there.get(account, Counter[str]())
        found += [
            f"programs: {account} has {has[kind]} credits by {kind}, answered were {must[kind]}"
            for kind in ("grant", "spend") if abs(has[kind] - must[kind]) > due.doubtful[account]
        ]  # fmt: skip
        if account.startswith("expiring") and has.total():
            found.append(f"programs: {account} has {has.total()} credits that should have expired")
    for account, count in payments.items():
        has = there.get(account, Counter[str]())
        bought = has["purchase"] + has["clawback"] + has["reinstate"]
        if bought != count * PACK_CREDITS - due.lost[account]:
            found.append(
                f"programs: {account} got {bought} credits for {count} payments of {PACK_CREDITS}, of which {due.lost[account]} were lost to disputes"
            )
    return found
