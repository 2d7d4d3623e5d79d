"""Every error heller raises, as one tree.

::

    HellerError
    ├── UsageError                      the caller's input is at fault; nothing was changed
    │   ├── InvalidArgument             a value that can never be right (amount 0, id too long, NUL)
    │   └── SettingsError               a setting is missing, blank or contradicts another
    ├── Refused                         the ledger's rules say no; nothing was changed
    │   ├── InsufficientCredits         required > available
    │   ├── UnknownAccount              no such account (and unit)
    │   ├── AccountExists               open_account with other properties than the account has
    │   ├── AccountFrozen               an operator froze it
    │   │   └── AccountAway             its home is in the legacy system, or it is moving
    │   ├── UnknownTransaction          no such transaction in that account
    │   ├── UnknownGrant                no such grant in that account
    │   ├── UnknownHold                 no such hold in that account
    │   ├── UnknownMember               no such member of that team's account
    │   ├── HoldNotOpen                 captured, released or expired already
    │   ├── ExceedsOriginal             more than what is left of the thing undone
    │   ├── IdentityTaken               that name belongs to another user
    │   └── LimitExceeded               balance beyond bigint, cap of a member, rule of a policy
    ├── Conflict                        the state is not what the caller thought; look, then try again
    │   ├── IdempotencyConflict         the key was used for a different request
    │   ├── StaleVersion                if_version does not match
    │   ├── GateNotPassed               the guardrails have not passed this stage of a rollout
    │   └── Busy                        another run holds the lock
    ├── DatabaseError                   the database cannot serve
    │   ├── DatabaseUnavailable         no connection, shutting down, out of connections
    │   ├── SchemaMissing               the schema heller is not there
    │   ├── SchemaMismatch              older, newer, or changed by hand
    │   └── PermissionMissing           the role lacks a right, named
    ├── EmbeddedError                   the embedded PostgreSQL cannot run here
    ├── MigrationError                  a migration step cannot go on
    │   ├── SourceError                 the legacy database cannot be read as credits
    │   ├── MappingError                the TOML mapping is wrong, with the place
    │   ├── DecisionsNeeded             blockers without a decision
    │   └── StalePlan                   the source is not what was planned
    ├── ProviderError                   Stripe cannot be reached, or refuses
    ├── ApiError                        heller over HTTP answers what only HTTP knows (no key, no scope, too often)
    │   └── ApiUnavailable              heller over HTTP cannot be reached
    └── IntegrityError                  rows contradict each other: verify found it

Each class carries its data as fields, a ``code`` that is stable (the HTTP problem type and the
JSON key ``error`` are made of it), and a ``hint``: what to do next.
"""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


@dataclass(eq=False)
class HellerError(Exception):
    """Base of all errors: ``message`` says what was wrong, ``hint`` what to do next."""

    code: ClassVar[str] = "error"

    message: str
    hint: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def details(self) -> dict[str, Any]:
        """The case's own data, for JSON (everything but message and hint)."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"message", "hint"}}


class UsageError(HellerError):
    """The caller's input is at fault; nothing was changed."""

    code = "usage"


@dataclass(eq=False)
class InvalidArgument(UsageError):
    """A value that can never be right; ``argument`` names it."""

    code = "invalid_argument"
    argument: str = ""


class SettingsError(UsageError):
    """A setting is missing, blank or contradicts another."""

    code = "settings"


class Refused(HellerError):
    """The ledger's rules say no; nothing was changed."""

    code = "refused"


@dataclass(eq=False)
class InsufficientCredits(Refused):
    """``required`` exceeds ``available``; ``held`` credits are reserved by open holds."""

    code = "insufficient_credits"
    account: str = ""
    required: int = 0
    available: int = 0
    held: int = 0


@dataclass(eq=False)
class UnknownAccount(Refused):
    """No such account."""

    code = "unknown_account"
    account: str = ""


@dataclass(eq=False)
class AccountExists(Refused):
    """The account exists with other properties; ``field`` names the first that differs."""

    code = "account_exists"
    account: str = ""
    differs: str = ""


@dataclass(eq=False)
class AccountFrozen(Refused):
    """The account takes no change until it is unfrozen."""

    code = "account_frozen"
    account: str = ""
    reason: str = ""


@dataclass(eq=False)
class AccountAway(AccountFrozen):
    """The account's ``home`` is ``legacy``, or it is ``moving``: ask that system, or try again in a moment."""

    code = "account_away"
    home: str = ""


