"""Every verb and every move of the clock, against the model; the ledger is lazy, the model is not."""

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from psycopg import sql
from psycopg.types.json import Jsonb

from ledger_model import Account, Ledger, Refusal, Transaction

BASE = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = [("a", "credit"), ("a", "token"), ("b", "credit"), ("c", "credit")]
OVERDRAFTS = {"c": 25}
TEAM = ("b", "credit")
IN_A_BATCH = {"account_id": "account", "hold_id": "hold", "grant_id": "grant", "payment_key": "payment"}
NOT_OPERATIONS = {"spend_as", "remove_member", "put_recurring_grant", "remove_recurring_grant"}
SAME_ON_REPLAY = {
    *("seq", "delta", "balance_after", "grant", "hold", "left", "shortfall", "voided", "captured", "to_seq"),
}

names = st.sampled_from(NAMES)
amounts = st.integers(1, 60)
delays = st.integers(1, 40)
maybe_delay = st.none() | delays
effective = st.none() | st.none() | st.integers(-30, 90)  # seconds, from the begin
keys = st.none() | st.sampled_from(["k1", "k2", "k3"])
dry = st.sampled_from([False, False, False, True])

_example = count()


class LedgerMachine(RuleBasedStateMachine):
    connection: psycopg.Connection
    is_batching = True  # every third verb as an operation of heller.apply

    @initialize()
    def open(self) -> None:
        self.prefix = f"x{next(_example):06d}-"
        self.model = Ledger()
        self.tries = 0
        self.keys: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}
        self.stale = dict.fromkeys(NAMES, True)
        self._clock(0)
        for account, unit in NAMES:
            limit = OVERDRAFTS.get(account, 0)
            self.model.accounts[account, unit] = Account(overdraft_limit=limit)
            self._call("open_account", account_id=self.prefix + account, unit=unit, overdraft_limit=limit)

    # -- verbs

    @rule(name=names, amount=amounts, key=keys, dry=dry, cost=st.integers(0, 99), at=maybe_delay, until=maybe_delay, when=effective,
          source=st.sampled_from(["purchase", "promotion", "subscription"]), priority=st.sampled_from([100, 100, 50]),
          payment=st.sampled_from([None, "p1", "p2"]))  # fmt: skip
    def grant(
        self,
        name: Any,
        amount: int,
        key: Any,
        dry: bool,
        cost: int,
        at: Any,
        until: Any,
        when: Any,
        source: str,
        priority: int,
        payment: Any,
    ) -> None:
        at = at and self.model.now + at
        until = until and max(at or 0, self.model.now) + until
        self._verb("grant", name, key, dry,
                   lambda m: m.grant(name, amount, source=source, available_at=at, expires_at=until, priority=priority, cost=cost, payment=payment,
                                   at=when),
                   amount=amount, source=source, available_at=_instant(at), expires_at=_instant(until), priority=priority, cost=cost,
                   currency="EUR", payment_key=payment, effective_at=_instant(when))  # fmt: skip

    @rule(
        name=names,
        amount=amounts,
        key=keys,
        dry=dry,
        partial=st.booleans(),
        rest=st.none() | st.integers(0, 30),
        when=effective,
    )
    def spend(self, name: Any, amount: int, key: Any, dry: bool, partial: bool, rest: Any, when: Any) -> None:
        self._verb("spend", name, key, dry, lambda m: m.spend(name, amount, allow_partial=partial, min_available_after=rest, at=when),
                   amount=amount, allow_partial=partial, min_available_after=rest, effective_at=_instant(when))  # fmt: skip

    @rule(
        member=st.sampled_from(["ann", "ben"]), amount=amounts, key=keys, dry=dry,
        partial=st.booleans(), rest=st.none() | st.integers(0, 30), when=effective,
    )  # fmt: skip
    def spend_as(
        self, member: str, amount: int, key: Any, dry: bool, partial: bool, rest: Any, when: Any
    ) -> None:
        self._verb("spend_as", TEAM, key, dry,
                   lambda m: m.spend_as(TEAM, member, amount, allow_partial=partial, min_available_after=rest, at=when),
                   member_id=member, amount=amount, allow_partial=partial, min_available_after=rest, effective_at=_instant(when))  # fmt: skip

    @rule(member=st.sampled_from(["ann", "ben"]), cap=st.none() | st.integers(0, 120), is_in=st.booleans())
    def member(self, member: str, cap: Any, is_in: bool) -> None:
        whose = {"account_id": self.prefix + TEAM[0], "member_id": member}
        if is_in:
            self.model.put_member(TEAM, member, cap)
            self._call("put_member", cap=cap, period="ever", **whose)
            return
        error, _ = self._try("remove_member", **whose)
        refusal, _ = _act(lambda m: m.remove_member(TEAM, member), self.model)
        assert error == refusal or error is None, "again changes nothing"

    @rule(
        name=names, which=st.sampled_from(["free", "plus"]), amount=amounts, dry=dry, cost=st.integers(0, 99),
        rollover=st.sampled_from([0, 0, 7, 60]), anchor=st.none() | st.integers(-50, 50), start=maybe_delay, end=maybe_delay,
        source=st.sampled_from(["subscription", "promotion"]), priority=st.sampled_from([100, 50]),
    )  # fmt: skip
    def put_recurring(
        self,
        name: Any,
        which: str,
        amount: int,
        dry: bool,
        cost: int,
        rollover: int,
        anchor: Any,
        start: Any,
        end: Any,
        source: str,
        priority: int,
    ) -> None:
        starts_at = start and self.model.now + start - 10  # a past one is as good as none
        ends_at = end and self.model.now + 3 * end - 20
        expires = rollover > 0 or cost % 3 > 0
        more = {"source": source, "priority": priority, "cost": cost}
        self._verb("put_recurring_grant", name, None, dry,
                   lambda m: m.put_recurring(name, which, amount, anchor=anchor, starts_at=starts_at, ends_at=ends_at, rollover=rollover,
                                             expires=expires, more=more),
                   name=which, amount=amount, period="day", rollover=rollover, expires=expires, anchor=_instant(anchor),
                   starts_at=_instant(starts_at), ends_at=_instant(ends_at), currency="EUR", **more)  # fmt: skip

    @rule(name=names, which=st.sampled_from(["free", "plus"]))
    def remove_recurring(self, name: Any, which: str) -> None:
        known = which in self.model.accounts[name].recurring
        self.stale[name] = True
        error, _ = self._try(
            "remove_recurring_grant", account_id=self.prefix + name[0], name=which, unit=name[1]
        )
        assert error == (None if known else "HL007")
        if known:
            self.model.remove_recurring(name, which)

    @rule(name=names, amount=amounts, key=keys)
    def spend_plainly(self, name: Any, amount: int, key: Any) -> None:
        self._verb("spend", name, key, False, lambda m: m.spend(name, amount), amount=amount)

    @rule(
        name=names,
        amount=st.integers(-40, 40).filter(bool),
        key=keys,
        dry=dry,
        policy=st.sampled_from(["refuse", "debt"]),
        when=effective,
    )
    def adjust(self, name: Any, amount: int, key: Any, dry: bool, policy: str, when: Any) -> None:
        self._verb(
            "adjust",
            name,
            key,
            dry,
            lambda m: m.adjust(name, amount, policy=policy, at=when),
            amount=amount,
            policy=policy,
            reason="by hand",
            effective_at=_instant(when),
        )

    @rule(
        name=st.sampled_from([n for n in NAMES if n[1] == "credit"]),
        to=st.sampled_from(["a", "b", "c"]),
        amount=amounts,
        key=keys,
        dry=dry,
        partial=st.booleans(),
        rest=st.none() | st.integers(0, 30),
        when=effective,
    )
    def transfer(
        self, name: Any, to: str, amount: int, key: Any, dry: bool, partial: bool, rest: Any, when: Any
    ) -> None:
        if to != name[0]:
            self.stale[to, "credit"] = True
            self._verb(
                "transfer",
                name,
                key,
                dry,
                lambda m: m.transfer(
                    name, (to, "credit"), amount, allow_partial=partial, min_available_after=rest, at=when
                ),
                to=self.prefix + to,
                amount=amount,
                allow_partial=partial,
                min_available_after=rest,
                effective_at=_instant(when),
            )

    @rule(
        name=names, amount=amounts, key=keys, dry=dry, seconds=delays, overrun=st.sampled_from([0, 0, 5]),
        partial=st.booleans(), rest=st.none() | st.integers(0, 30),
    )  # fmt: skip
    def hold(
        self,
        name: Any,
        amount: int,
        key: Any,
        dry: bool,
        seconds: int,
        overrun: int,
        partial: bool,
        rest: Any,
    ) -> None:
        self._verb("hold", name, key, dry,
                   lambda m: m.hold(name, amount, seconds=seconds, overrun_limit=overrun, allow_partial=partial, min_available_after=rest),
                   amount=amount, seconds=seconds, overrun_limit=overrun, allow_partial=partial, min_available_after=rest)  # fmt: skip

    @rule(
        name=names,
        pick=st.integers(0, 9),
        amount=st.none() | st.integers(1, 30),
        final=st.booleans(),
        key=keys,
        dry=dry,
        when=effective,
    )
    def capture(self, name: Any, pick: int, amount: Any, final: bool, key: Any, dry: bool, when: Any) -> None:
        if number := _one_of(self.model.accounts[name].holds, pick):
            self._verb(
                "capture",
                name,
                key,
                dry,
                lambda m: m.capture(name, number, amount, final=final, at=when),
                hold_id=number,
                amount=amount,
                final=final,
                effective_at=_instant(when),
            )

    @rule(name=names, pick=st.integers(0, 9), dry=dry)
    def release(self, name: Any, pick: int, dry: bool) -> None:
        if number := _one_of(self.model.accounts[name].holds, pick):
            if self.model.accounts[name].is_frozen:
                return
            self._verb("release", name, None, dry, lambda m: m.release(name, number), hold_id=number)

    @rule(name=names, pick=st.integers(0, 9), seconds=delays, dry=dry)
    def renew(self, name: Any, pick: int, seconds: int, dry: bool) -> None:
        if number := _one_of(self.model.accounts[name].holds, pick):
            self._verb(
                "renew",
                name,
                None,
                dry,
                lambda m: m.renew(name, number, seconds),
                hold_id=number,
                seconds=seconds,
            )

    @rule(name=names, pick=st.integers(0, 9), key=keys, dry=dry, when=effective)
    def void(self, name: Any, pick: int, key: Any, dry: bool, when: Any) -> None:
        if number := _one_of(self.model.accounts[name].grants, pick):
            self._verb(
                "void",
                name,
                key,
                dry,
                lambda m: m.void(name, number, at=when),
                grant_id=number,
                effective_at=_instant(when),
            )

    @rule(
        name=names,
        amount=amounts,
        key=keys,
        dry=dry,
        payment=st.sampled_from([None, "p1", "p2"]),
        policy=st.sampled_from(["debt", "clamp", "grant"]),
        when=effective,
    )
    def clawback(
        self, name: Any, amount: int, key: Any, dry: bool, payment: Any, policy: str, when: Any
    ) -> None:
        self._verb("clawback", name, key, dry, lambda m: m.clawback(name, amount, payment=payment, policy=policy, at=when),
                   amount=amount, payment_key=payment, policy=policy, effective_at=_instant(when))  # fmt: skip

    @rule(
        name=names,
        pick=st.integers(0, 9),
        amount=st.none() | st.integers(1, 30),
        key=keys,
        dry=dry,
        when=effective,
    )
    def refund(self, name: Any, pick: int, amount: Any, key: Any, dry: bool, when: Any) -> None:
        taken = [
            t for t in self.model.accounts[name].transactions if t.kind in {"spend", "adjust"} and t.delta < 0
        ]
        if taken:
            seq = taken[pick % len(taken)].seq
            self._verb(
                "refund",
                name,
                key,
                dry,
                lambda m: m.undo(name, seq, amount, kind="refund", undone=("spend", "adjust"), at=when),
                seq=seq,
                amount=amount,
                effective_at=_instant(when),
            )

    @rule(
        name=names,
        pick=st.integers(0, 9),
        amount=st.none() | st.integers(1, 30),
        key=keys,
        dry=dry,
        when=effective,
    )
    def reinstate(self, name: Any, pick: int, amount: Any, key: Any, dry: bool, when: Any) -> None:
        taken = [t for t in self.model.accounts[name].transactions if t.kind == "clawback"]
        if taken:
            seq = taken[pick % len(taken)].seq
            self._verb(
                "reinstate",
                name,
                key,
                dry,
                lambda m: m.undo(name, seq, amount, kind="reinstate", undone=("clawback",), at=when),
                seq=seq,
                amount=amount,
                effective_at=_instant(when),
            )

    @rule(
        name=names, pick=st.integers(0, 99), key=keys, dry=dry, when=effective,
        policy=st.sampled_from(["refuse", "debt"]),
    )  # fmt: skip
    def reverse(self, name: Any, pick: int, key: Any, dry: bool, when: Any, policy: str) -> None:
        if written := self._written(name):  # the model is ahead by what is due
            undone = written[-1 - pick % len(written)]  # small picks are the newest
            if undone.counterparty is not None:
                self.stale[undone.counterparty] = True
            self._verb(
                "reverse",
                name,
                key,
                dry,
                lambda m: m.reverse(name, undone.seq, policy=policy, at=when),
                seq=undone.seq,
                policy=policy,
                effective_at=_instant(when),
            )

    @rule(name=names, is_frozen=st.booleans())
    def freeze(self, name: Any, is_frozen: bool) -> None:
        self.stale[name] = True
        if is_frozen:
            self.model.freeze(name)
            self._call("freeze", account_id=self.prefix + name[0], unit=name[1], reason="looked at")
        else:
            self.model.unfreeze(name)
            self._call("unfreeze", account_id=self.prefix + name[0], unit=name[1])

    @rule(seconds=st.integers(1, 25) | st.sampled_from([1, 20, 110]))
    def pass_time(self, seconds: int) -> None:
        self._clock(self.model.now + seconds)
        self.stale = dict.fromkeys(NAMES, True)

    # -- comparison

    @invariant()
    def agrees(self) -> None:
        for name in [name for name, is_stale in self.stale.items() if is_stale]:
            self.stale[name] = False
            account = self.model.look(name)
            seen = self._call("balance", account_id=self.prefix + name[0], unit=name[1])
            assert (seen["posted"], seen["held"], seen["available"]) == (
                account.posted,
                account.held,
                account.available,
            ), name
            rows = self._rows("select g from heller.grants_of(%s, %s, true) g", name)
            assert {g["grant"]: g["remaining"] for g in rows} == {
                g.id: g.remaining for g in account.grants
            }, name
            assert {g["grant"]: g["cost"] for g in rows} == {g.id: g.cost for g in account.grants}, name
            assert {g["grant"] for g in rows if g["scheduled"]} == {
                g.id for g in account.grants if g.is_scheduled
            }, name
            recurring = self._rows("select r from heller.recurring_grants_of(%s, %s, true) r", name)
            assert {r["name"]: r["next_at"] for r in recurring} == {
                which: None if r.is_over else (BASE + timedelta(seconds=r.next_at)).isoformat()
                for which, r in account.recurring.items()
            }, name

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        spent = self._rows("select m from heller.members_of(%s, p_all => true) m", (TEAM[0],))
        assert {m["member"]: m["spent"] for m in spent if m["spent"]} == {
            member: amount for member, amount in self.model.accounts[TEAM].spent.items() if amount
        }
        for name in NAMES:
            if self.model.accounts[name].is_frozen:
                self.freeze(name, is_frozen=False)
            account = self.model.look(name)
            written = self._written(name)
            self._compare_drawn(name, written)
            for instant in range(0, self.model.now + 1, 7):
                expected = sum(t.delta for t in account.transactions if t.effective_at <= instant)
                at = self._call(
                    "balance_at", account_id=self.prefix + name[0], unit=name[1], at=_instant(instant)
                )
                assert at == expected, (name, instant)
            # a harmless write makes what is due happen, and every row must then be the model's
            self._call("adjust", account_id=self.prefix + name[0], unit=name[1], amount=1, reason="last")
            self._compare_drawn(name, account.transactions[len(written) :])
            rows = self._rows(
                "select jsonb_build_array(delta, kind, related_seq) from heller.transactions where account_id = %s and unit = %s order by seq",
                name,
            )
            assert [tuple(row) for row in rows[:-1]] == [
                (t.delta, t.kind, t.related_seq) for t in account.transactions
            ], name
        report = self.connection.execute(
            "select broken from heller.verify_accounts(%s, 100, p_until => %s)",
            [self.prefix, self.prefix + "~"],
        ).fetchone()
        assert report == (None,)

    def _written(self, name: Any) -> list[Transaction]:
        known = self._call("balance", account_id=self.prefix + name[0], unit=name[1])["transactions"]
        return self.model.accounts[name].transactions[:known]

    def _compare_drawn(self, name: Any, transactions: list[Transaction]) -> None:
        for t in transactions:
            if t.delta < 0:
                drawn = self._rows(
                    "select heller.drawn(%s, p_seq => %s, p_unit => %s)", (name[0], t.seq, name[1])
                )[0]
                assert [(d["grant"], d["amount"]) for d in drawn] == t.parts, (name, t)

    # -- plumbing

    def _verb(self, verb: str, name: Any, key: str | None, dry: bool, act: Any, /, **arguments: Any) -> None:
        account, unit = name
        self.stale[name] = True
        request = self._request(verb, name, arguments)
        given = dict(arguments, account_id=self.prefix + account, unit=unit)
        if key is not None:
            given["key"] = key
        if dry:
            given["dry_run"] = True
        error, result = self._try(verb, **given)
        known = self.keys.get((account, key)) if key is not None else None
        if known is not None and error not in {"HL001", "HL006", "HL017"}:
            self._compare_replay(name, known, request, error, result)
            return
        target = deepcopy(self.model) if dry else self.model
        refusal, expected = _act(act, target)
        assert error == refusal, (verb, result)
        if error is None:
            assert {field: result[field] for field in expected} == expected, result
            assert result.get("dry_run", False) == dry
            if not dry and key is not None:
                self.keys[account, key] = (request, result)

    def _request(self, verb: str, name: Any, arguments: dict[str, Any]) -> Any:
        """What a key stands for: a member's spend is a spend, and to reverse one is to refund it wholly."""
        asked = {n: v for n, v in arguments.items() if v is not None and v is not False}
        asked = {n: v for n, v in asked.items() if n not in {"seconds", "member_id"}}
        if verb == "reverse":
            undone = self.model.accounts[name].transactions[asked["seq"] - 1]
            if undone.delta < 0 and undone.kind in {"spend", "adjust", "clawback"}:
                del asked["policy"]
                verb = "reinstate" if undone.kind == "clawback" else "refund"
        return ("spend" if verb == "spend_as" else verb), name[1], asked

    def _compare_replay(
        self,
        name: Any,
        known: tuple[Any, dict[str, Any]],
        request: Any,
        error: str | None,
        result: dict[str, Any],
    ) -> None:
        """The key is taken: what is due is done all the same, then the first answer comes back."""
        if not self.model.accounts[name].is_frozen:
            self.model.accounts[name].run_due(self.model.now)
        if known[0] != request:
            assert error == "HL013", result
            return
        assert error is None
        assert result["replayed"], result
        for field in SAME_ON_REPLAY & known[1].keys() & result.keys():
            if (
                "delta" in known[1] or field == "grant"
            ):  # a scheduled grant has become a transaction meanwhile
                assert result[field] == known[1][field], field
        assert result["available"] == self.model.look(name).available

    def _try(self, verb: str, /, **given: Any) -> tuple[str | None, dict[str, Any]]:
        self.tries += 1
        if self.is_batching and self.tries % 3 == 0 and verb not in NOT_OPERATIONS:
            operation = {IN_A_BATCH.get(n, n): v for n, v in given.items() if v is not None}
            result = self._call("apply", operations=[{"verb": verb, **operation}])[0]
            return (result["error"], {}) if "error" in result else (None, result)
        try:
            return None, self._call(verb, **given)
        except psycopg.Error as error:
            return error.sqlstate, {}

    def _clock(self, now: int) -> None:
        self.model.now = now
        self.connection.execute("update clock_of_tests set at = %s", [_instant(now)])

    def _call(self, function: str, /, **arguments: Any) -> Any:
        given = {n: v for n, v in arguments.items() if v is not None}
        named = sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(f"p_{n}"), sql.Placeholder()) for n in given
        )
        statement = sql.SQL("select heller.{}({})").format(sql.Identifier(function), named)
        row = self.connection.execute(
            statement, [Jsonb(v, dumps=_dumps) if isinstance(v, dict | list) else v for v in given.values()]
        ).fetchone()
        assert row is not None
        return row[0]

    def _rows(self, statement: str, arguments: tuple[Any, ...]) -> list[Any]:
        values = [self.prefix + arguments[0], *arguments[1:]]
        return [row[0] for row in self.connection.execute(sql.SQL(statement), values)]  # type: ignore[arg-type]


