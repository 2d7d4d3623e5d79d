"""``heller.route(user)``: which home serves a user now."""

import os
from typing import Literal, cast

from psycopg import AsyncConnection

from heller.database import call, connect
from heller.errors import SettingsError

Home = Literal["heller", "legacy", "moving"]


async def route(user: str, *, database: str | AsyncConnection | None = None) -> Home:
    """The home of a user: ``heller``, ``legacy``, or ``moving`` for some tens of milliseconds.

    The stored home answers, not the plan of a rollout. It is advice and may be stale a moment later: what protects the
    credits is the fence on one side and the epoch on the other. A user whom heller has never seen is the legacy system's.

    Args:
        database: heller's URL (DATABASE_URL where it is None), connected for this question alone, or an open connection.
            ``Heller.route`` asks through a pool.

    Raises:
        SettingsError: no database is named.
        DatabaseUnavailable: nothing answers there.
    """
    if isinstance(database, AsyncConnection):
        home = (await call(database, "route", account_id=user))["home"]
        return "legacy" if home == "unknown" else cast("Home", home)
    url = database or os.environ.get("DATABASE_URL")
    if not url:
        raise SettingsError("No database was named.", hint="Give database=URL, or set DATABASE_URL.")
    async with await connect(url) as connection:
        return await route(user, database=connection)
