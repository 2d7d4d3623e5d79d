"""gringotts-api: credits for FastAPI on SQLAlchemy; ``charge_user`` is what its dependency calls, without a key."""

import asyncio

from gringotts import Base, crud
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session, sessionmaker

from peers.threads import Threads, sqlalchemy_url

CREDITS = 2_000_000_000


class Peer:
    """One spend is one ``charge_user``; the user is loaded first, as its authentication does."""

    name = "gringotts-api (no key)"

    async def open(self, url: str, accounts: int, callers: int) -> None:
        """Make the tables and the accounts, connect."""
        self._threads = Threads(callers)
        self._engine = create_engine(sqlalchemy_url(url), pool_size=callers, max_overflow=0)
        self._session = sessionmaker(autocommit=False, autoflush=False, bind=self._engine)
        await asyncio.to_thread(self._fill, accounts)

    def _fill(self, accounts: int) -> None:
        Base.metadata.create_all(self._engine)
        users = Base.metadata.tables[crud.models.User.__tablename__]
        with self._session() as session:
            for first in range(1, accounts + 1, 10_000):
                rows = range(first, min(first + 10_000, accounts + 1))
                session.execute(
                    insert(users),
                    [
                        {
                            "username": f"user-{n}",
                            "api_key_hash": f"hash-{n}",
                            "key_last4": "0000",
                            "credits": CREDITS,
                        }
                        for n in rows
                    ],
                )
            session.commit()

    async def spend(self, account: int, key: str) -> None:  # noqa: ARG002 - its keys are made in a middleware
        """One credit of one account."""
        if not await self._threads.run(self._charge, account):
            raise RuntimeError("refused")

    def _charge(self, account: int) -> bool:
        session: Session = self._session()
        with session:
            user = crud.get_user(session, account + 1)
            return user is not None and crud.charge_user(session, user, 1, endpoint="/job")

    async def close(self) -> None:
        """Disconnect."""
        self._threads.close()
        await asyncio.to_thread(self._engine.dispose)
