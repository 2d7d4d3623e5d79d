"""Batches on a Citus cluster: what lies in one shard travels together, to the server that has it."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from heller.database import Database
from heller.errors import HellerError
from heller.ledger.operations import Operation

# They write in two places, so the coordinator does them.
AT_COORDINATOR = frozenset({"open_account", "reverse", "transfer"})
_SHARDS_OF = "select heller.shards_of(%s::text[])"
_APPLY_AT = "select results::text from heller.apply_at(%s, %s::jsonb) results"


async def is_spread(connection: AsyncConnection) -> bool:
    """Whether the ledger lies on a Citus cluster."""
    return await _shards_of(connection, []) is not None


async def _shards_of(connection: AsyncConnection, accounts: list[str]) -> list[int] | None:
    row: Any = await (await connection.execute(_SHARDS_OF, [accounts])).fetchone()
    return None if row is None else row[0]


def needs_coordinator(operations: Sequence[Operation]) -> bool:
    """Whether one of them writes in two places."""
    return any(operation.get("verb") in AT_COORDINATOR for operation in operations)


async def parts(database: Database, operations: Sequence[Operation]) -> list[list[int]]:
    """The places of operations that may travel together: those of one shard, and those of the coordinator.

    An account's operations keep their order, so all of them are with the coordinator when one is.
    """
    accounts = [operation.get("account") or "" for operation in operations]
    central = {
        account
        for operation in operations
        if operation.get("verb") in AT_COORDINATOR
        for account in (operation.get("account"), operation.get("to"))
    }
    try:
        async with database.connection() as connection:
            shards = await _shards_of(connection, accounts)
    except HellerError:
        shards = None
    if shards is None:
        return [list(range(len(operations)))]  # the batch itself will say what is wrong
    found: dict[Any, list[int]] = {}
    for place, (account, shard) in enumerate(zip(accounts, shards, strict=True)):
        found.setdefault(None if account in central else shard, []).append(place)
    return list(found.values())


async def apply_at(connection: AsyncConnection, operations: Sequence[Operation], text: str) -> str:
    """The answers to operations of one shard, of which ``text`` is the JSON, from the server that has it."""
    account = operations[0].get("account") or ""
    row: Any = await (await connection.execute(_APPLY_AT, [account, text])).fetchone()
    return str(row[0])
