"""The way in: ``Heller`` has a pool and batches; ``within(connection)`` works in the caller's own transaction."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import msgspec
from psycopg import AsyncConnection
from psycopg import Error as DriverError

from heller import schema
from heller.database import Database, call, call_many, refusal_of, translated, translating
from heller.errors import DatabaseError, HellerError, InvalidArgument
from heller.ledger import spread
from heller.ledger.alerts import Alerts
from heller.ledger.anchors import Anchors
from heller.ledger.batching import Batcher
from heller.ledger.events import Events
from heller.ledger.hold import Hold
from heller.ledger.operations import (
    DEFAULT_HOLD_SECONDS,
    OPERATIONS_MAX,
    Operation,
    Result,
    encoded,
    result_of,
)
from heller.ledger.recurring import Recurring
from heller.ledger.spends import is_plain, is_short, spend_many
from heller.ledger.statements import Statements
from heller.ledger.teams import Teams
from heller.ledger.verbs import Verbs

Ready = Operation | tuple[Operation, bytes]
"""An operation that was checked, with its JSON unless it is a short spend, which travels without."""

_APPLY = "select heller.apply(%s::jsonb, %s)::text"
_NAMED = re.compile(r"(?<!:):(\w+)")
_decoder = msgspec.json.Decoder(list[dict[str, Any]])


class Ledger(Verbs, Recurring, Teams, Alerts, Events, Anchors, Statements):
    """All verbs and all reads, over whatever connection the subclass has."""

    def hold(
        self,
        account: str,
        amount: int,
        *,
        seconds: int = DEFAULT_HOLD_SECONDS,
        overrun_limit: int = 0,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Hold:
        """Reserve credits: ``async with`` captures on success and releases on an error.

        ``await`` instead gives the hold without an end of its own. Arguments as ``place_hold``.
        """
        return Hold(
            self,
            account,
            amount,
            seconds=seconds,
            overrun_limit=overrun_limit,
            key=key,
            reason=reason,
            **common,
        )

    async def apply(
        self, operations: Sequence[Operation], *, atomic: bool = False
    ) -> list[Result | HellerError]:
        """Do many operations in one call; see ``Verbs.apply``."""
        if len(operations) > OPERATIONS_MAX:
            raise InvalidArgument(f"{len(operations)} operations; at most {OPERATIONS_MAX} in one call")
        ready: list[Ready] = []
        refused: dict[int, InvalidArgument] = {}
        for place, operation in enumerate(operations):
            try:
                ready.append(_ready(operation))
            except InvalidArgument as error:
                if atomic:
                    raise
                refused[place] = error
        results = list(await self._send(ready, atomic=atomic)) if ready else []
        for place in sorted(refused):
            results.insert(place, refused[place])
        return results

    async def _send(
        self, operations: "Sequence[Ready]", *, atomic: bool = False
    ) -> Sequence[Result | HellerError]:
        raise NotImplementedError


class Heller(Ledger):
    """A ledger of its own connections. Concurrent calls share round trips; results never mix.

    ::

        async with Heller.connect(url) as heller:
            await heller.spend("user-1", 10, key="analysis-42", reason="job analysis")
    """

    def __init__(self, database: Database, *, is_spread: bool = False) -> None:
        """``is_spread``: the ledger lies on a Citus cluster; ``open`` finds out."""
        self._database = database
        if is_spread:
            self._batcher: Batcher[Ready] = Batcher(lambda: _SpreadChannel(database), split=self._parts)
        else:
            self._batcher = Batcher(lambda: _Channel(database))

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, pool_max: int | None = None) -> "AsyncIterator[Heller]":
        """Open a pool on a database that has heller's schema, and close it at the end.

        Raises:
            DatabaseUnavailable: nothing answers at that URL.
            SchemaMissing, SchemaMismatch: run ``heller schema apply`` first.
        """
        heller = await cls.open(url, pool_max=pool_max)
        try:
            yield heller
        finally:
            await heller.close()

    @classmethod
    async def open(cls, url: str, *, pool_max: int | None = None) -> "Heller":
        """Like ``connect`` without the context manager; the caller closes."""
        database = await Database.open(url, pool_max=pool_max)
        try:
            async with database.connection() as connection:
                await schema.require(connection)
                on_cluster = await spread.is_spread(connection)
        except BaseException:
            await database.close()
            raise
        return cls(database, is_spread=on_cluster)

    async def close(self) -> None:
        """Answer what was submitted, then give the connections back."""
        await self._batcher.close()
        await self._database.close()

    def within(self, connection: Any) -> Ledger:
        """The same verbs inside the caller's own transaction; see ``heller.within``."""
        return within(connection)

    async def _parts(self, operations: "Sequence[Ready]") -> list[list[int]]:
        return await spread.parts(self._database, [_operation(ready) for ready in operations])

    async def _do(self, operation: Operation) -> Any:
        return await self._batcher.submit(
            operation["account"], _ready(operation), has_key=operation.get("key") is not None
        )

    async def _send(
        self, operations: "Sequence[Ready]", *, atomic: bool = False
    ) -> Sequence[Result | HellerError]:
        if atomic:
            async with self._database.connection() as connection:
                return await _apply(connection, operations, atomic=True)
        # through the lanes, so that an account's operations keep their order and two callers never wait for each other's rows
        results: list[Any] = await self._batcher.submit_all(
            [
                (operation.get("account") or "", ready, operation.get("key") is not None)
                for ready in operations
                for operation in (_operation(ready),)
            ]
        )
        if all(isinstance(result, DatabaseError) for result in results):
            raise results[0]  # no operation was done
        return results

    async def _read(self, function: str, **arguments: Any) -> Any:
        async with self._database.connection() as connection:
            return await call(connection, function, **arguments)

    async def _read_many(self, function: str, **arguments: Any) -> list[Any]:
        async with self._database.connection() as connection:
            return await call_many(connection, function, **arguments)


