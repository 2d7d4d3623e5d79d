"""Lists come in pages that together are the whole list, whatever is written between two of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from heller import Heller
from heller.errors import InvalidArgument

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
SOON = datetime.now(UTC) + timedelta(days=9)
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
SETUP = """
insert into heller.anchors (at, accounts, transactions, digest, taken_at)
select timestamptz '2026-01-01Z' + n * interval '1 day', 1, 1, 'd', now() from generate_series(1, 7) n;
insert into heller.top_up_attempts (account_id, unit, attempt, attempted_at, outcome, amount)
select 'ann', 'credit', n, now(), 'declined', 0 from generate_series(1, 7) n;
"""


@pytest.fixture
async def heller(heller_database: str, connect: Connect) -> AsyncIterator[Heller]:
    async with Heller.connect(heller_database) as opened:
        await opened.open_account("ann")
        for number in range(7):
            expires_at = [None, SOON, SOON + timedelta(days=1)][number % 3]
            await opened.grant(
                "ann", 10, priority=number % 2, expires_at=expires_at, source=["promotion", "adjustment"][number % 2]
            )  # fmt: skip
            await opened.place_hold("ann", 1)
            await opened.put_member("ann", f"m{number}")
            await opened.put_alert("ann", number - 3)
            await opened.put_webhook_endpoint(f"e{number}", "http://127.0.0.1/hook", secret=SECRET)
            for unit in ("credit", "token"):
                await opened.open_account(f"team-{number}", unit=unit)
            await opened.open_account(
                f"zoe-{number}", user=f"team-{number}"
            )  # found by its user's id, and last
            await opened.grant(f"team-{number}", 5, expires_at=SOON, unit=["credit", "token"][number % 2])
        await (await connect(heller_database)).execute(SETUP)
        yield opened


LISTS: dict[str, tuple[Callable[[Heller, Any], Awaitable[list[Any]]], Callable[[Any], Any]]] = {
    "grants": (lambda h, o: h.grants("ann", include_ended=True, **o), lambda row: row.grant),
    "holds": (lambda h, o: h.holds("ann", include_closed=True, **o), lambda row: row.hold),
    "members": (lambda h, o: h.members("ann", **o), lambda row: row.member),
    "alerts": (lambda h, o: h.alerts("ann", **o), lambda row: row.threshold),
    "endpoints": (lambda h, o: h.webhook_endpoints(**o), lambda row: row.endpoint),
    "accounts": (lambda h, o: h.find_accounts(**o), lambda row: row.account),
    "accounts by name": (lambda h, o: h.find_accounts("team-", **o), lambda row: row.account),
    "expiring": (lambda h, o: h.expiring(SOON + timedelta(hours=1), **o), lambda row: row.account),
    "history": (
        lambda h, o: h.history("ann", limit=o.get("limit", 100), before_seq=o.get("after")),
        lambda row: row.seq,
    ),
    "anchors": (
        lambda h, o: h.anchors(limit=o.get("limit", 100), before=o.get("after")),
        lambda row: row.at,
    ),
    "attempts": (
        lambda h, o: h.top_up_attempts("ann", limit=o.get("limit", 100), before=o.get("after")),
        lambda row: row.attempt,
    ),
}


async def test_pages_together_are_the_whole_list_though_rows_come_between(heller: Heller) -> None:
    for name, (read, place) in LISTS.items():
        await _check_pages(heller, name, read, place)
    with pytest.raises(InvalidArgument, match="no grant of ann"):
        await heller.grants("ann", after=999, limit=5)
    with pytest.raises(InvalidArgument, match="no grant of team-1"):
        await heller.grants("team-1", after=5, limit=5)


async def _check_pages(
    heller: Heller,
    name: str,
    read: Callable[[Heller, Any], Awaitable[list[Any]]],
    place: Callable[[Any], Any],
) -> None:
    whole = await read(heller, {})
    assert len(whole) >= 7, name
    for limit in (1, 2, 3, 100):
        found: list[Any] = []
        options: dict[str, Any] = {"limit": limit}
        while page := await read(heller, options):
            found += page
            options["after"] = place(page[-1])
            if len(found) < 5:  # else there is always one more page
                await _write(heller, len(found))
        rows, before = [_name(place, row) for row in found], [_name(place, row) for row in whole]
        assert [row for row in rows if row in before] == before, (name, limit)
        assert len(set(rows)) == len(rows), (name, limit)
        whole = await read(heller, {})


def _name(place: Callable[[Any], Any], row: Any) -> tuple[Any, ...]:
    return place(row), getattr(row, "unit", None), getattr(row, "grant", None)


async def _write(heller: Heller, number: int) -> None:
    """What another caller does meanwhile: a grant is used up, new rows come at either end."""
    await heller.grant("ann", 3, priority=number % 3)
    await heller.spend("ann", 1)
    await heller.place_hold("ann", 1)
    await heller.put_member("ann", f"a{number}")


REFUSED = {
    "payments_of('ann', p_before => 'pi_unknown')": "no payment of ann",
    "api_keys_list(p_before => 'unknown')": "no API key",
    "stripe_orders(p_before => '[]')": "not the instant and the id",
    'stripe_orders(p_before => \'["yesterday or so", "o"]\')': "does not begin with an instant",
    "stripe_payments(p_before => '{}')": "not the instant and the id",
}


async def test_sql_refuses_what_is_no_place_in_its_list(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    for call, problem in REFUSED.items():
        with pytest.raises(psycopg.DatabaseError, match=problem) as refused:
            await connection.execute(f"select heller.{call}".encode())
        assert refused.value.sqlstate == "HL001"


async def test_no_page_is_longer_than_a_thousand_rows(heller_database: str, connect: Connect) -> None:
    connection = await connect(heller_database)
    await connection.execute(
        "insert into heller.payments (payment_key, account_id, credits, state) select 'p' || n, 'ann', 1, 'settled' from generate_series(1, 1100) n"
    )
    await connection.execute(
        "insert into heller.inbox (event_id, type, body, body_sha256, livemode, stripe_account, payment_key, via, status)"
        " select 'evt_' || n, 'charge.refunded', '{}', '', false, '', 'p', 'webhook', 'done' from generate_series(1, 1100) n"
    )
    for call in ("stripe_payments(p_limit => 5000)", "stripe_deliveries(p_limit => 5000)", "payments_of('ann', p_limit => 5000)"):  # fmt: skip
        row = await (await connection.execute(f"select count(*) from heller.{call}".encode())).fetchone()
        assert row == (1000,), call
