"""The audit log: who did what over HTTP. Append-only, written in the transaction of what was done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from heller.database import call, call_many
from heller.web.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that was done. ``action`` is noun.verb, ``target`` the id of what it was done to."""

    entry: int
    at: datetime
    actor: str
    via: str
    action: str
    target: str
    detail: dict[str, Any]
    request_id: str | None = None


async def note(
    connection: AsyncConnection,
    principal: Principal,
    action: str,
    target: str,
    detail: Mapping[str, Any] | None = None,
    *,
    request_id: str | None = None,
) -> int:
    """Write an entry on a connection, inside its transaction where there is one; the number of the entry.

    Args:
        connection: the caller's.
        principal: who did it.
        action: as noun.verb, such as ``account.freeze``.
        target: the id of what it was done to.
        detail: what was asked for; no secrets.
        request_id: which request it was.
    """
    entry: int = await call(
        connection,
        "note_audit",
        actor=principal.actor,
        via=principal.via,
        action=action,
        target=target,
        detail=_plain(detail or {}),
        request_id=request_id,
    )
    return entry


def _plain(detail: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(
        {name: value for name, value in detail.items() if value is not None}
    )
    return plain


async def entries(
    connection: AsyncConnection,
    *,
    before: int | None = None,
    limit: int = 100,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[AuditEntry]:
    """What was done, newest first; the next page is ``before`` the last entry of this one.

    Args:
        connection: any.
        before: only older entries than this one.
        limit: how many, at most 1,000.
        actor: only theirs.
        action: only this action, or all of one noun (``account``).
        target: only what was done to it.
        since: not before this instant.
        until: before this instant.
    """
    rows = await call_many(
        connection,
        "audit_entries",
        before=before,
        limit=limit,
        actor=actor,
        action=action,
        target=target,
        since=since,
        until=until,
    )
    return [msgspec.convert(row, AuditEntry) for row in rows]
