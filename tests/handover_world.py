"""Two small databases for the tests of the handover: a legacy application's and heller's."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import psycopg

from heller.migration.handover import fence
from heller.migration.handover.runs import Sides, open_sides

TABLES = """
create table users (id serial primary key, email text unique, name text not null default '', credits_balance int not null default 0);
create table payments (
  id bigserial primary key, user_id text not null, provider text not null default 'stripe', provider_payment_intent_id text,
  provider_checkout_session_id text, amount_total_cents int not null, currency text not null default 'EUR', expected_credits int not null,
  status text not null default 'INIT', created_at timestamptz not null default now(), unique (provider, provider_payment_intent_id)
);
create table credit_transactions (
  id bigserial primary key, user_id text not null, payment_id bigint references payments, admin_action_id bigint,
  delta_credits int not null, reason text not null, meta json, created_at timestamptz not null default now()
);
create table processed_events (
  id bigserial primary key, provider text not null, provider_event_id text not null, received_at timestamptz not null default now(),
  payload_sha256 text, unique (provider, provider_event_id)
);
create index on credit_transactions (user_id);
"""

SPEND = (
    "with paid as (update users set credits_balance = credits_balance - %(n)s where id = %(u)s and credits_balance >= %(n)s returning id)"
    " insert into credit_transactions (user_id, delta_credits, reason, meta)"
    " select id::text, -%(n)s, 'usage', json_build_object('key', %(k)s::text) from paid returning id"
)


async def build_legacy(url: str, *, users: int, balance: int = 100) -> None:
    """A legacy database whose users have ``balance`` credits, explained by one row each."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(TABLES)
        await connection.execute(
            "insert into users (email, credits_balance) select 'user' || n || '@example.com', %s from generate_series(1, %s) n",
            [balance, users],
        )
        await connection.execute(
            "insert into credit_transactions (user_id, delta_credits, reason) select id::text, credits_balance, 'welcome' from users"
        )


@asynccontextmanager
async def fenced(
    legacy_url: str, database: str, *, fence_mode: fence.FenceMode = "refuse"
) -> AsyncIterator[Sides]:
    """Both sides with a fence that passed its self-test."""
    async with open_sides(legacy_url, database, needs_fence=False) as sides:
        status = await fence.install(
            sides.legacy.connection, sides.ours.connection, sides.layout, fence_mode=fence_mode
        )
        assert status.ok, status.problems
        yield sides


async def legacy_spend(connection: psycopg.AsyncConnection, user: str, amount: int, key: str) -> bool:
    """A spend as the legacy application does it; False when the balance is too small."""
    row = await (await connection.execute(SPEND, {"n": amount, "u": int(user), "k": key})).fetchone()
    return row is not None


async def legacy_purchase(connection: psycopg.AsyncConnection, user: str, credits: int, intent: str) -> bool:
    """A webhook of the legacy application: deduplicate, pay, book, add; False for a repetition."""
    async with connection.transaction():
        seen = await (
            await connection.execute(
                "insert into processed_events (provider, provider_event_id) values ('stripe', %s) on conflict do nothing returning id",
                [intent.replace("pi_", "evt_")],
            )
        ).fetchone()
        if seen is None:
            return False
        row = await (
            await connection.execute(
                "insert into payments (user_id, provider_payment_intent_id, amount_total_cents, expected_credits, status)"
                " values (%s, %s, %s, %s, 'CREDITED') returning id",
                [user, intent, credits * 5, credits],
            )
        ).fetchone()
        assert row is not None
        await connection.execute(
            "insert into credit_transactions (user_id, payment_id, delta_credits, reason) values (%s, %s, %s, 'PURCHASE')",
            [user, row[0], credits],
        )
        await connection.execute(
            "update users set credits_balance = credits_balance + %s where id = %s", [credits, int(user)]
        )
    return True


async def legacy_balance(sides: Sides, user: str) -> int:
    """What the legacy page would show."""
    row = await (
        await sides.legacy.connection.execute("select credits_balance from users where id = %s", [int(user)])
    ).fetchone()
    assert row is not None
    return int(row[0])


async def pair(sides: Sides, user: str) -> tuple[int, int]:
    """The epochs of a user: legacy, heller."""
    legacy, ours = await sides.legacy.epochs([user]), await sides.ours.epochs([user])
    return legacy.get(user, 0), max(ours.get(user, 0), 0)


async def each(items: Iterable[str]) -> AsyncIterator[str]:
    """An iterable as an asynchronous one."""
    for item in items:
        yield item
