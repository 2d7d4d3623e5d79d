"""The verbs inside a transaction of the caller's own, of each driver; and errors of callers of the SQL functions."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from heller import Heller, refusal_of, verify, within
from heller.errors import InsufficientCredits, InvalidArgument, UnknownAccount

Opened = Callable[[str], AbstractAsyncContextManager[Any]]


class OwnSession(AsyncSession):
    """What SQLModel, and many an application, makes of it."""


@asynccontextmanager
async def of_psycopg(url: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection


@asynccontextmanager
async def of_asyncpg(url: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as connection:
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        async with connection.transaction():
            yield connection


def of_sqlalchemy(driver: str) -> Opened:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Any]:
        engine = create_async_engine(url.replace("postgresql:", f"postgresql+{driver}:"))
        try:
            async with OwnSession(engine) as session, session.begin():
                yield session
        finally:
            await engine.dispose()

    return opened


DRIVERS = {
    "psycopg": of_psycopg,
    "asyncpg": of_asyncpg,
    "sqlalchemy with psycopg": of_sqlalchemy("psycopg"),
    "sqlalchemy with asyncpg": of_sqlalchemy("asyncpg"),
}


@pytest.mark.parametrize("driver", DRIVERS)
async def test_verbs_and_reads_in_the_callers_transaction(heller_database: str, driver: str) -> None:
    now = datetime.now(UTC)
    async with Heller.connect(heller_database) as heller:
        async with DRIVERS[driver](heller_database) as connection:
            ledger = within(connection)
            await ledger.open_account("ann", metadata={"plan": "ü"})
            await ledger.grant("ann", 9, key="gift", expires_at=now + timedelta(days=9))
            await ledger.spend("ann", 2, key="work", reason="work", metadata={"job": 7})
            with pytest.raises(InsufficientCredits) as refusal:  # and the transaction goes on
                await ledger.spend("ann", 10, reason="too much")
            assert (refusal.value.required, refusal.value.available) == (10, 7)
            found = await ledger.history(
                "ann", kinds=["spend"], since=now - timedelta(days=1), metadata={"job": 7}, limit=2
            )
            assert [spent.metadata for spent in found] == [{"job": 7}]
            with pytest.raises(UnknownAccount):
                await heller.balance("ann")  # nobody else sees it before the commit
        assert (await heller.balance("ann")).available == 7
        with pytest.raises(UnknownAccount) as unknown:
            await _spend_then_fail(DRIVERS[driver], heller_database)
        assert unknown.value.account == "bob"
        assert (await heller.balance("ann")).available == 7  # rolled back with the caller's transaction
    assert (await verify(heller_database)).is_ok


async def _spend_then_fail(opened: Opened, url: str) -> None:
    async with opened(url) as connection:
        await within(connection).spend("ann", 7, key="undone")
        await within(connection).balance("bob")


async def test_synchronous_sessions_are_refused_before_anything_is_done(heller_database: str) -> None:
    engine = create_engine(heller_database.replace("postgresql:", "postgresql+psycopg:"))
    with Session(engine) as session, psycopg.connect(heller_database) as connection:
        for given in (session, session.connection(), connection, None):
            with pytest.raises(InvalidArgument, match="AsyncSession") as refused:
                within(given)
            assert "heller.refusal_of" in str(refused.value)
    engine.dispose()


async def test_callers_of_the_functions_get_the_library_s_errors(heller_database: str) -> None:
    too_much = "select heller.spend('ann', 10, 'work', 'work-1')"
    async with Heller.connect(heller_database) as heller:
        await heller.open_account("ann")
    engine = create_engine(heller_database.replace("postgresql:", "postgresql+psycopg:"))
    with Session(engine) as session, pytest.raises(DBAPIError) as of_session:
        session.execute(text(too_much))
    engine.dispose()
    with psycopg.connect(heller_database) as connection, pytest.raises(psycopg.Error) as of_connection:
        connection.execute(too_much)
    plain = await asyncpg.connect(heller_database)
    with pytest.raises(asyncpg.PostgresError) as of_plain:
        await plain.execute(too_much)
    await plain.close()
    for raised in (of_session, of_connection, of_plain):
        refused = refusal_of(raised.value)
        assert isinstance(refused, InsufficientCredits)
        assert (refused.required, refused.available, refused.held) == (10, 0, 0)
        assert refused.message == "10 credits are needed and 0 are available"
    assert refusal_of(ValueError("something else")) is None
