"""The moves: handover, return, refusal, recovery. Any number of coordinators may run them, each may die at any line.

A move is two local commits, seal at the giver and activate at the taker; between them nobody owns the user, and the
pair of epochs alone says how to go on. See docs/decisions/0007-one-owner.md.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from psycopg.errors import DeadlockDetected

from heller.errors import Busy
from heller.migration.handover.canonical import Rows, canonical, state_of
from heller.migration.handover.legacy_side import Carried, LegacySide, Read, Sealed, Seen
from heller.migration.handover.our_side import Known, OurSide
from heller.migration.handover.outcomes import Outcome
from heller.migration.handover.points import Reached, unwatched

BATCH_USERS = 50
DEADLOCKS_MAX = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    """What will be imported for one user, worked out before anybody has to wait."""

    seen: Seen
    statement: dict[str, Any]
    problem: str = ""


class Coordinator:
    """Moves users between two databases. ``reached`` is called at each named point (tests kill the process there)."""

    def __init__(self, legacy: LegacySide, ours: OurSide, *, reached: Reached = unwatched) -> None:
        self.legacy = legacy
        self.ours = ours
        self._prices: dict[tuple[int, str], int] | None = None
        self._reached = legacy.reached = ours.reached = reached

    async def hand_over(self, users: Sequence[str]) -> list[Outcome]:
        """Move these users to heller; those in use this instant are ``busy``, to be tried again."""
        await self.ours.claim(users)
        prepared = await self.prepare(users)
        sound = [user for user in users if not prepared[user].problem]
        outcomes = [
            Outcome(user, "skipped", prepared[user].problem) for user in users if prepared[user].problem
        ]
        started = time.perf_counter()
        self._reached("legacy.before_seal")
        sealed = await self.legacy.seal(sound) if sound else []
        self._reached("legacy.sealed")
        done = {s.user for s in sealed}
        epochs = await self.legacy.epochs([user for user in sound if user not in done])
        for user, epoch in epochs.items():
            outcomes.append(
                Outcome(user, "known" if epoch % 2 else "busy", "" if epoch % 2 else "in use at this instant")
            )
        outcomes += [
            Outcome(user, "skipped", "no such user")
            for user in sound
            if user not in done and user not in epochs
        ]
        return outcomes + await self.activate(sealed, prepared=prepared, started=started)

    async def activate(
        self,
        sealed: Sequence[Sealed],
        *,
        prepared: dict[str, Prepared] | None = None,
        started: float | None = None,
    ) -> list[Outcome]:
        """Bring sealed users to heller. Repeating it, by anybody, has the same result."""
        if not sealed:
            return []
        ready = dict(prepared or {})
        stale = [s.user for s in sealed if s.user not in ready or str(ready[s.user].seen.digest) != s.digest]
        if stale:  # written to between the preparation and the seal; now nothing changes any more
            ready |= await self.prepare(stale)
        outcomes: list[Outcome] = []
        statements: list[dict[str, Any]] = []
        for s in sealed:
            work = ready[s.user]
            problem = work.problem
            if not problem and (str(work.seen.digest), len(work.seen.rows)) != (s.digest, s.rows):
                problem = "the rows in the legacy database are not the ones that were sealed"
            if problem:
                await self.ours.quarantine(s.user, problem)
                outcomes.append(Outcome(s.user, "quarantined", problem))
                continue
            statements.append(
                work.statement
                | {
                    "account": s.user,
                    "epoch": s.epoch,
                    "balance": s.balance,
                    "digest": s.digest,
                    "sealed_at": s.sealed_at.isoformat(),
                }
            )
        self._reached("heller.before_activate")
        results = await _insisting(lambda: self.ours.activate(statements)) if statements else []
        self._reached("heller.activated")
        frozen = time.perf_counter() - started if started is not None else 0.0
        return outcomes + [
            Outcome(
                r["account"], r["outcome"], r.get("reason", ""), frozen if r["outcome"] == "moved" else 0.0
            )
            for r in results
        ]

    async def send_back(self, accounts: Sequence[str]) -> list[Outcome]:
        """Return these accounts to the legacy database; open holds are waited for (``draining``)."""
        started = time.perf_counter()
        self._reached("heller.before_seal")
        results = await self.ours.seal(accounts)
        self._reached("heller.sealed")
        sealed = [r["account"] for r in results if r["outcome"] == "sealed"]
        words = {"away": "known", "own": "skipped", "unknown": "skipped", "frozen": "skipped"}
        reasons = {
            "own": "made in heller: the legacy system never knew this user",
            "unknown": "no such account",
            "busy": "in use at this instant",
            "draining": "waits for open holds",
        }
        outcomes = [
            Outcome(
                r["account"],
                words.get(r["outcome"], r["outcome"]),
                reasons.get(r["outcome"], r.get("reason", "")),
            )
            for r in results
            if r["outcome"] != "sealed"
        ]
        return outcomes + await self.take_back(sealed, started=started)

    async def take_back(self, accounts: Sequence[str], *, started: float | None = None) -> list[Outcome]:
        """Bring accounts that are sealed here to the legacy database. Repeating it has the same result."""
        statements = await self.ours.statements(accounts)
        self._reached("legacy.before_activate")
        results = await _insisting(lambda: self.legacy.take_back(statements)) if statements else []
        self._reached("legacy.activated")
        frozen = time.perf_counter() - started if started is not None else 0.0
        for r in results:
            if r["outcome"] == "quarantined":
                await self.ours.quarantine(r["account"], r["reason"])
        received = [r for r in results if r["outcome"] in {"returned", "known"}]
        if received:
            await self.ours.confirm(received)
        return [
            Outcome(
                r["account"], r["outcome"], r.get("reason", ""), frozen if r["outcome"] == "returned" else 0.0
            )
            for r in results
        ]

    async def refuse(self, users: Sequence[str]) -> list[Outcome]:
        """Give users who are sealed in the legacy database, but not here yet, back unchanged."""
        sealed = await self.legacy.statements(users)
        self._reached("heller.before_refuse")
        results = await self.ours.refuse(
            [{"account": s.user, "epoch": s.epoch, "balance": s.balance, "digest": s.digest} for s in sealed]
        )
        self._reached("heller.refused")
        refused = [r["account"] for r in results if r["outcome"] == "refused"]
        stale = [
            Outcome(r["account"], "known", "has moved already") for r in results if r["outcome"] != "refused"
        ]
        return stale + await self.take_back(refused)

    async def recover(self, users: Sequence[str]) -> list[Outcome]:
        """Finish what was begun for these users; what to do follows from the pair of epochs alone."""
        legacy, ours = await self.legacy.epochs(users), await self.ours.epochs(users)
        forward, back, outcomes = [], [], []
        for user in users:
            here, there = max(ours.get(user, 0), 0), legacy.get(user, 0)
            if there == here + 1 and there % 2 == 1:
                forward.append(user)
            elif here == there + 1 and here % 2 == 0:
                back.append(user)
            elif abs(here - there) > 1 or (here % 2 == 1 and there % 2 == 0):
                outcomes.append(
                    Outcome(
                        user,
                        "quarantined",
                        f"two owners: the legacy database is at epoch {there}, heller at {here}: was it restored from an older backup?",
                    )
                )
            elif here == there and here % 2 == 0 and here > 0:
                await self.ours.confirm([{"account": user, "epoch": here}])
        if forward:
            outcomes += await self.activate(await self.legacy.statements(forward))
        if back:
            outcomes += await self.take_back(back)
        return outcomes

    async def prepare(self, users: Sequence[str]) -> dict[str, Prepared]:
        """What is to be imported for these users, as their rows are now."""
        if self._prices is None:
            self._prices = await self.ours.prices()
        seen = await self.legacy.look(users)
        carried = await self.legacy.carried(users)
        known = await self.ours.known(users)
        nothing = Carried(frozenset(), {})
        unknown = {
            user: {place for place, delta in seen[user].rows.items() if delta}
            - known[user].rows.keys()
            - carried.get(user, nothing).rows
            for user in users
        }
        beside = await self.ours.beside(place for places in unknown.values() for place in places)
        gone = {
            place
            for user in users
            for place in known[user].rows
            if place not in seen[user].rows and _is_row(place, self.legacy)
        }
        elsewhere = await self.legacy.exist(gone) if gone else set()
        skipped = {
            row
            for user in users
            for (label, row) in known[user].rows.keys() | carried.get(user, nothing).rows
        }
        rows = await self.legacy.read(users, without=_safe(skipped, unknown, beside))
        whole = [
            user
            for user in users
            if _needs_all(
                rows[user],
                known[user],
                carried.get(user, nothing),
                beside,
                self.legacy.layout.mapping.statuses,
            )
        ]
        if whole:
            rows |= await self.legacy.read(whole)
        return {
            user: self._work(
                seen[user], known[user], carried=carried.get(user, nothing), read=rows[user], beside=beside,
                is_whole=user in whole, gone=gone - elsewhere, elsewhere=elsewhere,
            )
            for user in users
        }  # fmt: skip

    def _work(
        self,
        seen: Seen,
        known: Known,
        *,
        carried: Carried,
        read: Read,
        beside: set[tuple[str, str]],
        is_whole: bool,
        gone: set[tuple[str, str]],
        elsewhere: set[tuple[str, str]],
    ) -> Prepared:
        labels = {part.label for part in self.legacy.layout.rows}
        mine = {place: delta for place, delta in known.rows.items() if place[0] in labels}
        problem = _problem(seen, mine, gone=gone)
        settled = {
            place for place, (_, _, version) in known.payments.items() if version > 0
        } | carried.payments.keys()
        found = canonical(
            Rows(
                read.payments if is_whole else [], read.history, frozenset(mine.keys() | carried.rows | beside),
                {place: key for place, (key, _, _) in known.payments.items()} | dict(carried.payments), frozenset(settled),
                self.legacy.layout.mapping.kinds, self.legacy.layout.mapping.statuses, named=carried.named,
            ),
            system=self.legacy.layout.system, credits_of_price=self._prices,
        )  # fmt: skip
        entries = (
            []
            if problem
            else [
                entry for entry in found.entries if (entry["source_table"], entry["source_id"]) in seen.rows
            ]
        )
        return Prepared(
            seen,
            {
                "payments": found.payments + _delivered(carried, known, found.payments),
                "entries": entries,
                "merged": found.merged,
                "tables": sorted(labels),
                "rows": len(mine) + len(entries),
                "sum": sum(mine.values()) + sum(entry["delta"] for entry in entries),
                "elsewhere": sum(mine[place] for place in elsewhere if place in mine),
            },
            problem,
        )


async def _insisting(effect: Callable[[], Awaitable[list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Once more after a deadlock: the users are sealed, nothing was changed, and repeating it has the same result.

    A legacy webhook locks its event and then its user, a return its user and then the user's events: no order is everybody's.
    """
    for _ in range(DEADLOCKS_MAX):
        with suppress(DeadlockDetected, Busy):
            return await effect()
    return await effect()