class Within(Ledger):
    """The verbs on one connection of the caller's, who commits or rolls back. Never batched with others."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def _do(self, operation: Operation) -> Any:
        (result,) = await self._send([_ready(operation)])
        return _raised(result)

    async def _send(
        self, operations: "Sequence[Ready]", *, atomic: bool = False
    ) -> Sequence[Result | HellerError]:
        with translating():
            return await _apply(self._connection, operations, atomic=atomic)

    async def _read(self, function: str, **arguments: Any) -> Any:
        return await call(self._connection, function, **arguments)

    async def _read_many(self, function: str, **arguments: Any) -> list[Any]:
        return await call_many(self._connection, function, **arguments)


class WithinSession(Ledger):
    """The verbs inside a SQLAlchemy ``AsyncSession`` or ``AsyncConnection``, whatever its driver."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def _do(self, operation: Operation) -> Any:
        (result,) = await self._send([_ready(operation)])
        return _raised(result)

    async def _send(
        self, operations: "Sequence[Ready]", *, atomic: bool = False
    ) -> Sequence[Result | HellerError]:
        statement = "select heller.apply(cast(cast(:operations as text) as jsonb), :atomic)::text"
        rows = await self._rows(statement, operations=_list(operations), atomic=atomic)
        return _results(operations, rows[0])

    async def _read(self, function: str, **arguments: Any) -> Any:
        rows = await self._read_many(function, **arguments)
        return rows[0] if rows else None

    async def _read_many(self, function: str, **arguments: Any) -> list[Any]:
        given = {name: value for name, value in arguments.items() if value is not None}
        named = ", ".join(
            f"p_{name} => cast(cast(:{name} as text) as jsonb)"
            if isinstance(value, dict)
            else f"p_{name} => :{name}"
            for name, value in given.items()
        )
        statement = f"select to_jsonb(x)::text from heller.{function}({named}) x"
        values = {n: msgspec.json.encode(v).decode() if isinstance(v, dict) else v for n, v in given.items()}
        return [msgspec.json.decode(text) for text in await self._rows(statement, **values)]

    async def _rows(self, statement: str, **values: Any) -> list[str]:
        from sqlalchemy import text  # noqa: PLC0415  # optional: only callers who have SQLAlchemy come here
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  # as above

        try:
            result = await self._session.execute(text(statement), values)
        except DBAPIError as error:
            ours = translated(error.orig) if isinstance(error.orig, DriverError) else refusal_of(error)
            if ours is None:
                raise
            raise ours from error
        return [row[0] for row in result.all()]


