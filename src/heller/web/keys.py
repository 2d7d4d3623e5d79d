"""API keys: ``heller_`` + a public id + a secret, of which only the SHA-256 is kept."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from psycopg import AsyncConnection

from heller.database import call, call_many
from heller.errors import InvalidArgument
from heller.web.principal import ROLE_SCOPES, Principal, Role

PREFIX = "heller_"
SECRET_BYTES = 32
OVERLAP_SECONDS = 86_400
OVERLAP_SECONDS_MAX = 90 * 86_400
_FORM = re.compile(r"heller_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it stands, without its secret."""

    key_id: str
    name: str
    role: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    is_valid: bool
    rate_per_minute: int | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key just made: ``secret`` is shown this once."""

    api_key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedApiKey(NewApiKey):
    """A key made in place of another: ``followed`` is that one, and its ``expires_at`` the end of the overlap."""

    followed: ApiKey


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def is_key(token: str) -> bool:
    """Whether a bearer token is meant to be one of our keys."""
    return token.startswith(PREFIX)


async def create(
    connection: AsyncConnection,
    name: str,
    *,
    role: Role,
    actor: str,
    scopes: Iterable[str] | None = None,
    expires_at: datetime | None = None,
    rate_per_minute: int | None = None,
) -> NewApiKey:
    """Make a key.

    Args:
        connection: any.
        name: what it is for.
        role: what it is at most: support, operator or admin.
        actor: who makes it.
        scopes: what it opens; without them all of the role.
        expires_at: when it ends by itself.
        rate_per_minute: requests a minute; None is no limit.

    Raises:
        InvalidArgument: a scope that the role has not, an instant that is past.
    """
    wanted = ROLE_SCOPES[role] if scopes is None else frozenset(scopes)
    if beyond := sorted(wanted - ROLE_SCOPES[role]):
        raise InvalidArgument(
            f"The role {role.name} has no scope {', '.join(beyond)}.",
            hint=f"It has {', '.join(sorted(ROLE_SCOPES[role]))}.",
            argument="scopes",
        )
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES)
    raw = await call(
        connection,
        "create_api_key",
        key_id=key_id,
        name=name,
        secret_hash=_hash(secret),
        role=role.name,
        scopes="{" + ",".join(sorted(wanted)) + "}",  # SQL's array; scopes are plain words
        actor=actor,
        expires_at=expires_at,
        rate_per_minute=rate_per_minute,
    )
    return NewApiKey(api_key=msgspec.convert(raw, ApiKey), secret=f"{PREFIX}{key_id}_{secret}")


async def rotate(
    connection: AsyncConnection,
    key_id: str,
    *,
    actor: str,
    overlap_seconds: int = OVERLAP_SECONDS,
    expires_at: datetime | None = None,
) -> RotatedApiKey:
    """Make a key with the name, role, scopes and rate of another, which ends after the overlap.

    Args:
        connection: any.
        key_id: the key to be followed; it must be valid.
        actor: who does it.
        overlap_seconds: how long both are valid; 0 ends the old one at once, and 90 days are the most.
        expires_at: when the new one ends by itself; to be said where the old one does.

    Raises:
        InvalidArgument: there is no such key, it has ended, or one of the others is as it says.
    """
    new_id, secret = secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES)
    raw = await call(
        connection,
        "rotate_api_key",
        key_id=key_id,
        new_key_id=new_id,
        secret_hash=_hash(secret),
        actor=actor,
        overlap_seconds=overlap_seconds,
        expires_at=expires_at,
    )
    if raw is None:
        raise _unknown(key_id)
    return msgspec.convert(raw | {"secret": f"{PREFIX}{new_id}_{secret}"}, RotatedApiKey)


async def use(connection: AsyncConnection, token: str) -> tuple[Principal, int | None] | None:
    """The principal of a key and its requests a minute; None when it is not valid now."""
    match = _FORM.fullmatch(token)
    if match is None:
        return None
    raw = await call(connection, "use_api_key", key_id=match[1], secret_hash=_hash(match[2]))
    if raw is None:
        return None
    key = msgspec.convert(raw, ApiKey)
    role = Role[key.role]
    principal = Principal(
        subject=key.name,
        role=role,
        scopes=frozenset(key.scopes) & ROLE_SCOPES[role],
        name=key.name,
        via="api_key",
        key_id=key.key_id,
    )
    return principal, key.rate_per_minute


async def listed(
    connection: AsyncConnection,
    *,
    include_ended: bool = False,
    before: str | None = None,
    limit: int | None = None,
) -> list[ApiKey]:
    """The valid keys, or all, newest first; at most 1,000 a page, the next page is ``before`` the last key's id.

    Raises:
        InvalidArgument: ``before`` is no key.
    """
    rows = await call_many(connection, "api_keys_list", all=include_ended, before=before, limit=limit)
    return [msgspec.convert(row, ApiKey) for row in rows]


async def revoke(connection: AsyncConnection, key_id: str, *, actor: str) -> ApiKey:
    """Make a key worthless; processes that have seen it within ten seconds may take it that much longer.

    Raises:
        InvalidArgument: there is no such key.
    """
    raw = await call(connection, "revoke_api_key", key_id=key_id, actor=actor)
    if raw is None:
        raise _unknown(key_id)
    return msgspec.convert(raw, ApiKey)


def _unknown(key_id: str) -> InvalidArgument:
    if (match := _FORM.fullmatch(key_id)) is not None:  # the secret does not go into logs
        return InvalidArgument(
            "A key is named by its id, not by itself.", hint=f"Its id is {match[1]}.", argument="key_id"
        )
    return InvalidArgument(
        f"There is no key {key_id}.", hint="'heller keys list' names them.", argument="key_id"
    )