def _is_row(place: tuple[str, str], legacy: LegacySide) -> bool:
    return any(place[0] == part.label for part in legacy.layout.rows)


def _safe(
    skipped: set[str], unknown: dict[str, set[tuple[str, str]]], beside: set[tuple[str, str]]
) -> set[str]:
    """Ids to leave out of the reading: never one that is unknown in another table."""
    wanted = {place[1] for places in unknown.values() for place in places if place not in beside}
    return (skipped | {row for _, row in beside}) - wanted


def _problem(seen: Seen, mine: dict[tuple[str, str], int], *, gone: set[tuple[str, str]]) -> str:
    lost = sorted(place for place in mine if place in gone)
    if lost:
        return f"{lost[0][0]} {lost[0][1]} was copied and is no longer in the legacy database"
    changed = sorted(
        place for place, delta in mine.items() if place in seen.rows and seen.rows[place] != delta
    )
    if changed:
        table, row = changed[0]
        return f"{table} {row} was copied as {mine[changed[0]]} credits and is {seen.rows[changed[0]]} now"
    return ""


def _delivered(carried: Carried, known: Known, payments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was bought in heller, paid and credited at home: heller must know before it looks at Stripe's events of it."""
    there = {key for key, _, _ in known.payments.values()} | {p["payment_key"] for p in payments}
    return [dict(payment) for payment in carried.delivered if payment["payment_key"] not in there]


def _needs_all(
    read: Read,
    known: Known,
    carried: Carried,
    beside: set[tuple[str, str]],
    statuses: Mapping[str, str],
) -> bool:
    """True when more than plain usage is new: then payments and bookings are worked out from all rows."""
    news = [
        row
        for row in read.history
        if row.place not in known.rows and row.place not in carried.rows and row.place not in beside
    ]
    if any(row.delta > 0 or row.ledger or row.payment_ref or row.event for row in news):
        return True
    for payment in read.payments:
        place = (payment.label, payment.id)
        there = known.payments.get(place)
        if there is None and place not in carried.payments and place not in beside:
            return True
        if there is not None and there[2] == 0 and _has_changed(payment.status, there[1], statuses):
            return True
    return any(
        row.delta < 0 and ("refund" in (row.reason or "").lower() or "charge" in (row.reason or "").lower())
        for row in news
    )


def _has_changed(status: str | None, state: str, statuses: Mapping[str, str]) -> bool:
    return state_of(status, statuses) not in {
        "settled": {"paid"}, "partly_refunded": {"paid", "refunded"}, "refunded": {"refunded", "paid"}, "disputed": {"chargeback"},
        "open": {"open"}, "processing": {"open"}, "failed": {"failed"}, "canceled": {"canceled"},
    }.get(state, set())  # fmt: skip
