"""The ledger in plain Python: every credit is laid over its grants at once, nothing is lazy.

Instants are whole seconds. A verb answers a dictionary or raises ``Refusal`` with heller's code.
"""

from dataclasses import dataclass, field
from typing import Any

NEVER = float("inf")
PERIOD = 20
"""Seconds from one boundary of a recurring grant to the next."""


class Refusal(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Grant:
    id: int
    amount: int
    remaining: int
    source: str
    priority: int = 100
    available_at: int | None = None
    expires_at: int | None = None
    is_scheduled: bool = False
    is_voided: bool = False
    cost: int = 0
    payment: str | None = None
    seq: int | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        return (
            self.priority,
            self.expires_at if self.expires_at is not None else NEVER,
            self.source != "promotion",
            self.id,
        )

    def has_expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def worth(self, used: int) -> int:
        return self.cost * used // self.amount


@dataclass
class Recurring:
    amount: int
    anchor: int
    next_at: int
    rollover: int = 0
    expires: bool = True
    ends_at: int | None = None
    given_until: int | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def next_end(self) -> int:
        """The first boundary after the next period has begun."""
        return self.anchor + ((self.next_at - self.anchor) // PERIOD + 1) * PERIOD

    @property
    def is_over(self) -> bool:
        return self.ends_at is not None and self.next_at >= self.ends_at


@dataclass
class Hold:
    id: int
    amount: int
    overrun_limit: int
    expires_at: int
    captured: int = 0
    state: str = "open"

    @property
    def rest(self) -> int:
        return max(self.amount - self.captured, 0)


@dataclass
class Transaction:
    seq: int
    delta: int
    kind: str
    effective_at: int
    parts: list[tuple[int | None, int]] = field(default_factory=list)
    related_seq: int | None = None
    payment: str | None = None
    is_void: bool = False
    is_reversal: bool = False
    put_back: list[tuple[int, int]] = field(default_factory=list)
    member: str | None = None
    counterparty: tuple[str, str] | None = None
    to_seq: int | None = None


@dataclass
class Account:
    overdraft_limit: int = 0
    posted: int = 0
    uncovered: int = 0
    is_frozen: bool = False
    grants: list[Grant] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    members: dict[str, int | None] = field(default_factory=dict)  # who may spend, and the cap
    spent: dict[str, int] = field(default_factory=dict)  # by each member so far
    recurring: dict[str, Recurring] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return sum(h.rest for h in self.holds if h.state == "open")

    @property
    def available(self) -> int:
        return self.posted - self.held + self.overdraft_limit

    # -- what time does

    def begin_periods(self, now: int) -> None:
        """Give what recurs, a period at a time; the part that may live on is a grant of its own."""
        while begun := [
            (r.next_at, name) for name, r in self.recurring.items() if r.next_at <= now and not r.is_over
        ]:
            at, name = min(begun)
            r = self.recurring[name]
            late = min(r.rollover, r.amount) if r.expires else r.amount
            cost = r.more["cost"] * late // r.amount
            parts = [
                (r.amount - late, r.more["cost"] - cost, r.next_end),
                (late, cost, r.next_end + PERIOD if r.expires else None),
            ]
            for amount, its_cost, until in parts:
                if amount:
                    more = {**r.more, "cost": its_cost, "expires_at": until}
                    self.give(amount, available_at=at, is_scheduled=True, **more)
            r.next_at = r.given_until = r.next_end

    def run_due(self, now: int) -> None:
        self.begin_periods(now)
        events = [
            (g.available_at, 1, g.id) for g in self.grants if g.is_scheduled and g.available_at is not None
        ]
        events += [(h.expires_at, 2, h.id) for h in self.holds if h.state == "open"]
        events += [
            (g.expires_at, 3, g.id) for g in self.grants if g.expires_at is not None and not g.is_voided
        ]
        due = sorted(event for event in events if event[0] <= now)
        last = {at: (at, rank, number) for at, rank, number in due}
        for at, rank, number in due:
            if rank == 1:
                grant = self.grants[number - 1]
                grant.is_scheduled = False
                self._bring(grant)
                self.post(grant.amount, kind_of(grant.source), at, payment=grant.payment)
            elif rank == 2:
                self.holds[number - 1].state = "expired"
            if last[at] == (at, rank, number):
                self.sweep(at)

    def sweep(self, at: int) -> None:
        """Forfeit what is left of expired grants, but for the first credits in order, which open holds promise."""
        before = 0
        forfeited: list[tuple[Grant, int]] = []
        for grant in sorted((g for g in self.grants if g.remaining), key=lambda g: g.order):
            promised = min(max(self.held - before, 0), grant.remaining)
            if grant.has_expired(at) and grant.remaining > promised:
                forfeited.append((grant, grant.remaining - promised))
            before += grant.remaining
        for grant, amount in sorted(forfeited, key=lambda f: (f[0].expires_at, f[0].id)):
            grant.remaining -= amount
            self.post(-amount, "expire", at, parts=[(grant.id, amount)])

    # -- parts of verbs

    def affordable(self, amount: int, allow_partial: bool, min_available_after: int | None) -> int:
        free = self.available - (min_available_after or 0)
        if amount > free:
            amount = max(free, 0) if allow_partial else 0
        if not amount:
            raise Refusal("HL002")
        return amount

    def post(self, delta: int, kind: str, at: int, **more: Any) -> Transaction:
        self.posted += delta
        self.transactions.append(Transaction(len(self.transactions) + 1, delta, kind, at, **more))
        return self.transactions[-1]

    def draw(
        self, amount: int, *, now: int = 0, payment: str | None = None, live_first: bool = False
    ) -> list[tuple[int | None, int]]:
        parts: list[tuple[int | None, int]] = []
        order = sorted(
            (g for g in self.grants if g.remaining),
            key=lambda g: (
                payment is None or g.payment != payment,
                live_first and g.has_expired(now),
                g.order,
            ),
        )
        for grant in order:
            part = min(amount, grant.remaining)
            if part:
                grant.remaining -= part
                parts.append((grant.id, part))
                amount -= part
        if amount:
            self.uncovered += amount
            parts.append((None, amount))
        return parts

    def _bring(self, grant: Grant) -> None:
        grant.seq = len(self.transactions) + 1  # of the transaction that brings it, which is posted next
        debt = min(self.uncovered, grant.amount)
        self.uncovered -= debt
        grant.remaining = grant.amount - debt

    def give(self, amount: int, source: str, **more: Any) -> Grant:
        grant = Grant(len(self.grants) + 1, amount, 0, source, **more)
        self.grants.append(grant)
        if not grant.is_scheduled:
            self._bring(grant)
        return grant


def kind_of(source: str) -> str:
    return {"purchase": "purchase", "migration": "migrate"}.get(source, "grant")


class Ledger:
    def __init__(self) -> None:
        self.now = 0
        self.accounts: dict[tuple[str, str], Account] = {}

    def _of(self, name: tuple[str, str]) -> Account:
        account = self.accounts[name]
        if account.is_frozen:
            raise Refusal("HL005")
        account.run_due(self.now)
        return account

    def look(self, name: tuple[str, str]) -> Account:
        """The account as a reader sees it: what is due counts as done, a frozen account's too."""
        from copy import deepcopy  # noqa: PLC0415 - only readers of frozen accounts pay for it

        account = self.accounts[name]
        if account.is_frozen:
            account = deepcopy(account)
        account.run_due(self.now)
        return account

    def _at(self, at: int | None) -> int:
        return self.now if at is None else at

    def grant(
        self,
        name: tuple[str, str],
        amount: int,
        *,
        source: str,
        available_at: int | None = None,
        at: int | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        account = self._of(name)
        if available_at is not None and available_at > self.now and at is not None:
            raise Refusal("HL001")
        if available_at is not None and available_at > self.now:
            grant = account.give(amount, source, available_at=available_at, is_scheduled=True, **more)
            return {"grant": grant.id, "available": account.available}
        grant = account.give(amount, source, **more)
        account.post(amount, kind_of(source), self._at(at), payment=grant.payment)
        account.sweep(self.now)
        return {"grant": grant.id, "delta": amount, "available": account.available}

    def put_recurring(
        self,
        name: tuple[str, str],
        which: str,
        amount: int,
        *,
        anchor: int | None,
        starts_at: int | None,
        ends_at: int | None,
        **settings: Any,
    ) -> dict[str, Any]:
        account = self._of(name)
        known = account.recurring.get(which)
        given_until = known.given_until if known else None
        next_at = known.next_at if known else 0
        if starts_at is not None or known is None or known.is_over:
            next_at = max(self.now, starts_at or 0, given_until or 0)
        if ends_at is not None and (ends_at <= self.now or (ends_at <= next_at and given_until is None)):
            raise Refusal("HL001")
        if anchor is None:
            anchor = known.anchor if known else next_at
        account.recurring[which] = Recurring(
            amount, anchor, next_at, ends_at=ends_at, given_until=given_until, **settings
        )
        account.run_due(self.now)
        return {"amount": amount}

    def remove_recurring(self, name: tuple[str, str], which: str) -> None:
        account = self.accounts[name]
        if not account.is_frozen:
            account.run_due(self.now)
        known = account.recurring[which]
        known.ends_at = self.now if known.ends_at is None else min(known.ends_at, self.now)

    def spend(
        self,
        name: tuple[str, str],
        amount: int,
        *,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        at: int | None = None,
        member: str | None = None,
    ) -> dict[str, Any]:
        account = self._of(name)
        amount = account.affordable(amount, allow_partial, min_available_after)
        account.post(-amount, "spend", self._at(at), parts=account.draw(amount), member=member)
        return {"delta": -amount, "available": account.available}

    def adjust(
        self, name: tuple[str, str], amount: int, *, policy: str = "refuse", at: int | None = None
    ) -> dict[str, Any]:
        account = self._of(name)
        if amount < 0 and policy == "refuse" and -amount > account.available:
            raise Refusal("HL002")
        if amount > 0:
            account.give(amount, "adjustment")
            account.post(amount, "adjust", self._at(at))
            account.sweep(self.now)
        else:
            account.post(amount, "adjust", self._at(at), parts=account.draw(-amount))
        return {"delta": amount, "available": account.available}

    def transfer(
        self,
        name: tuple[str, str],
        to: tuple[str, str],
        amount: int,
        *,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        at: int | None = None,
    ) -> dict[str, Any]:
        giver = self._of(name)
        taker = self._of(to)
        amount = giver.affordable(amount, allow_partial, min_available_after)
        parts = giver.draw(amount, now=self.now, live_first=True)
        to_seq = len(taker.transactions) + 1
        giver.post(-amount, "transfer", self._at(at), parts=parts, counterparty=to, to_seq=to_seq)
        bundles: dict[tuple[Any, ...], list[int]] = {}
        for number, part in parts:
            if number is not None:
                grant = giver.grants[number - 1]
                used = grant.amount - grant.remaining
                bundle = bundles.setdefault(
                    (grant.order[:3], grant.source, grant.priority, grant.expires_at), [0, 0]
                )
                bundle[0] += part
                bundle[1] += grant.worth(used) - grant.worth(used - part)
        left = amount
        for (_, source, priority, expires_at), (part, cost) in sorted(
            bundles.items(), key=lambda b: b[0][:2]
        ):
            taker.give(part, source, priority=priority, expires_at=expires_at, cost=cost)
            left -= part
        if left:
            taker.give(left, "adjustment")
        taker.post(amount, "transfer", self._at(at), counterparty=name)
        taker.sweep(self.now)
        return {"delta": -amount, "available": giver.available}

    def hold(
        self,
        name: tuple[str, str],
        amount: int,
        *,
        seconds: int,
        overrun_limit: int = 0,
        allow_partial: bool = False,
        min_available_after: int | None = None,
    ) -> dict[str, Any]:
        account = self._of(name)
        amount = account.affordable(amount, allow_partial, min_available_after)
        account.holds.append(Hold(len(account.holds) + 1, amount, overrun_limit, self.now + seconds))
        return {"hold": len(account.holds), "amount": amount, "available": account.available}

    def _open(self, account: Account, number: int) -> Hold:
        hold = account.holds[number - 1]
        if hold.state != "open":
            raise Refusal("HL009")
        return hold

    def capture(
        self,
        name: tuple[str, str],
        number: int,
        amount: int | None,
        *,
        final: bool = True,
        at: int | None = None,
    ) -> dict[str, Any]:
        account = self._of(name)
        hold = self._open(account, number)
        amount = hold.rest if amount is None else amount
        if not amount or amount > hold.amount + hold.overrun_limit - hold.captured:
            raise Refusal("HL010")
        hold.captured += amount
        account.post(-amount, "spend", self._at(at), parts=account.draw(amount))
        if final or hold.captured >= hold.amount + hold.overrun_limit:
            hold.state = "captured"
        account.sweep(self.now)
        return {"delta": -amount, "available": account.available, "captured": hold.captured}

    def release(self, name: tuple[str, str], number: int) -> dict[str, Any]:
        account = self._of(name)
        hold = account.holds[number - 1]
        if hold.state != "released":
            self._open(account, number).state = "released"
            account.sweep(self.now)
        return {"available": account.available}

    def renew(self, name: tuple[str, str], number: int, seconds: int) -> dict[str, Any]:
        account = self._of(name)
        hold = self._open(account, number)
        hold.expires_at = max(hold.expires_at, self.now + seconds)
        return {"available": account.available}

    def void(self, name: tuple[str, str], number: int, *, at: int | None = None) -> dict[str, Any]:
        account = self._of(name)
        grant = account.grants[number - 1]
        if grant.is_scheduled and at is not None:
            raise Refusal("HL001")
        if grant.is_scheduled:
            grant.is_scheduled, grant.is_voided = False, True
            return {"voided": grant.amount, "available": account.available}
        amount = min(grant.remaining, max(account.posted - account.held, 0))
        if not amount:
            raise Refusal("HL010")
        grant.remaining -= amount
        grant.is_voided = not grant.remaining
        parts: list[tuple[int | None, int]] = [(grant.id, amount)]
        account.post(-amount, kind_of(grant.source), self._at(at), parts=parts, is_void=True)
        return {"delta": -amount, "voided": amount, "available": account.available}

    def clawback(
        self, name: tuple[str, str], amount: int, *, payment: str | None, policy: str, at: int | None = None
    ) -> dict[str, Any]:
        account = self._of(name)
        free = max(account.posted - account.held, 0)
        rest = sum(g.remaining for g in account.grants if payment is not None and g.payment == payment)
        taken = {"debt": amount, "clamp": min(amount, free), "grant": min(amount, free, rest)}[policy]
        if taken:
            parts = account.draw(taken, payment=payment)
            account.post(-taken, "clawback", self._at(at), parts=parts, payment=payment)
        return {"delta": -taken, "shortfall": amount - taken, "available": account.available}

    def undo(
        self,
        name: tuple[str, str],
        seq: int,
        amount: int | None,
        *,
        kind: str,
        undone: tuple[str, ...],
        at: int | None = None,
    ) -> dict[str, Any]:
        account = self._of(name)
        original = account.transactions[seq - 1]
        if original.kind not in undone or original.delta > 0:
            raise Refusal("HL001")
        given = sum(t.delta for t in account.transactions if t.related_seq == seq and t.kind == kind)
        left = -original.delta - given
        amount = left if amount is None else amount
        if amount > left or not left:
            raise Refusal("HL010")
        put_back = self._put_back(account, original, amount, given)
        account.post(amount, kind, self._at(at), related_seq=seq, payment=original.payment, put_back=put_back)
        if original.member is not None:
            account.spent[original.member] -= amount
        account.sweep(self.now)
        return {"delta": amount, "left": left - amount, "available": account.available}

    def _put_back(
        self, account: Account, original: Transaction, amount: int, before: int
    ) -> list[tuple[int, int]]:
        debt = min(account.uncovered, amount)
        account.uncovered -= debt
        skip, rest = before + debt, amount - debt
        put_back: list[tuple[int, int]] = []
        for number, part in reversed(original.parts):
            back = min(part - min(skip, part), rest)
            skip -= min(skip, part)
            if number is None:
                continue
            grant = account.grants[number - 1]
            if grant.has_expired(self.now) or grant.is_voided:
                continue
            back = min(back, grant.amount - grant.remaining)
            grant.remaining += back
            put_back.append((number, back))
            rest -= back
        if rest:
            account.give(rest, "adjustment", payment=original.payment)
        return put_back

    def reverse(
        self, name: tuple[str, str], seq: int, *, policy: str, at: int | None = None
    ) -> dict[str, Any]:
        account = self._of(name)
        original = account.transactions[seq - 1]
        if original.delta < 0 and original.kind in {"spend", "adjust"}:
            return self.undo(name, seq, None, kind="refund", undone=("spend", "adjust"), at=at)
        if original.delta < 0 and original.kind == "clawback":
            return self.undo(name, seq, None, kind="reinstate", undone=("clawback",), at=at)
        if original.kind == "transfer" and (original.related_seq is not None or original.delta > 0):
            raise Refusal("HL001")
        left = self._reversible(account, original)
        if left <= 0:
            raise Refusal("HL010")
        more: dict[str, Any] = {
            "related_seq": seq,
            "payment": original.payment,
            "is_reversal": True,
            "counterparty": original.counterparty,
        }
        member = self._member_of(account, original)
        if original.delta > 0:
            parts = self._take_again(account, seq, left, policy)
            account.post(-left, original.kind, self._at(at), parts=parts, **more)
            if member is not None:
                account.spent[member] += left
            return {"delta": -left, "left": 0, "available": account.available}
        if original.kind == "transfer":
            assert original.counterparty is not None
            assert original.to_seq is not None
            other = self._of(original.counterparty)
            parts = self._take_again(other, original.to_seq, left, policy)
            other.post(
                -left, "transfer", self._at(at), parts=parts, related_seq=original.to_seq, is_reversal=True
            )
        put_back = self._put_back(account, original, left, 0)
        account.post(left, original.kind, self._at(at), put_back=put_back, **more)
        if member is not None:
            account.spent[member] -= left
        account.sweep(self.now)
        return {"delta": left, "left": 0, "available": account.available}

    def _reversible(self, account: Account, original: Transaction) -> int:
        """What is left of it: less what was undone, and of what it gave less what was voided, has expired or was clawed back."""
        seq = original.seq
        left = abs(original.delta)
        left -= sum(abs(t.delta) for t in account.transactions if t.related_seq == seq and t.is_reversal)
        if original.delta > 0:
            own = {g.id for g in account.grants if g.seq == seq}
            for t in account.transactions:
                undone = account.transactions[t.related_seq - 1] if t.related_seq is not None else None
                if t.delta < 0 and (t.kind == "expire" or t.is_void) and not t.is_reversal:
                    left -= sum(amount for number, amount in t.parts if number in own)
                if (
                    t.delta > 0
                    and undone
                    and (undone.kind == "expire" or undone.is_void)
                    and not undone.is_reversal
                ):
                    left += sum(amount for number, amount in t.put_back if number in own)
            if original.payment is not None and original.kind in {"purchase", "grant"}:
                left += sum(
                    t.delta
                    for t in account.transactions
                    if t.payment == original.payment and t.kind in {"clawback", "reinstate"}
                )
        return left

    def _take_again(
        self, account: Account, seq: int, amount: int, policy: str
    ) -> list[tuple[int | None, int]]:
        if policy == "refuse" and amount > account.available:
            raise Refusal("HL002")
        parts: list[tuple[int | None, int]] = []
        for grant in [g for g in account.grants if g.seq == seq]:
            part = min(amount, grant.remaining)
            if part:
                grant.remaining -= part
                parts.append((grant.id, part))
                amount -= part
            if not grant.remaining and not grant.has_expired(self.now):
                grant.is_voided = True
        return parts + (account.draw(amount) if amount else [])

    def _member_of(self, account: Account, t: Transaction) -> str | None:
        """Who made the spend that a refund, or the undoing of one, goes back to."""
        while t.related_seq is not None:
            t = account.transactions[t.related_seq - 1]
        return t.member

    def put_member(self, name: tuple[str, str], member: str, cap: int | None) -> None:
        self.accounts[name].members[member] = cap

    def remove_member(self, name: tuple[str, str], member: str) -> None:
        if member not in self.accounts[name].members:
            raise Refusal("HL017")
        del self.accounts[name].members[member]

    def spend_as(
        self,
        name: tuple[str, str],
        member: str,
        amount: int,
        *,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        at: int | None = None,
    ) -> dict[str, Any]:
        if member not in self.accounts[name].members:
            raise Refusal("HL017")
        account = self._of(name)
        amount = account.affordable(amount, allow_partial, min_available_after)
        cap, spent = account.members[member], account.spent.get(member, 0) + amount
        if cap is not None and spent > cap:
            raise Refusal("HL012")
        account.spent[member] = spent
        result = self.spend(name, amount, at=at, member=member)
        return {**result, "member_left": None if cap is None else cap - spent}

    def freeze(self, name: tuple[str, str]) -> None:
        account = self.accounts[name]
        if not account.is_frozen:
            account.run_due(self.now)
        account.is_frozen = True

    def unfreeze(self, name: tuple[str, str]) -> None:
        account = self.accounts[name]
        account.is_frozen = False
        account.run_due(self.now)
        account.sweep(self.now)