def _act(act: Any, model: Ledger) -> tuple[str | None, dict[str, Any]]:
    try:
        return None, act(model)
    except Refusal as refusal:
        return refusal.code, {}


def _dumps(value: Any) -> str:
    return json.dumps(value, default=datetime.isoformat)


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else BASE + timedelta(seconds=seconds)


def _one_of(things: list[Any], pick: int) -> int:
    return pick % len(things) + 1 if things else 0


MOVABLE_CLOCK = """
create table public.clock_of_tests (at timestamptz not null);
insert into public.clock_of_tests values ('2030-01-01 00:00:00+00');
create or replace function heller._clock() returns timestamptz language sql volatile as 'select at from public.clock_of_tests';
-- a day of twenty seconds: many pass in one program, a hold outlives one (the calendar has tests of its own)
create or replace function heller._period_boundary(p_anchor timestamptz, p_time_zone text, p_period text, p_number bigint) returns timestamptz
language sql stable as $$ select p_anchor + p_number * interval '20 seconds' $$;
create or replace function heller._period_number(p_anchor timestamptz, p_time_zone text, p_period text, p_at timestamptz) returns bigint
language sql stable as $$ select floor(extract(epoch from p_at - p_anchor) / 20)::bigint $$;
do $$ begin
  if heller._is_spread() then
    perform create_reference_table('public.clock_of_tests');
    alter function heller._clock() set citus.allow_nested_distributed_execution = on;
  end if;
end $$;
"""


