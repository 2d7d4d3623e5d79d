"""Every bad input gives a typed error that says what to do, and changes nothing."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from heller import Heller
from heller.errors import (
    AccountFrozen,
    ExceedsOriginal,
    HellerError,
    HoldNotOpen,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidArgument,
    LimitExceeded,
    StaleVersion,
    UnknownAccount,
    UnknownGrant,
    UnknownHold,
    UnknownTransaction,
)

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
Act = Callable[[Heller], Awaitable[Any]]

TABLES = ("accounts", "transactions", "grants", "draws", "holds", "outcomes", "users", "identities")
BIGINT_MAX = 2**63 - 1
NOW = datetime.now(UTC)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


async def digest(connection: psycopg.AsyncConnection) -> str:
    found = hashlib.sha256()
    for table in TABLES:
        rows = await (
            await connection.execute(
                sql.SQL("select t::text from heller.{} t order by 1").format(sql.Identifier(table))
            )
        ).fetchall()
        found.update(repr(rows).encode())
    return found.hexdigest()


CASES: list[tuple[str, type[HellerError], Act]] = [
    ("zero", InvalidArgument, lambda h: h.spend("a", 0)),
    ("negative", InvalidArgument, lambda h: h.spend("a", -5)),
    ("negative grant", InvalidArgument, lambda h: h.grant("a", -5)),
    ("zero adjustment", InvalidArgument, lambda h: h.adjust("a", 0, reason="x")),
    ("beyond bigint", InvalidArgument, lambda h: h.spend("a", 2**63)),
    ("far beyond bigint", InvalidArgument, lambda h: h.grant("a", 10**40)),
    ("far below bigint", InvalidArgument, lambda h: h.adjust("a", -(10**40), reason="x")),
    ("balance beyond bigint", LimitExceeded, lambda h: h.grant("a", BIGINT_MAX)),
    ("debt beyond bigint", LimitExceeded, lambda h: h.adjust("debtor", -BIGINT_MAX, reason="x", policy="debt")),
    ("float", InvalidArgument, lambda h: h.spend("a", 1.5)),  # type: ignore[arg-type]
    ("whole float", InvalidArgument, lambda h: h.spend("a", 2.0)),  # type: ignore[arg-type]
    ("text amount", InvalidArgument, lambda h: h.spend("a", "10")),  # type: ignore[arg-type]
    ("true", InvalidArgument, lambda h: h.spend("a", True)),
    ("no amount", InvalidArgument, lambda h: h.spend("a", None)),  # type: ignore[arg-type]
    ("empty account", InvalidArgument, lambda h: h.spend("", 1)),
    ("10 kB account", InvalidArgument, lambda h: h.spend("a" * 10_240, 1)),
    ("account that is no text", InvalidArgument, lambda h: h.spend(7, 1)),  # type: ignore[arg-type]
    ("NUL in the account", InvalidArgument, lambda h: h.spend("a\x00b", 1)),
    ("NUL in the reason", InvalidArgument, lambda h: h.spend("a", 1, reason="a\x00b")),
    ("NUL in the key", InvalidArgument, lambda h: h.spend("a", 1, key="a\x00b")),
    ("NUL in metadata", InvalidArgument, lambda h: h.spend("a", 1, metadata={"a": "\x00"})),
    ("NUL in a metadata name", InvalidArgument, lambda h: h.spend("a", 1, metadata={"\x00": 1})),
    ("half a surrogate pair", InvalidArgument, lambda h: h.spend("a", 1, reason="\ud800")),
    ("control character in the key", InvalidArgument, lambda h: h.spend("a", 1, key="a\x01b")),
    ("empty key", InvalidArgument, lambda h: h.spend("a", 1, key="")),
    ("10 kB key", InvalidArgument, lambda h: h.spend("a", 1, key="k" * 10_240)),
    ("10 kB reason", InvalidArgument, lambda h: h.spend("a", 1, reason="r" * 10_240)),
    ("10 kB actor", InvalidArgument, lambda h: h.spend("a", 1, actor="r" * 10_240)),
    ("1 MB of metadata", InvalidArgument, lambda h: h.spend("a", 1, metadata={"a": "x" * 1_000_000})),
    ("20 kB of metadata", InvalidArgument, lambda h: h.spend("a", 1, metadata={"a": "x" * 20_000})),
    ("deep metadata", InvalidArgument, lambda h: h.spend("a", 1, metadata=nested(800))),
    ("deeper metadata", InvalidArgument, lambda h: h.grant("a", 1, metadata=nested(200))),
    ("metadata that is a list", InvalidArgument, lambda h: h.spend("a", 1, metadata=[1])),  # type: ignore[arg-type]
    ("metadata without a JSON form", InvalidArgument, lambda h: h.spend("a", 1, metadata={"a": object()})),
    ("metadata with NaN", InvalidArgument, lambda h: h.spend("a", 1, metadata={"a": float("nan")})),
    ("unknown account", UnknownAccount, lambda h: h.spend("nobody", 1)),
    ("unknown unit", UnknownAccount, lambda h: h.spend("a", 1, unit="token")),
    ("unit of another form", InvalidArgument, lambda h: h.open_account("x", unit="Ein Ding")),
    ("unknown taker", UnknownAccount, lambda h: h.transfer("a", "nobody", 1)),
    ("transfer to itself", InvalidArgument, lambda h: h.transfer("a", "a", 1)),
    ("unknown transaction", UnknownTransaction, lambda h: h.refund("a", 999)),
    ("refund of a grant", InvalidArgument, lambda h: h.refund("a", 1)),
    ("refund of too much", ExceedsOriginal, lambda h: h.refund("a", 2, 11)),
    ("unknown hold", UnknownHold, lambda h: h.capture("a", 999)),
    ("closed hold", HoldNotOpen, lambda h: h.capture("a", 1)),
    ("capture of too much", ExceedsOriginal, lambda h: h.capture("a", 2, 6)),
    ("hold without time", InvalidArgument, lambda h: h.place_hold("a", 1, seconds=0)),
    ("hold for a century", InvalidArgument, lambda h: h.place_hold("a", 1, seconds=100 * 365 * 86_400)),
    ("hold of too much", InsufficientCredits, lambda h: h.place_hold("a", 1000)),
    ("negative overrun", InvalidArgument, lambda h: h.place_hold("a", 1, overrun_limit=-1)),
    ("overrun beyond bigint", InvalidArgument, lambda h: h.place_hold("a", 1, overrun_limit=BIGINT_MAX)),
    ("unknown grant", UnknownGrant, lambda h: h.void("a", 99)),
    ("unknown source", InvalidArgument, lambda h: h.grant("a", 1, source="gift")),
    ("cost without currency", InvalidArgument, lambda h: h.grant("a", 1, cost=5)),
    ("negative cost", InvalidArgument, lambda h: h.grant("a", 1, cost=-5, currency="EUR")),
    ("currency too long", InvalidArgument, lambda h: h.grant("a", 1, cost=5, currency="EURO")),
    ("expiry in the past", InvalidArgument, lambda h: h.grant("a", 1, expires_at=NOW - timedelta(days=1))),
    ("expiry before it is there", InvalidArgument, lambda h: h.grant("a", 1, available_at=NOW + timedelta(days=2), expires_at=NOW + timedelta(days=1))),
    ("effective in the year 1", InvalidArgument, lambda h: h.adjust("a", 1, reason="x", effective_at=datetime(1, 1, 2, tzinfo=UTC))),
    ("spend effective in the year 1", InvalidArgument, lambda h: h.spend("a", 1, effective_at=datetime(1, 1, 2, tzinfo=UTC))),
    ("unknown policy", InvalidArgument, lambda h: h.clawback("a", 1, policy="steal")),
    ("adjustment without a reason", InvalidArgument, lambda h: h.adjust("a", 1, reason="")),
    ("too much", InsufficientCredits, lambda h: h.spend("a", 91)),
    ("keeping a negative rest", InvalidArgument, lambda h: h.spend("a", 91, min_available_after=-10)),
    ("keeping a rest", InsufficientCredits, lambda h: h.spend("a", 80, min_available_after=10)),
    ("other version", StaleVersion, lambda h: h.spend("a", 1, if_version=999)),
    ("key of another request", IdempotencyConflict, lambda h: h.spend("a", 11, key="ten")),
    ("key of another verb", IdempotencyConflict, lambda h: h.grant("a", 10, key="ten")),
    ("key of a hold", IdempotencyConflict, lambda h: h.spend("a", 5, key="hold")),
    ("key of a scheduled grant", IdempotencyConflict, lambda h: h.spend("a", 5, key="later")),
    ("frozen", AccountFrozen, lambda h: h.spend("ice", 1)),
    ("transfer to the frozen", AccountFrozen, lambda h: h.transfer("a", "ice", 1)),
    ("negative overdraft", InvalidArgument, lambda h: h.open_account("x", overdraft_limit=-1)),
    ("unknown verb", InvalidArgument, lambda h: _first(h, {"verb": "steal", "account": "a"})),
    ("no verb", InvalidArgument, lambda h: _first(h, {"account": "a"})),
    ("balance of nobody", UnknownAccount, lambda h: h.balance("nobody")),
    ("balance_at of nobody", UnknownAccount, lambda h: h.balance_at("nobody", NOW)),
    ("NUL in a read", InvalidArgument, lambda h: h.balance("a\x00")),
]  # fmt: skip


async def _first(heller: Heller, operation: dict[str, Any]) -> Any:
    (result,) = await heller.apply([operation])
    if isinstance(result, HellerError):
        raise result
    return result


@pytest.fixture
async def used_database(heller_database: str) -> str:
    async with Heller.connect(heller_database) as heller:
        for name in ("a", "ice", "debtor"):
            await heller.open_account(name)
        await heller.grant("a", 100)
        await heller.spend("a", 10, key="ten")
        first = await heller.place_hold("a", 5)
        await heller.release("a", first.hold)
        await heller.place_hold("a", 5, key="hold")
        await heller.grant("a", 5, key="later", available_at=NOW + timedelta(days=300))
        await heller.adjust("debtor", -10, reason="x", policy="debt")
        await heller.grant("ice", 5)
        await heller.freeze("ice", "looked at")
    return heller_database


async def test_every_bad_input_is_a_typed_error_and_changes_nothing(
    used_database: str, connect: Connect
) -> None:
    connection = await connect(used_database)
    before = await digest(connection)
    wrong: list[str] = []
    async with Heller.connect(used_database) as heller:
        for name, kind, act in CASES:
            try:
                answer = await act(heller)
            except HellerError as error:
                if not isinstance(error, kind):
                    wrong.append(f"{name}: {type(error).__name__} {error}")
                elif not error.message:
                    wrong.append(f"{name}: says nothing")
            except Exception as error:  # noqa: BLE001 - any other is the finding
                wrong.append(f"{name}: untyped {type(error).__name__} {error}")
            else:
                wrong.append(f"{name}: accepted as {answer}")
            if await digest(connection) != before:
                wrong.append(f"{name}: changed something")
                before = await digest(connection)
    assert not wrong, "\n".join(wrong)


SQL_CASES = [
    "select heller.apply('{}')",
    'select heller.apply(\'[{"verb": "spend", "account": "a", "amount": "ten"}]\', true)',
    'select heller.apply(\'[{"verb": "spend", "account": "a", "amount": 1.5}]\', true)',
    'select heller.apply(\'[{"verb": "spend", "account": {"a": 1}, "amount": 1}]\', true)',
    'select heller.apply(\'[{"verb": "grant", "account": "a", "amount": 1e30}]\', true)',
    'select heller.apply(\'[{"verb": "grant", "account": "a", "amount": 1, "expires_at": "soon"}]\', true)',
    "select heller.spend('a', null)",
    "select heller.spend(null, 1)",
    "select heller.spend('a', 1, p_effective_at => 'infinity')",
    "select heller.grant('a', 1, p_priority => null)",
    "select heller.grant('a', 1, p_cost => null)",
    "select heller.grant('a', 1, p_source => null)",
    "select heller.grant('a', 1, p_available_at => 'infinity')",
    "select heller.grant('a', 1, p_expires_at => 'infinity')",
    "select heller.adjust('a', -9223372036854775808, 'x')",
    "select heller.clawback('a', 1, p_policy => null)",
    "select heller.hold('a', 1, p_seconds => null)",
    "select heller.hold('a', 1, p_overrun_limit => null)",
    "select heller.transfer('a', null, 1)",
    "select heller.transfer(null, 'a', 1)",
    "select heller.refund('a', null)",
    "select heller.capture('a', null)",
    "select heller.void('a', null)",
    "select heller.open_account(null)",
    "select heller.open_account('x', null)",
    "select heller.open_account('x', p_overdraft_limit => null)",
    "select heller.add_identity('u', 'E Mail', 'x')",
    "select heller.freeze('a', null)",
]


@pytest.mark.parametrize("statement", SQL_CASES)
async def test_bad_input_in_sql_is_refused_with_a_code_of_hellers(
    used_database: str, connect: Connect, statement: str
) -> None:
    connection = await connect(used_database)
    before = await digest(connection)
    with pytest.raises(psycopg.Error) as refused:
        await connection.execute(statement)  # type: ignore[arg-type]
    assert (refused.value.sqlstate or "").startswith(("HL0", "22")), refused.value
    assert await digest(connection) == before


async def test_a_bad_operation_fails_alone(used_database: str, connect: Connect) -> None:
    connection = await connect(used_database)
    batch: list[Any] = [
        {"verb": "spend", "account": "a", "amount": 1},
        {"verb": "spend", "account": "a", "amount": "ten"},
        {"verb": "spend", "account": "nobody", "amount": 1},
        {"verb": "grant", "account": "a", "amount": 1.5},
        {"verb": "steal", "account": "a", "amount": 1},
        7,
        {"verb": "spend", "account": "debtor", "amount": 1, "metadata": 7},
        {"verb": "spend", "account": "a", "amount": 2},
    ]
    row = await (await connection.execute("select heller.apply(%s)", [json.dumps(batch)])).fetchone()
    assert row is not None
    assert [r.get("error", "ok") for r in row[0]] == ["ok", "HL001", "HL003", *["HL001"] * 4, "ok"]


async def test_an_atomic_batch_changes_nothing_when_one_is_refused(
    used_database: str, connect: Connect
) -> None:
    connection = await connect(used_database)
    before = await digest(connection)
    async with Heller.connect(used_database) as heller:
        with pytest.raises(InsufficientCredits, match="operation 2"):
            await heller.apply(
                [
                    {"verb": "spend", "account": "a", "amount": 1},
                    {"verb": "spend", "account": "a", "amount": 1000},
                ],
                atomic=True,
            )
    assert await digest(connection) == before


async def test_text_of_any_script_comes_back_as_it_was(used_database: str) -> None:
    async with Heller.connect(used_database) as heller:
        for text in ("漢字 🦊 ñ", "back\\slash \\u0000 as text", "quote ' \" ; --", "line\nbreak\ttab"):
            t = await heller.spend("a", 1, reason=text, metadata={text: [text, 1, None, True, {"deep": 1.5}]})
            assert (await heller.history("a", limit=1))[0].reason == text == t.reason
            assert (await heller.history("a", limit=1))[0].metadata == {
                text: [text, 1, None, True, {"deep": 1.5}]
            }
