"""Each option on each verb: it does what it says, or is refused by name."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heller import Heller, verify
from heller.errors import IdempotencyConflict, InsufficientCredits, InvalidArgument, StaleVersion
from heller.ledger.heller import Ledger

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

README = Path(__file__).parents[2] / "src/heller/ledger/README.md"
PAST = datetime(2026, 1, 31, 12, tzinfo=UTC)
FUTURE = datetime(2040, 1, 31, 12, tzinfo=UTC)

# Account a: 1 grant 100, 2 clawback 10, 3 spend 20, hold 1 of 15, grant 2 (transaction 4) of 30
VERBS: dict[str, dict[str, Any]] = {
    "open_account": {"account": "new"},
    "spend": {"amount": 5},
    "grant": {"amount": 5},
    "hold": {"amount": 5},
    "capture": {"hold": 1, "amount": 5, "final": False},
    "release": {"hold": 1},
    "renew": {"hold": 1, "seconds": 9_000},
    "refund": {"seq": 3, "amount": 5},
    "reverse": {"seq": 3},
    "clawback": {"amount": 5},
    "reinstate": {"seq": 2, "amount": 5},
    "transfer": {"to": "b", "amount": 5},
    "void": {"grant": 2},
    "adjust": {"amount": 5, "reason": "found"},
}
VALUES: dict[str, Any] = {
    "key": "k", "reason": "why", "actor": "ann", "metadata": {"job": 7}, "dry_run": True, "if_version": 6, "effective_at": PAST,
    "allow_partial": True, "min_available_after": 3,
}  # fmt: skip


def _table() -> dict[str, set[str]]:
    rows = re.findall(r"^\| (\w+) \|(.*)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    head = [cell.strip() for cell in next(cells for verb, cells in rows if verb == "verb").split("|")]
    return {
        verb: {name for name, cell in zip(head, cells.split("|"), strict=True) if cell.strip() == "yes"}
        for verb, cells in rows
        if verb in VERBS
    }


TABLE = _table()


async def _set_up(heller: Ledger) -> None:
    await heller.open_account("a")
    await heller.open_account("b")
    await heller.grant("a", 100)
    await heller.clawback("a", 10)
    await heller.spend("a", 20)
    await heller.place_hold("a", 15)
    await heller.grant("a", 30)
    await heller.spend("a", 1)


async def _one(heller: Ledger, verb: str, **more: Any) -> Any:
    (result,) = await heller.apply([{"verb": verb, "account": "a", **VERBS[verb], **more}])
    if isinstance(result, Exception):
        raise result
    return result


def test_the_table_has_every_verb_and_option() -> None:
    assert TABLE.keys() == VERBS.keys()
    assert set.union(*TABLE.values()) == VALUES.keys()


async def test_the_table_is_what_the_ledger_takes(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await _set_up(heller)
        for verb, taken in TABLE.items():
            for option, value in VALUES.items():
                if option in taken:
                    await _one(heller, verb, dry_run=True, **({} if option == "dry_run" else {option: value}))
                    continue
                with pytest.raises(InvalidArgument, match=f"{verb} takes no {option}: ") as refused:
                    await _one(heller, verb, dry_run=True, **{option: value})
                assert refused.value.argument == option
            with pytest.raises(InvalidArgument, match=f"{verb} takes no dryrun; it takes verb, account"):
                await _one(heller, verb, dryrun=True)
        assert (await heller.balance("a")).version == 6, "all of it was dry"
    assert (await verify(heller_database)).is_ok


async def test_effective_at_is_when_it_counts(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    async with Heller.connect(heller_database) as heller:
        await _set_up(heller)
        for verb in [verb for verb, taken in TABLE.items() if "effective_at" in taken]:
            for at in (PAST, FUTURE):
                async with connection.transaction(force_rollback=True):
                    await _counts_then(heller.within(connection), verb, at)
                    assert await broken(connection) is None, verb


async def _counts_then(ledger: Ledger, verb: str, at: datetime) -> None:
    before = (await ledger.balance("a")).posted
    done = await _one(ledger, verb, effective_at=at, key="k")
    assert done.effective_at == at
    assert (await ledger.balance("a")).posted == before + done.delta, "posted changes at once"
    assert await ledger.balance_at("a", PAST + timedelta(days=1)) == (done.delta if at == PAST else 0)
    assert await ledger.balance_at("a", FUTURE) == before + done.delta
    assert (await _one(ledger, verb, effective_at=at, key="k")).replayed
    for other in ({"effective_at": at + timedelta(seconds=1)}, {}):
        with pytest.raises(IdempotencyConflict) as conflict:
            await _one(ledger, verb, key="k", **other)
        assert conflict.value.differs == "effective_at"
    with pytest.raises(InvalidArgument) as refused:
        await _one(ledger, verb, effective_at=datetime(1800, 1, 1, tzinfo=UTC))
    assert refused.value.argument == "effective_at"
    if verb == "transfer":
        assert (await ledger.history("b"))[0].effective_at == at


async def broken(connection: psycopg.AsyncConnection) -> Any:
    row = await (await connection.execute("select broken from heller.verify_accounts('', 100)")).fetchone()
    assert row is not None
    return row[0]


async def test_a_hold_or_transfer_takes_what_is_there_and_keeps_a_rest(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.open_account("b")
        await heller.grant("a", 50)
        held = await heller.place_hold("a", 80, allow_partial=True, min_available_after=30, key="h")
        assert (held.amount, held.available) == (20, 30)
        again = await heller.place_hold("a", 80, allow_partial=True, min_available_after=30, key="h")
        assert (again.replayed, again.amount) == (True, 20)
        with pytest.raises(IdempotencyConflict) as conflict:
            await heller.place_hold("a", 20, key="h")
        assert conflict.value.differs == "amount"
        with pytest.raises(InsufficientCredits) as short:
            await heller.place_hold("a", 1, min_available_after=30)
        assert (short.value.required, short.value.available) == (1, 30)
        sent = await heller.transfer("a", "b", 80, allow_partial=True, min_available_after=5, key="t")
        assert (sent.delta, sent.available, sent.to_balance_after) == (-25, 5, 25)
        assert (
            await heller.transfer("a", "b", 80, allow_partial=True, min_available_after=5, key="t")
        ).replayed
        with pytest.raises(InsufficientCredits):
            await heller.transfer("a", "b", 6)
        assert (await heller.reverse("a", sent.seq or 0)).delta == 25
    assert (await verify(heller_database)).is_ok


async def test_a_dry_run_of_a_step_changes_nothing_and_a_stale_one_is_refused(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        assert (await heller.open_account("a", dry_run=True)).dry_run
        assert not (await heller.open_account("a")).replayed
        await heller.grant("a", 50)
        hold = await heller.place_hold("a", 20)
        version = (await heller.balance("a")).version
        would = await heller.renew("a", hold.hold, seconds=9_000, dry_run=True)
        assert would.dry_run
        assert would.expires_at > hold.expires_at
        assert (await heller.release("a", hold.hold, dry_run=True)).state == "released"
        assert (await heller.holds("a"))[0].expires_at == hold.expires_at
        for step in (heller.release, heller.renew, heller.capture):
            with pytest.raises(StaleVersion):
                await step("a", hold.hold, if_version=version - 1)
        assert (await heller.release("a", hold.hold, if_version=version)).state == "released"
        assert (await heller.release("a", hold.hold, if_version=version)).replayed, (
            "it is done, whatever since"
        )


async def test_the_overdraft_limit_of_an_account_can_be_changed(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        opened = await heller.open_account("a", metadata={"plan": "free"})
        assert (await heller.change_account("a", overdraft_limit=50, dry_run=True)).dry_run
        with pytest.raises(InsufficientCredits):
            await heller.spend("a", 40)
        changed = await heller.change_account("a", overdraft_limit=50, if_version=opened.version)
        assert (changed.available, changed.metadata) == (50, {"plan": "free"})
        with pytest.raises(StaleVersion):
            await heller.change_account("a", metadata={}, if_version=opened.version)
        await heller.spend("a", 40)
        lower = await heller.change_account("a", overdraft_limit=10, metadata={"plan": "paid"})
        assert (lower.posted, lower.available, lower.metadata) == (-40, -30, {"plan": "paid"})
        same = await heller.change_account("a", overdraft_limit=10)
        assert (same.version, same.metadata) == (lower.version, {"plan": "paid"})
        with pytest.raises(InsufficientCredits):
            await heller.spend("a", 1)
        with pytest.raises(InvalidArgument):
            await heller.change_account("a", overdraft_limit=-1)
    assert (await verify(heller_database)).is_ok


async def test_a_member_spends_in_the_period_it_counts_in(heller_database: str) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("team")
        await heller.grant("team", 30)
        await heller.put_member("team", "ann", cap=10)
        spent = await heller.spend_as("team", "ann", 10, effective_at=PAST, key="k")
        assert spent.effective_at == PAST
        assert (await heller.members("team"))[0].left == 10, "January's cap, not this month's"
        assert (await heller.spend_as("team", "ann", 10, effective_at=PAST, key="k")).replayed
        version = (await heller.balance("team")).version
        with pytest.raises(StaleVersion):
            await heller.spend_as("team", "ann", 1, if_version=version - 1)
        with pytest.raises(InsufficientCredits):
            await heller.spend_as("team", "ann", 5, min_available_after=16)
        rest = await heller.spend_as("team", "ann", 10, allow_partial=True, min_available_after=16)
        assert rest.delta == -4
        assert (await heller.members("team"))[0].left == 6


async def test_a_batch_refuses_a_misspelt_option_and_does_the_rest(
    heller_database: str,
) -> None:
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("a")
        await heller.grant("a", 50)
        results = await heller.apply([
            {"verb": "spend", "account": "a", "amount": 1, "dryrun": True},
            {"verb": "spend", "account": "a", "amount": 2, "allow_partial": True},
            {"verb": "spend", "account": "a", "amount": 3, "dryrun": None},
        ])  # fmt: skip
        assert isinstance(results[0], InvalidArgument)
        assert results[0].argument == "dryrun"
        assert (await heller.balance("a")).posted == 45
        with pytest.raises(TypeError, match="unexpected argument dryrun"):
            await heller.refund("a", 1, dryrun=True)
        with pytest.raises(InvalidArgument, match="refund takes no allow_partial"):
            await heller.refund("a", 1, allow_partial=True)
