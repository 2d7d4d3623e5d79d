"""SQLAlchemy on the same database as heller's, and Alembic for the tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

POOL_MAX = 10
STATEMENT_SECONDS_MAX = 30
Sessions = async_sessionmaker[AsyncSession]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Sessions]:
    """Sessions on the database for the life of a process."""
    engine = create_async_engine(
        driven(url),
        pool_size=POOL_MAX,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "options": f"-c statement_timeout={STATEMENT_SECONDS_MAX}s",
            "application_name": "resume-matcher",
        },
    )
    try:
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()


def migrate(url: str) -> None:
    """Bring the tables to the newest revision; again changes nothing."""
    from alembic import command  # noqa: PLC0415  # slow to import, and needed once
    from alembic.config import Config  # noqa: PLC0415  # as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["url"] = driven(url)
    command.upgrade(config, "head")


def driven(url: str) -> str:
    """A PostgreSQL URL as SQLAlchemy wants it, with the driver that heller uses too."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
