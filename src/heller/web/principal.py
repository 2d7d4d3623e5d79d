"""Who asks: a person or a program, its role, and what its scopes allow."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

Via = Literal["api_key", "bearer", "session", "link", "development", "command_line"]


class Role(IntEnum):
    """What somebody is here; each includes what the ones before may do with accounts."""

    customer = 1
    support = 2
    operator = 3
    admin = 4


SCOPES: dict[str, str] = {
    "credits:read": "accounts, transactions, grants, holds, statements",
    "credits:spend": "spend, hold, capture, release; refund of a spend",
    "credits:write": "open, grant, adjust, void, transfer, claw back, freeze; members, alerts, top-up rules",
    "checkout": "prices, checkout, orders, portal sessions",
    "portal:write": "links that sign a user into the portal",
    "prices:write": "add and retire prices",
    "stripe:read": "deliveries and payments",
    "stripe:write": "retry, ignore and assign deliveries",
    "users:read": "users and the names they are known by",
    "users:write": "add names to users",
    "events:read": "events",
    "events:write": "webhook endpoints",
    "reports:read": "revenue, trial balance, what expires",
    "rollout:read": "the rollout, and which home serves a user",
    "rollout:write": "start, promote, halt, resume, roll back",
    "migration:read": "runs and homes of the migration",
    "keys:write": "make, list and revoke API keys",
    "audit:read": "the audit log",
}
"""Each scope and what it opens."""

_CUSTOMER = frozenset({"credits:read", "checkout"})
_SUPPORT = _CUSTOMER | {scope for scope in SCOPES if scope.endswith(":read")}
_OPERATOR = _SUPPORT | (SCOPES.keys() - {"keys:write"})
ROLE_SCOPES: dict[Role, frozenset[str]] = {
    Role.customer: _CUSTOMER,
    Role.support: _SUPPORT,
    Role.operator: _OPERATOR,
    Role.admin: frozenset(SCOPES),
}
"""What each role may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks. ``user`` is heller's id of a customer, None for one whom no account belongs to yet."""

    subject: str
    role: Role
    scopes: frozenset[str] = field(default_factory=frozenset)
    user: str | None = None
    name: str | None = None
    email: str | None = None
    via: Via = "session"
    key_id: str | None = None

    @property
    def actor(self) -> str:
        """How the ledger and the audit log name them: ``user:auth0|1``, ``key:abcd``."""
        return f"key:{self.key_id}" if self.key_id else f"user:{self.subject}"

    @property
    def is_customer(self) -> bool:
        """Whether only their own accounts exist for them."""
        return self.role is Role.customer


def allows(principal: Principal, scope: str) -> bool:
    """Whether a principal may do what ``scope`` opens."""
    return scope in principal.scopes
