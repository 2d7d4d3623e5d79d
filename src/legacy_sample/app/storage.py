"""The tables of the "production" shape as SQLAlchemy finds them, and what the application asks of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData, Table, make_url
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from legacy_sample.model import LegacySampleError

TABLES = ("users", "payments", "credit_transactions", "processed_events", "stripe_customers")
COLUMNS = {"users": "credits_balance", "payments": "expected_credits", "credit_transactions": "delta_credits"}
POOL_SIZE = 10
MOVED = "MG001"
CREDITED_ELSEWHERE = "MG003"


@dataclass(frozen=True, slots=True)
class Storage:
    """The engine, its sessions, and the tables as they are (their types differ between installations)."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    users: Table
    payments: Table
    transactions: Table
    events: Table
    customers: Table


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Storage]:
    """Connect and read the tables. Raises LegacySampleError when they are not of the production shape."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"), pool_size=POOL_SIZE, max_overflow=POOL_SIZE
    )
    try:
        found = MetaData()
        try:
            async with engine.connect() as connection:
                await connection.run_sync(lambda plain: found.reflect(plain, only=TABLES))
        except InvalidRequestError as error:
            raise LegacySampleError(
                f"The application needs the tables {', '.join(TABLES)}.",
                "Build them with 'heller sample legacy URL --shape production'.",
            ) from error
        for table, column in COLUMNS.items():
            if column not in found.tables[table].c:
                raise LegacySampleError(
                    f"{table} has no column {column}: the tables are of another shape.",
                    "The application is written for --shape production.",
                )
        users, payments, transactions, events, customers = (found.tables[name] for name in TABLES)
        sessions = async_sessionmaker(engine, expire_on_commit=False)
        yield Storage(engine, sessions, users, payments, transactions, events, customers)
    finally:
        await engine.dispose()


def state_of(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, whatever it is wrapped in."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None)