@dataclass(eq=False)
class UnknownTransaction(Refused):
    """No such transaction in that account."""

    code = "unknown_transaction"
    account: str = ""
    seq: int = 0


@dataclass(eq=False)
class UnknownGrant(Refused):
    """No such grant in that account."""

    code = "unknown_grant"
    account: str = ""
    grant: int | str = 0  # its number, or the name of a recurring one


@dataclass(eq=False)
class UnknownHold(Refused):
    """No such hold."""

    code = "unknown_hold"
    account: str = ""
    hold: str = ""


@dataclass(eq=False)
class UnknownMember(Refused):
    """That person is no member of the account."""

    code = "unknown_member"
    account: str = ""
    member: str = ""


@dataclass(eq=False)
class HoldNotOpen(Refused):
    """The hold was captured, released or has expired; ``state`` says which."""

    code = "hold_not_open"
    account: str = ""
    hold: str = ""
    state: str = ""


@dataclass(eq=False)
class ExceedsOriginal(Refused):
    """More than what is left of the thing undone; ``left`` is what could still be undone."""

    code = "exceeds_original"
    account: str = ""
    requested: int = 0
    left: int = 0


@dataclass(eq=False)
class IdentityTaken(Refused):
    """That name belongs to another user."""

    code = "identity_taken"
    name: str = ""
    user: str = ""


@dataclass(eq=False)
class LimitExceeded(Refused):
    """A limit would be crossed; ``limit`` names it."""

    code = "limit_exceeded"
    limit: str = ""


class Conflict(HellerError):
    """The state is not what the caller thought; look, then try again."""

    code = "conflict"


@dataclass(eq=False)
class IdempotencyConflict(Conflict):
    """The key was used for a different request; ``differs`` names the field."""

    code = "idempotency_conflict"
    account: str = ""
    key: str = ""
    differs: str = ""


@dataclass(eq=False)
class StaleVersion(Conflict):
    """``if_version`` does not match the account's version."""

    code = "stale_version"
    account: str = ""
    expected: int = 0
    actual: int = 0


@dataclass(eq=False)
class GateNotPassed(Conflict):
    """The guardrails have not passed this stage of the rollout; ``waiting_for`` says what is missing."""

    code = "gate_not_passed"
    waiting_for: tuple[str, ...] = ()


class Busy(Conflict):
    """Another run holds the lock."""

    code = "busy"


class DatabaseError(HellerError):
    """The database cannot serve."""

    code = "database"


class DatabaseUnavailable(DatabaseError):
    """No connection could be had."""

    code = "database_unavailable"


class SchemaMissing(DatabaseError):
    """The schema ``heller`` is not in the database."""

    code = "schema_missing"


class SchemaMismatch(DatabaseError):
    """The schema is older or newer than this program, or was changed by hand."""

    code = "schema_mismatch"


class PermissionMissing(DatabaseError):
    """The role lacks a right; the message names it."""

    code = "permission_missing"


class EmbeddedError(HellerError):
    """The embedded PostgreSQL cannot run here."""

    code = "embedded"


class MigrationError(HellerError):
    """A migration step cannot go on."""

    code = "migration"


class SourceError(MigrationError):
    """The legacy database cannot be read as credits."""

    code = "source"


class MappingError(MigrationError):
    """The TOML mapping is wrong; the message names the place."""

    code = "mapping"


@dataclass(eq=False)
class DecisionsNeeded(MigrationError):
    """Blockers without a decision; ``decisions`` is the file to fill in."""

    code = "decisions_needed"
    decisions: str = ""
    open_questions: int = 0


class StalePlan(MigrationError):
    """The source is not what was planned."""

    code = "stale_plan"


class ProviderError(HellerError):
    """Stripe cannot be reached, or refuses."""

    code = "provider"


@dataclass(eq=False)
class ApiError(HellerError):
    """heller over HTTP refuses for a reason that only HTTP has; ``problem`` is the code of its problem document."""

    code = "api"
    status: int = 0
    problem: str = ""
    request_id: str = ""


@dataclass(eq=False)
class ApiUnavailable(ApiError):
    """heller over HTTP cannot be reached."""

    code = "api_unavailable"


class IntegrityError(HellerError):
    """Rows contradict each other."""

    code = "integrity"
