"""How outcomes of operations reach the guardrails: recorded in the database by whoever did the operation."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from psycopg import AsyncConnection

from heller.database import call
from heller.errors import Refused

ARMS = ("heller", "legacy")


async def observe(
    connection: AsyncConnection,
    *,
    operation: str,
    account: str,
    arm: str,
    what: str,
    failed: bool,
    milliseconds: int,
    detail: str | None = None,
) -> bool:
    """Record one outcome; inside the operation's own transaction when ``connection`` has one open. False for a repetition."""
    return bool(
        await call(
            connection, "observe", operation_id=operation, account_id=account, arm=arm, what=what, failed=failed,
            milliseconds=milliseconds, detail=detail,
        )
    )  # fmt: skip


@asynccontextmanager
async def observed(
    connection: AsyncConnection, *, account: str, what: str, arm: str = "heller", operation: str | None = None
) -> AsyncIterator[None]:
    """Record the outcome of the block: its time, and whether it failed. A refusal (not enough credits) is no failure."""
    started = time.perf_counter()
    failure: str | None = None
    try:
        yield
    except Refused:
        raise
    except BaseException as error:
        failure = type(error).__name__
        raise
    finally:
        await observe(
            connection, operation=operation or str(uuid4()), account=account, arm=arm, what=what, failed=failure is not None,
            milliseconds=round((time.perf_counter() - started) * 1000), detail=failure,
        )  # fmt: skip
