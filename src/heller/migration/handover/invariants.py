"""I1 to I6: one owner, nothing lost, each payment once, balance = sum, frozen stays frozen, no operation missing.

Run by ``heller migrate invariants`` and by the worker all the time. The two databases cannot be read at one instant,
so whatever looks wrong is read again before it is called a breach.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from heller.migration.handover.facts import LegacyFacts, OurFacts, read_facts
from heller.migration.handover.runs import Sides

PAGE_USERS = 1_000
LOOKS = 4
LOOK_AGAIN_SECONDS = 0.25
BREACHES_MAX = 1_000
UNCREDITED_MINUTES = 15

_UNCREDITED = """
select i.event_id, i.status, coalesce(i.detail, i.reason, '') from heller.inbox i
where i.status in ('pending', 'processing', 'dead') and i.received_at < clock_timestamp() - make_interval(mins => %s)
  and i.type !~ '^heller' order by i.inbox_id limit 100
"""
_UNDRAINED = """
select id, user_id, outcome from heller_fence.outbox
where drained_at is null and captured_at < clock_timestamp() - make_interval(mins => %s) order by id limit 100
"""


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken invariant of one account; ``credits`` is what is missing (negative) or too much."""

    invariant: str
    account: str
    sentence: str
    credits: int = 0


@dataclass(slots=True)
class Conservation:
    """credits in legacy + in heller + in transit = opening + bought - spent (+ what decisions added, + old drift)."""

    legacy: int = 0
    heller: int = 0
    in_transit: int = 0
    opening: int = 0
    brought: int = 0
    spent: int = 0
    decided: int = 0
    drift: int = 0
    drift_users: int = 0
    strict: bool = False

    @property
    def difference(self) -> int:
        """0, to the credit; in strict counting nothing may be left to the old system's drift."""
        due = self.opening + self.brought - self.spent + self.decided + (0 if self.strict else self.drift)
        return self.legacy + self.heller + self.in_transit - due

    def line(self) -> str:
        """The one line that says it."""
        drift = f" {self.drift:+,} unexplained by the old system" if self.drift else ""
        return (
            f"{self.legacy:,} in legacy + {self.heller:,} in heller + {self.in_transit:,} in transit"
            f" = {self.opening:,} opening + {self.brought:,} bought - {self.spent:,} spent"
            f"{f' {self.decided:+,} decided' if self.decided else ''}{drift}"
        )