@pytest.fixture
def connection(heller_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(heller_database, autocommit=True) as opened:
        opened.execute(MOVABLE_CLOCK)
        yield opened


@pytest.mark.slow
def test_every_verb_agrees_with_the_model(connection: psycopg.Connection) -> None:
    class Machine(LedgerMachine):
        pass

    Machine.connection = connection
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
    trial = connection.execute("select heller.trial_balance()").fetchone()
    assert trial is not None
    assert trial[0]["difference"] == 0, json.dumps(trial[0])
    for statement in (  # whatever the programs were, something was sold and used
        "select heller.open_account('sure')",
        "select heller.grant('sure', 10, 'purchase', p_cost => 1000, p_currency => 'EUR')",
        "select heller.spend('sure', 3)",
        "select heller.grant('sure', 1)",  # a new grant settles what was spent before it
    ):
        connection.execute(statement)
    _assert_books_close(connection)


EXAMPLES = int(os.environ.get("HELLER_TEST_EXAMPLES", "60"))
PHASES = (Phase.generate,) if os.environ.get("NOSHRINK") else tuple(Phase)


def _assert_books_close(connection: psycopg.Connection) -> None:
    """Revenue of all programs: any split into periods adds up, and what is deferred is what the grants still hold."""
    held = connection.execute(
        "select sum(cost - div(cost::numeric * (amount - remaining), amount))"
        " from heller.grants where seq is not null"
    ).fetchone()
    flows = ("sold", "recognised", "breakage", "taken_back")
    start, end = BASE - timedelta(days=1), BASE + timedelta(days=365)

    def books(since: datetime, until: datetime) -> dict[str, int]:
        row = connection.execute("select heller.revenue(%s, %s)", [since, until]).fetchone()
        return row[0] if row else dict.fromkeys((*flows, "deferred_before", "deferred_after", "moved"), 0)

    whole = books(start, end)
    assert held == (whole["deferred_after"],)
    assert whole["deferred_before"] == 0
    assert whole["moved"] == 0
    borders = [
        start,
        *(BASE + timedelta(seconds=seconds) for seconds in (0, 3, 9, 20, 33, 50, 80, 130, 250)),
        end,
    ]
    totals = dict.fromkeys(flows, 0)
    deferred = 0
    for since, until in pairwise(borders):
        period = books(since, until)
        assert period["deferred_before"] == deferred
        deferred = period["deferred_after"]
        out = period["recognised"] + period["breakage"] + period["taken_back"]
        assert deferred == period["deferred_before"] + period["sold"] - out + period["moved"]
        for flow in flows:
            totals[flow] += period[flow]
    assert totals == {flow: whole[flow] for flow in flows}
    assert totals["sold"] > totals["recognised"] > 0, totals