class WithinAsyncpg(WithinSession):
    """The verbs on an asyncpg connection of the caller's, whatever codecs it has."""

    async def _rows(self, statement: str, **values: Any) -> list[str]:
        names = list(values)
        numbered = _NAMED.sub(lambda name: f"${names.index(name[1]) + 1}", statement)
        try:
            rows = await self._session.fetch(numbered, *values.values())
        except Exception as error:
            ours = refusal_of(error)
            if ours is None:
                raise
            raise ours from error
        return [row[0] for row in rows]


def within(connection: Any) -> Ledger:
    """The verbs inside the caller's own transaction: it commits and rolls back, heller never does.

    Args:
        connection: a psycopg ``AsyncConnection``, a SQLAlchemy ``AsyncSession`` or ``AsyncConnection`` of any driver (also of
            a class of your own, or of SQLModel's), or an asyncpg connection.

    Raises:
        InvalidArgument: it is none of them.
    """
    if isinstance(connection, AsyncConnection):
        return Within(connection)
    packages = [base.__module__ for base in type(connection).__mro__]
    if any(name.startswith("sqlalchemy.ext.asyncio") for name in packages):
        return WithinSession(connection)
    if any(name.startswith("asyncpg.") for name in packages) and hasattr(connection, "fetch"):
        return WithinAsyncpg(connection)
    raise InvalidArgument(
        f"within() takes an AsyncConnection of psycopg, an AsyncSession of SQLAlchemy or a connection of asyncpg, not"
        f" {type(connection).__module__}.{type(connection).__name__}.",
        argument="connection",
        hint="From synchronous code call the SQL functions, such as select heller.spend(...); heller.refusal_of reads their errors.",
    )


class _Channel:
    """What a lane sends through: it keeps its connection while there is something to send."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held = AsyncExitStack()
        self._connection: AsyncConnection | None = None

    async def send(self, batch: "Sequence[Ready]") -> Sequence[Result | HellerError]:
        if self._connection is None:
            self._connection = await self._held.enter_async_context(self._database.connection())
        try:
            with translating():
                return await _apply(self._connection, batch)
        except BaseException:
            await self.rest()  # the pool looks after a connection that failed
            raise

    async def rest(self) -> None:
        self._connection = None
        await self._held.aclose()


class _SpreadChannel:
    """What the lanes of a cluster send through: a connection for each part of a batch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, batch: "Sequence[Ready]") -> Sequence[Result | HellerError]:
        operations = [_operation(ready) for ready in batch]
        async with self._database.connection() as connection:
            if spread.needs_coordinator(operations):
                return await _apply(connection, batch)
            return _results(batch, await spread.apply_at(connection, operations, _list(batch)))

    async def rest(self) -> None:
        pass


async def _apply(
    connection: AsyncConnection, operations: "Sequence[Ready]", *, atomic: bool = False
) -> Sequence[Result | HellerError]:
    if len(operations) > 1 and not atomic and all(map(_is_plain, operations)):
        return await spend_many(connection, [_operation(ready) for ready in operations])
    row = await (await connection.execute(_APPLY, [_list(operations), atomic])).fetchone()
    return _results(operations, cast("tuple[str]", row)[0])


def _ready(operation: Operation) -> Ready:
    """An operation that was checked. Raises InvalidArgument."""
    return operation if is_short(operation) else (operation, encoded(operation))


def _operation(ready: Ready) -> Operation:
    return ready[0] if isinstance(ready, tuple) else ready


def _is_plain(ready: Ready) -> bool:
    return is_plain(*ready) if isinstance(ready, tuple) else True


def _list(operations: Sequence[Ready]) -> str:
    texts = (ready[1] if isinstance(ready, tuple) else encoded(ready) for ready in operations)
    return (b"[" + b",".join(texts) + b"]").decode()


def _results(operations: Sequence[Ready], answers: str) -> list[Result | HellerError]:
    return [
        result_of(_operation(ready).get("verb", ""), raw)
        for ready, raw in zip(operations, _decoder.decode(answers), strict=True)
    ]


def _raised(result: Result | HellerError) -> Result:
    if isinstance(result, HellerError):
        raise result
    return result
