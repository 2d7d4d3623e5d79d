"""The format of the hash chain, followed in plain Python from the documentation alone (src/heller/ledger/README.md)."""

import hashlib
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from heller import Heller

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]

TEXT, BIGINT, JSONB, TIMESTAMPTZ = 25, 20, 3802, 1184
COLUMNS: list[tuple[str, int]] = [
    ("account_id", TEXT),
    ("unit", TEXT),
    ("seq", BIGINT),
    ("delta", BIGINT),
    ("balance_after", BIGINT),
    ("kind", TEXT),
    ("reason", TEXT),
    ("actor", TEXT),
    ("metadata", JSONB),
    ("idempotency_key", TEXT),
    ("request", JSONB),
    ("related_seq", BIGINT),
    ("hold_id", BIGINT),
    ("payment_key", TEXT),
    ("counterparty", TEXT),
    ("effective_at", TIMESTAMPTZ),
    ("recorded_at", TIMESTAMPTZ),
    ("source_system", TEXT),
    ("source_table", TEXT),
    ("source_id", TEXT),
]
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def _field(kind: int, value: Any) -> bytes:
    if value is None:
        return struct.pack(">Ii", kind, -1)
    if kind == BIGINT:
        data = struct.pack(">q", value)
    elif kind == TIMESTAMPTZ:
        data = struct.pack(">q", (value - EPOCH) // timedelta(microseconds=1))
    elif kind == JSONB:
        data = b"\x01" + value.encode()
    else:
        data = value.encode()
    return struct.pack(">Ii", kind, len(data)) + data


def _link(previous: bytes, row: tuple[Any, ...]) -> bytes:
    payload = struct.pack(">i", len(COLUMNS))
    payload += b"".join(_field(kind, value) for (_, kind), value in zip(COLUMNS, row, strict=True))
    return hashlib.sha256(previous + payload).digest()


async def test_every_chain_can_be_followed_without_postgresql(heller_database: str, connect: Connect) -> None:
    async with Heller.connect(heller_database) as heller:
        for name in ("a", "ünïcödé 🦊"):
            await heller.open_account(name)
            await heller.grant(
                name,
                100,
                source="purchase",
                cost=500,
                currency="EUR",
                payment="p",
                key="g",
                metadata={"z": 1, "a": [1.50, None, "é"]},
            )
            await heller.spend(name, 7, key="s", reason="line\nbreak", actor="me", allow_partial=True)
            await heller.spend(name, 1)
            async with heller.hold(name, 5) as hold:
                await hold.capture(3)
            await heller.refund(name, 2, 3)
            await heller.clawback(name, 10, payment="p")
            await heller.adjust(
                name, 2, reason="x", effective_at=datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
            )
        await heller.transfer("a", "ünïcödé 🦊", 5)
        await heller.apply(
            [{"verb": "spend", "account": "a", "amount": 1, "metadata": {"n": n}} for n in range(50)]
        )
    connection = await connect(heller_database)
    await connection.execute("set timezone = 'Asia/Kathmandu'")  # the bytes do not depend on a session
    columns = ", ".join(f"{name}::text" if kind == JSONB else name for name, kind in COLUMNS)
    rows = await (
        await connection.execute(
            f"select {columns}, hash from heller.transactions order by account_id, unit, seq"
        )  # type: ignore[arg-type]
    ).fetchall()
    heads: dict[tuple[str, str], bytes] = {}
    for *row, found in rows:
        chain = (row[0], row[1])
        heads[chain] = _link(heads.get(chain, b""), tuple(row))
        assert heads[chain] == found, row
    stored = await (
        await connection.execute("select account_id, unit, head_hash from heller.accounts")
    ).fetchall()
    assert {(account, unit): head for account, unit, head in stored} == heads
    assert len(rows) == 2 * 7 + 2 + 50
