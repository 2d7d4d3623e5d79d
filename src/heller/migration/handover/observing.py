"""How outcomes of operations reach the guardrails: recorded in heller's database by whoever did the operation."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from psycopg import AsyncConnection, Error

from heller.database import Database, call
from heller.errors import AccountAway, Busy, Conflict, HellerError, Refused, UsageError

Arm = Literal["heller", "legacy"]
ARMS: tuple[Arm, ...] = ("heller", "legacy")


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


@dataclass(slots=True)
class Seen:
    """An operation under way: ``arm`` is the home that serves it, which may change while it is tried."""

    arm: Arm


@asynccontextmanager
async def observed(
    where: AsyncConnection | Database,
    *,
    account: str,
    what: str,
    arm: Arm = "heller",
    operation: str | None = None,
) -> AsyncIterator[Seen]:
    """Record the outcome of the block: its time, and whether it failed.

    A refusal (not enough credits), a wrong argument and a caller who went away are no failures; a user who stayed
    between the homes beyond all patience is one. An outcome that cannot be recorded is lost: the operation is not.
    """
    started, seen = time.perf_counter(), Seen(arm)

    async def finish(failure: str | None) -> None:
        milliseconds = round((time.perf_counter() - started) * 1000)
        with suppress(HellerError, Error):
            await record(
                where, operation=operation or str(uuid4()), account=account, arm=seen.arm, what=what, failure=failure,
                milliseconds=milliseconds,
            )  # fmt: skip

    try:
        yield seen
    except asyncio.CancelledError:
        raise
    except Exception as error:
        await finish(type(error).__name__ if is_failure(error) else None)
        raise
    await finish(None)


async def record(
    where: AsyncConnection | Database,
    *,
    operation: str,
    account: str,
    arm: Arm,
    what: str,
    failure: str | None,
    milliseconds: int,
) -> None:
    """As ``observe``, on a connection of a pool's if need be; ``failure`` says what went wrong, None that nothing did."""
    if isinstance(where, Database):
        async with where.connection() as connection:
            await record(
                connection, operation=operation, account=account, arm=arm, what=what, failure=failure, milliseconds=milliseconds
            )  # fmt: skip
        return
    await observe(
        where, operation=operation, account=account, arm=arm, what=what, failed=failure is not None, milliseconds=milliseconds,
        detail=failure,
    )  # fmt: skip


def is_failure(error: BaseException) -> bool:
    """Whether an error is the system's and not the caller's."""
    if isinstance(error, AccountAway | Busy):
        return True
    return not isinstance(error, Refused | UsageError | Conflict)
