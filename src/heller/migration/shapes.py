"""Which column means what: the known shapes of the legacy system, as one declarative table.

Recognition is by names and looks at each table alone, so any mix of the drift is read. A shape's
name only says how close the whole is to a pure form.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from heller.errors import SourceError
from heller.migration.catalogue import Catalogue, Table

FieldType = Literal["text", "integer", "time", "json"]


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical column: the names it is known by, best first."""

    name: str
    type: FieldType
    candidates: tuple[str, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One canonical table: what it is called in the sources, and its columns."""

    name: str
    says: str
    tables: tuple[str, ...]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field of that name."""
        return next(field for field in self.fields if field.name == name)


_CREATED = Field("created_at", "time", ("created_at", "created", "inserted_at", "timestamp"))
_USER = Field("user_ref", "text", ("user_id", "clerk_user_id", "user_ref", "account_id"), required=True)

PARTS: tuple[Part, ...] = (
    Part(
        "users",
        "everyone who can own credits, with the balance the application shows",
        ("users",),
        (
            Field("id", "text", ("id", "user_id"), required=True),
            Field("email", "text", ("email", "email_address")),
            Field("name", "text", ("name", "full_name", "display_name")),
            Field("balance", "integer", ("credits_balance", "credit_balance", "credits", "balance")),
            Field("customer", "text", ("stripe_customer_id", "customer_id")),
            _CREATED,
        ),
    ),
    Part(
        "customers",
        "which Stripe customer belongs to which user",
        ("stripe_customers",),
        (
            _USER,
            Field("customer", "text", ("stripe_customer_id", "customer_id")),
            _CREATED,
        ),
    ),
    Part(
        "payments",
        "money received, or tried to",
        ("payments",),
        (
            Field("id", "text", ("id", "payment_id"), required=True),
            _USER,
            Field("provider", "text", ("provider",)),
            Field(
                "intent",
                "text",
                (
                    "provider_payment_intent_id",
                    "stripe_payment_intent_id",
                    "payment_intent_id",
                    "payment_intent",
                ),
            ),
            Field(
                "session",
                "text",
                (
                    "provider_checkout_session_id",
                    "stripe_checkout_session_id",
                    "stripe_session_id",
                    "checkout_session_id",
                    "session_id",
                ),
            ),
            Field("amount", "integer", ("amount_total_cents", "amount_cents", "amount")),
            Field("currency", "text", ("currency",)),
            Field("credits", "integer", ("expected_credits", "credits_granted", "credits")),
            Field("status", "text", ("status", "payment_status"), required=True),
            Field("event", "text", ("stripe_event_id", "event_id")),
            Field("raw", "json", ("raw_provider_data", "metadata", "meta", "raw_data")),
            _CREATED,
        ),
    ),
    Part(
        "transactions",
        "the history of changes of a balance",
        ("credit_transactions",),
        (
            Field("id", "text", ("id", "transaction_id"), required=True),
            _USER,
            Field("delta", "integer", ("delta_credits", "delta", "amount", "credits"), required=True),
            Field("reason", "text", ("reason", "transaction_type", "type")),
            Field("description", "text", ("description", "comment")),
            Field("payment_ref", "text", ("payment_id",)),
            Field("admin_ref", "text", ("admin_action_id",)),
            Field("event", "text", ("stripe_event_id", "event_id")),
            Field("before", "integer", ("balance_before",)),
            Field("after", "integer", ("balance_after",)),
            Field("metadata", "json", ("meta", "metadata")),
            _CREATED,
        ),
    ),
    Part(
        "ledger",
        "the second history, which the pages of the application sum up",
        ("credit_ledger",),
        (
            Field("id", "text", ("id",), required=True),
            _USER,
            Field("delta", "integer", ("delta", "delta_credits", "amount"), required=True),
            Field("reason", "text", ("reason", "transaction_type", "type")),
            Field("event", "text", ("stripe_event_id", "event_id")),
            Field("metadata", "json", ("meta", "metadata")),
            _CREATED,
        ),
    ),
    Part(
        "events",
        "deliveries of the payment provider that were seen",
        ("processed_events", "stripe_events"),
        (
            Field("event", "text", ("provider_event_id", "event_id", "stripe_event_id"), required=True),
            Field("type", "text", ("event_type", "type")),
            Field("status", "text", ("processing_status", "status")),
            Field("error", "text", ("error_message", "error")),
            Field("received_at", "time", ("received_at", "processed_at", "created_at")),
        ),
    ),
    Part(
        "admin_actions",
        "what administrators did by hand",
        ("admin_actions",),
        (
            Field("id", "text", ("id",), required=True),
            Field("actor_ref", "text", ("actor_user_id", "actor_id", "admin_id")),
            Field("user_ref", "text", ("target_user_id", "user_id"), required=True),
            Field("delta", "integer", ("delta_credits", "delta", "amount")),
            Field("comment", "text", ("comment", "reason", "note")),
            _CREATED,
        ),
    ),
)

PART = {part.name: part for part in PARTS}

OTHER_NAMES = (
    "clerk_user_id", "clerk_id", "auth0_id", "auth0_sub", "auth0_user_id", "auth_id", "auth_user_id", "sub",
    "external_id", "google_id", "session_id", "session_uuid", "session_user_id", "user_uuid", "uuid", "public_id",
    "legacy_id",
)  # fmt: skip
"""Further columns of ``users`` that hold a name of the same person. Only these: ``referred_by_id`` is someone else."""

_PURE = {
    "production": {
        "users": {"balance": "credits_balance"},
        "payments": {
            "user_ref": "user_id",
            "intent": "provider_payment_intent_id",
            "credits": "expected_credits",
        },
        "transactions": {"user_ref": "user_id", "delta": "delta_credits", "payment_ref": "payment_id"},
        "ledger": {"user_ref": "user_id", "delta": "delta"},
    },
    "documented": {
        "users": {"balance": "credits_balance", "customer": "stripe_customer_id"},
        "payments": {"user_ref": "user_id", "intent": "stripe_payment_intent_id", "amount": "amount"},
        "transactions": {"user_ref": "user_id", "delta": "delta", "event": "stripe_event_id"},
        "ledger": {"user_ref": "user_id", "delta": "delta"},
    },
}


@dataclass(frozen=True, slots=True)
class TableMapping:
    """One source table read as one canonical part.

    ``columns`` maps a canonical field to the source's column, ``constants`` to a fixed text;
    ``names`` are further columns of users that name the same person; ``negated`` turns the sign
    of delta (a table of usage that counts upwards); ``strict`` are fields whose value is by a
    foreign key the id of a user, so no other name can be meant; ``scales`` says how many of ours
    one of theirs is, where that is not 1 (a balance of 12.50 with scale 100 is 1250);
    ``time_zone`` is that of its times which do not say theirs.
    """

    part: str
    schema: str
    table: str
    columns: dict[str, str]
    constants: dict[str, str]
    names: tuple[str, ...] = ()
    negated: bool = False
    strict: bool = False
    scales: dict[str, int] = dataclasses.field(default_factory=dict)
    time_zone: str = "UTC"

    def scale(self, name: str) -> int:
        """How many of ours one of the column's is."""
        return self.scales.get(name, 1)

    @property
    def label(self) -> str:
        """The table's name as it appears in provenance: without schema where that is public."""
        return self.table if self.schema in {"public", "heller_files"} else f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole source: its shape's name, the tables read, and how reasons and statuses are to be understood."""

    shape: str
    system: str
    tables: tuple[TableMapping, ...]
    kinds: dict[str, str]
    statuses: dict[str, str]

    def of(self, part: str) -> tuple[TableMapping, ...]:
        """The source tables read as ``part``."""
        return tuple(table for table in self.tables if table.part == part)

    def has(self, part: str, field: str) -> bool:
        """True when some source table gives that field."""
        return any(field in table.columns or field in table.constants for table in self.of(part))


def match(part: Part, table: Table) -> dict[str, str]:
    """The columns of ``table`` that mean something to ``part``; no column is used twice."""
    columns: dict[str, str] = {}
    for field in part.fields:
        for candidate in field.candidates:
            if candidate in table.columns and candidate not in columns.values():
                columns[field.name] = candidate
                break
    return columns


def missing(part: Part, columns: dict[str, str]) -> list[str]:
    """Required fields of ``part`` that ``columns`` does not give."""
    return [field.name for field in part.fields if field.required and field.name not in columns]


def recognise(catalogue: Catalogue, *, system: str = "legacy") -> Mapping:
    """Find the known tables by name and read each one's columns.

    Raises SourceError, listing what was seen, when there is no table of users or nothing that holds credits.
    """
    schema = _schema_of_users(catalogue)
    tables: list[TableMapping] = []
    for part in PARTS:
        for name in part.tables:
            table = catalogue.find(schema, name)
            if table is None:
                continue
            if table.refusal:
                why, hint = table.refusal
                raise SourceError(f"{why[0].upper()}{why[1:]}.", hint=hint)
            columns = match(part, table)
            lacking = missing(part, columns)
            if lacking:
                raise SourceError(
                    f"{table.label} has no column for {', '.join(lacking)} (it has: {', '.join(table.columns)}).",
                    hint="Describe it in a mapping: heller migrate map writes a draft.",
                )
            tables.append(table_mapping(part, table, columns=columns, catalogue=catalogue))
    mapping = Mapping(_shape_name(tables), system, tuple(tables), {}, {})
    if not (mapping.has("users", "balance") or mapping.of("transactions") or mapping.of("ledger")):
        raise SourceError(
            f"{schema}.users has no balance and there is no credit_transactions or credit_ledger beside it.",
            hint="Describe the source in a mapping: heller migrate map writes a draft.",
        )
    return mapping


def table_mapping(part: Part, table: Table, *, columns: dict[str, str], catalogue: Catalogue) -> TableMapping:
    """A TableMapping for ``table`` with what the catalogue adds: further names, foreign keys to users."""
    names: tuple[str, ...] = ()
    if part.name == "users":
        names = tuple(name for name in OTHER_NAMES if name in table.columns and name not in columns.values())
    strict = any(
        key.column == columns.get("user_ref")
        and key.table in PART["users"].tables
        and (target := catalogue.find(key.schema, key.table)) is not None
        and key.target == match(PART["users"], target).get("id")
        for key in table.foreign_keys
    )
    return TableMapping(part.name, table.schema, table.name, columns, {}, names=names, strict=strict)


def _schema_of_users(catalogue: Catalogue) -> str:
    known = {name for part in PARTS for name in part.tables}
    score: dict[str, int] = {}
    for table in catalogue.tables:
        if table.name in known:
            score[table.schema] = score.get(table.schema, 0) + 1
    with_users = [table.schema for table in catalogue.tables if table.name in PART["users"].tables]
    if with_users:
        return max(with_users, key=lambda schema: score[schema])
    seen = ", ".join(table.label for table in catalogue.tables[:40]) or "no tables at all"
    raise SourceError(
        f"This database has no table of users that I recognise. I see: {seen}.",
        hint="Describe the source in a mapping: heller migrate map writes a draft from the catalogue.",
    )


def _shape_name(tables: list[TableMapping]) -> str:
    for shape, pure in _PURE.items():
        if all(
            table.columns.get(field) == column
            for table in tables
            for field, column in pure.get(table.part, {}).items()
        ):
            return shape
    return "drifted"