@dataclass(slots=True)
class Invariants:
    """The result of one look at everything."""

    users: int = 0
    at_home: dict[str, int] = field(default_factory=lambda: {"legacy": 0, "heller": 0, "moving": 0})
    breaches: list[Breach] = field(default_factory=list)
    conservation: Conservation = field(default_factory=Conservation)

    @property
    def ok(self) -> bool:
        """No invariant is broken."""
        return not self.breaches

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate invariants``."""
        return {
            "ok": self.ok,
            "users": self.users,
            "homes": self.at_home,
            "conservation": asdict(self.conservation)
            | {"difference": self.conservation.difference, "line": self.conservation.line()},
            "breaches": [asdict(breach) for breach in self.breaches],
        }


async def check_invariants(
    sides: Sides, *, strict: bool = False, users: Sequence[str] | None = None
) -> Invariants:
    """Check every invariant of every user (or of these).

    Args:
        strict: the legacy application writes a row for every change of a balance, so a balance that its rows do not
            explain is a breach; otherwise it is only counted as drift (the old system had such differences before).
    """
    result = Invariants(conservation=Conservation(strict=strict))
    pages = _pages(sides) if users is None else _one_page(users)
    async for page in pages:
        await _check_page(sides, page, result, strict=strict)
    if users is None:
        await _check_waiting(sides, result)
    if result.conservation.difference:
        result.breaches.append(
            Breach(
                "I2",
                "",
                f"the whole does not add up: {result.conservation.line()}",
                result.conservation.difference,
            )
        )
    return result


async def _pages(sides: Sides) -> AsyncIterator[list[str]]:
    """All users of either side, by id."""
    after = ""
    while True:
        theirs = await (
            await sides.legacy.connection.execute(
                "select user_id from heller_fence.fence where user_id > %s and not stray order by user_id limit %s",
                [after, PAGE_USERS],
            )
        ).fetchall()
        mine = await (
            await sides.ours.connection.execute(
                "select account_id from heller.accounts where account_id > %s and unit = 'credit' and epoch is not null"
                " order by account_id limit %s", [after, PAGE_USERS]
            )
        ).fetchall()  # fmt: skip
        page = sorted({row[0] for row in (*theirs, *mine)}, key=lambda user: user.encode())[:PAGE_USERS]
        if not page:
            return
        yield page
        after = page[-1]


async def _one_page(users: Sequence[str]) -> AsyncIterator[list[str]]:
    yield list(users)


async def _check_page(sides: Sides, page: list[str], result: Invariants, *, strict: bool) -> None:
    theirs, mine = await read_facts(sides.legacy, sides.ours, page)
    suspects = {user: _breaches(user, theirs.get(user), mine.get(user), strict=strict) for user in page}
    for _ in range(LOOKS - 1):
        wrong = [user for user, found in suspects.items() if found]
        if not wrong:
            break
        await asyncio.sleep(LOOK_AGAIN_SECONDS)  # a move may have been under way between the two looks
        again_theirs, again_mine = await read_facts(sides.legacy, sides.ours, wrong)
        theirs |= again_theirs
        mine |= again_mine
        suspects |= {user: _breaches(user, theirs.get(user), mine.get(user), strict=strict) for user in wrong}
    for user in page:
        result.breaches.extend(suspects[user][: BREACHES_MAX - len(result.breaches)])
        _count(result, theirs.get(user), mine.get(user))
    result.users += len(page)


def _breaches(user: str, t: LegacyFacts | None, m: OurFacts | None, *, strict: bool) -> list[Breach]:
    """What is wrong with one user."""
    if t is None or t.epoch is None:
        if m is not None and m.epoch is not None and m.epoch > 0 and m.has_home:
            return [
                Breach(
                    "I1", user, "has moved, and the legacy database has no fence row: restored or removed?"
                )
            ]
        return []
    if m is None:
        return (
            []
            if t.epoch <= 1
            else [
                Breach("I1", user, f"the legacy database is at epoch {t.epoch}, heller never had the account")
            ]
        )
    ours = 0 if m.epoch is None and not m.from_legacy else m.epoch
    found: list[Breach] = []
    if ours is None:
        found.append(
            Breach("I1", user, "was copied and can be spent in both systems: run fence install again")
        )
        ours = 0
    if (t.epoch % 2 == 0 and ours % 2 == 1) or abs(t.epoch - ours) > 1:
        found.append(
            Breach("I1", user, f"two owners: the legacy database is at epoch {t.epoch}, heller at {ours}")
        )
    found += _own_breaches(user, t, m, ours)
    if t.epoch % 2 == 1 and (t.statement_digest, t.statement_balance) != (t.digest, t.balance):
        found.append(_changed(user, t))
    if strict and not found and (drift := _drift(t, m, ours)):
        found.append(Breach("I2", user, f"{drift:+} credits that no row explains", drift))
    return found


def _changed(user: str, t: LegacyFacts) -> Breach:
    """What happened to a legacy user who is away: who puts it right must know what it was."""
    credits = t.balance - (t.statement_balance or 0)
    what = (
        f"it had {t.statement_balance} credits and has {t.balance}" if credits else "its rows are others now"
    )
    return Breach(
        "I5", user, f"was changed in the legacy database after it was sealed there: {what}", credits
    )


def _own_breaches(user: str, t: LegacyFacts, m: OurFacts, ours: int) -> list[Breach]:
    """What is wrong with heller's side of one user."""
    found: list[Breach] = []
    if m.posted != m.total:
        found.append(
            Breach(
                "I4",
                user,
                f"heller's balance is {m.posted} and its transactions sum to {m.total}",
                m.posted - m.total,
            )
        )
    if m.twice is not None:
        found.append(Breach("I3", user, f"payment {m.twice} was credited twice"))
    if ours % 2 == 1 and m.our_balance is not None and m.posted != m.our_balance + m.since:
        gap = m.posted - m.our_balance - m.since
        found.append(
            Breach("I2", user, f"{gap:+} credits since it came to heller that no transaction explains", gap)
        )
    if ours > 0 and ours % 2 == 0 and not m.is_refused:
        if m.statement_balance != m.posted or m.last_seq != m.seen_seq:
            found.append(
                Breach(
                    "I5",
                    user,
                    "was changed in heller after it was sealed here",
                    m.posted - (m.statement_balance or 0),
                )
            )
        if t.epoch == ours and t.carried_rows != m.known_to_legacy:
            found.append(
                Breach(
                    "I6",
                    user,
                    f"{m.known_to_legacy} transactions of heller were returned and {t.carried_rows} are in the legacy history",
                )
            )
    return found


def _owned(t: LegacyFacts, m: OurFacts | None, ours: int) -> tuple[str, int]:
    """Who has the credits of this user now, and how many."""
    epoch = t.epoch or 0
    if epoch % 2 == 0:
        return "legacy", t.balance
    if ours % 2 == 1 and m is not None:
        return "heller", m.posted
    if epoch > ours:
        return "moving", t.statement_balance or 0
    return "moving", (m.statement_balance or 0) if m is not None else 0


def _drift(t: LegacyFacts, m: OurFacts | None, ours: int) -> int:
    """What the old system had beyond opening and rows while it was the owner: changes it made without writing a row."""
    home, credits = _owned(t, m, ours)
    own = m.own if m is not None else 0
    if (
        home == "heller" and m is not None and m.legacy_balance is not None
    ):  # as of the move here; later changes are I2's
        credits, own = m.legacy_balance, own - m.since
    return credits - (t.opening_balance or 0) - t.born - own


def _count(result: Invariants, t: LegacyFacts | None, m: OurFacts | None) -> None:
    """Add one user to the conservation line."""
    if t is None or t.epoch is None:
        return
    ours = m.epoch or 0 if m is not None else 0
    home, credits = _owned(t, m, ours)
    result.at_home[home] += 1
    c = result.conservation
    c.legacy += credits if home == "legacy" else 0
    c.heller += credits if home == "heller" else 0
    c.in_transit += credits if home == "moving" else 0
    c.opening += t.opening_balance or 0
    own, brought = (m.own, m.brought) if m is not None else (0, 0)
    c.brought += brought + t.brought
    c.spent += brought - own + t.brought - t.born
    c.decided += m.offset if m is not None and home == "heller" else 0
    drift = _drift(t, m, ours)
    c.drift += drift
    c.drift_users += drift != 0


async def _check_waiting(sides: Sides, result: Invariants) -> None:
    """I3 and I6 for what waits outside the ledger: deliveries of payments, purchases in the outbox."""
    for event, status, detail in await (
        await sides.ours.connection.execute(_UNCREDITED, [UNCREDITED_MINUTES])
    ).fetchall():
        result.breaches.append(
            Breach(
                "I3", event, f"a delivery is {status} for more than {UNCREDITED_MINUTES} minutes: {detail}"
            )
        )
    for number, user, why in await (
        await sides.legacy.connection.execute(_UNDRAINED, [UNCREDITED_MINUTES])
    ).fetchall():
        result.breaches.append(
            Breach(
                "I6",
                user,
                f"purchase {number} waits in the outbox for more than {UNCREDITED_MINUTES} minutes"
                + (f": {why}" if why else ""),
            )
        )
