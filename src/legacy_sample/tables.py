"""From canonical rows to the columns of a layout.

``EXPRESSIONS`` knows every name a column has had. A write takes those that the table really has, read
from the catalogue, and casts each to the column's type: one mapping serves all layouts, for the
crowd (set-based in SQL) and for the planted cases (copied into staging tables) alike.
"""

from dataclasses import fields
from datetime import datetime
from typing import Any, Final, LiteralString, get_args, get_type_hints

import psycopg
from psycopg import sql

from legacy_sample import schema
from legacy_sample.layout import Layout
from legacy_sample.model import (
    AdminRow,
    CustomerRow,
    EventRow,
    LedgerRow,
    PaymentRow,
    Rows,
    TransactionRow,
    UserRow,
)

_LOWER_STATUS: Final = (
    "case r.status when 'PAID' then 'completed' when 'CREDITED' then 'completed' when 'INIT' then 'pending'"
    " when 'REFUNDED' then 'refunded' when 'CHARGEBACK' then 'refunded' when 'CANCELED' then 'cancelled'"
    " when 'FAILED' then 'failed' else r.status end"
)
_ENUM_REASON: Final = (
    "case r.reason when 'PURCHASE' then 'purchase' when 'REFUND' then 'refund' when 'CHARGEBACK' then 'refund'"
    " when 'ADMIN' then 'manual' else r.reason end"
)
_TYPE: Final = (
    "case r.reason when 'PURCHASE' then 'purchase' when 'REFUND' then 'refund' when 'CHARGEBACK' then 'refund'"
    " when 'ADMIN' then 'bonus' else 'usage' end"
)

STAGES: Final[dict[str, type[Any]]] = {
    "users": UserRow,
    "stripe_customers": CustomerRow,
    "payments": PaymentRow,
    "credit_transactions": TransactionRow,
    "credit_ledger": LedgerRow,
    "processed_events": EventRow,
    "admin_actions": AdminRow,
}
_MEMBERS: Final = {
    "users": "users",
    "stripe_customers": "customers",
    "payments": "payments",
    "credit_transactions": "transactions",
    "credit_ledger": "ledger",
    "processed_events": "events",
    "admin_actions": "admin",
}


def row_id(layout: Layout, table: LiteralString, number: LiteralString) -> LiteralString:
    """SQL for the id of row ``number`` of ``table``: the twin of ``Layout.row_id``."""
    id_type = layout.names.get("row_id_type", "bigint")
    return _id(layout, table, number, id_type)


def user_id(layout: Layout, number: LiteralString) -> LiteralString:
    """SQL for the id of person ``number``, as text: the twin of ``Layout.user_id``."""
    return _id(layout, "users", number, layout.id_type)


def _id(layout: Layout, table: LiteralString, number: LiteralString, id_type: str) -> LiteralString:
    if id_type in {"integer", "bigint"}:
        return f"({number})::text"
    digits: LiteralString = f"md5('{_literal(layout.seed)}:{table}:' || {number})"
    return f"'{table[:3]}_' || substr({digits}, 1, 20)" if id_type == "text" else f"({digits})::uuid::text"


def _literal(number: int) -> LiteralString:
    """A number as SQL text; digits only, whatever comes in."""
    return str(int(number))


def _expressions(layout: Layout, table: str) -> dict[str, LiteralString]:
    """Every name a column of ``table`` has had, and where its value comes from."""
    flags = layout.flags
    intent: LiteralString = "r.intent"
    status: LiteralString = _LOWER_STATUS if "status_lower" in flags else "r.status"
    meta: LiteralString = "r.meta"
    if "payment_link" not in flags:
        link = row_id(layout, "payments", "r.payment_id")
        meta = (
            "case when r.payment_id is null then r.meta"
            " when r.intent is not null then json_build_object('payment_intent', r.intent)::text"
            f" else json_build_object('payment_id', {link})::text end"
        )
    known: dict[str, dict[str, LiteralString]] = {
        "users": {
            "id": "r.id", "email": "r.email", "name": "r.name", "credits_balance": "r.balance",
            "stripe_customer_id": "r.customer", "created_at": "r.created_at", "updated_at": "r.created_at",
        },
        "stripe_customers": {"user_id": "r.user_ref", "stripe_customer_id": "r.customer", "created_at": "r.created_at"},
        "payments": {
            "id": row_id(layout, "payments", "r.id"), "user_id": "r.user_ref", "provider": "'stripe'",
            "provider_payment_intent_id": intent, "stripe_payment_intent_id": intent,
            "provider_checkout_session_id": "r.session", "stripe_session_id": "r.session",
            "amount_total_cents": "r.cents", "amount_cents": "r.cents", "amount": "r.cents", "currency": "r.currency",
            "expected_credits": "r.credits", "credits_granted": "r.credits", "status": status,
            "raw_provider_data": "r.raw", "metadata": "r.raw", "created_at": "r.created_at", "updated_at": "r.updated_at",
        },
        "credit_transactions": {
            "id": row_id(layout, "credit_transactions", "r.id"), "user_id": "r.user_ref", "payment_id": "r.payment_id",
            "admin_action_id": "r.admin_action_id", "delta_credits": "r.delta", "delta": "r.delta", "amount": "r.delta",
            "reason": _ENUM_REASON if "reason_enum" in flags else "r.reason", "transaction_type": _TYPE,
            "description": "r.reason", "meta": meta, "metadata": meta, "stripe_event_id": "r.event",
            "balance_before": "r.balance_before", "balance_after": "r.balance_after", "created_at": "r.created_at",
        },
        "credit_ledger": {
            "id": "r.id", "user_id": "r.user_ref", "clerk_user_id": "r.user_ref", "delta": "r.delta", "reason": "r.reason",
            "stripe_event_id": "r.event", "created_at": "r.created_at",
        },
        "processed_events": {
            "id": "r.id", "provider": "'stripe'", "provider_event_id": "r.event", "received_at": "r.created_at",
            "payload_sha256": "encode(sha256(r.event::bytea), 'hex')", "event_id": "r.event", "event_type": "r.type",
            "processed_at": "r.created_at", "metadata": "'{}'",
        },
        "stripe_events": {
            "event_id": "r.event", "event_type": "r.type", "processed_at": "r.created_at",
            "raw_data": "json_build_object('id', r.event, 'type', r.type)::text", "processing_status": "r.status",
            "error_message": "r.error",
        },
        "admin_actions": {
            "id": "r.id", "actor_user_id": "r.actor", "target_user_id": "r.target", "delta_credits": "r.delta",
            "comment": "r.comment", "created_at": "r.created_at",
        },
    }  # fmt: skip
    return known[table]


class Writer:
    """Writes canonical rows, from any query, into the tables as they are."""

    def __init__(self, connection: psycopg.AsyncConnection, layout: Layout) -> None:
        self.connection = connection
        self.layout = layout
        self._columns: dict[str, dict[str, str]] = {}

    async def columns(self, table: str) -> dict[str, str]:
        """Columns and types of ``table``; empty when this layout has no such table."""
        if table not in self._columns:
            self._columns[table] = await schema.columns(self.connection, table)
        return self._columns[table]

    async def insert(
        self, table: str, source: sql.Composable, parameters: dict[str, Any] | None = None
    ) -> int:
        """Insert what ``source`` yields (``select ... order by`` of canonical columns); returns the count."""
        present = await self.columns(table)
        if not present:
            return 0
        known = _expressions(self.layout, table)
        values = [
            sql.SQL("({})::{}").format(sql.SQL(known[column]), sql.SQL(kind))
            for column, kind in present.items()
        ]
        statement = sql.SQL("insert into {} ({}) select {} from ({}) as r").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, present)),
            sql.SQL(", ").join(values),
            source,
        )
        cursor = await self.connection.execute(statement, parameters)
        return cursor.rowcount

    async def create_stages(self) -> None:
        """Temporary tables with the canonical columns, dropped at commit."""
        for table, row in STAGES.items():
            shape = [f"{name} {_sql_type(hint)}" for name, hint in get_type_hints(row).items()]
            await self.connection.execute(
                sql.SQL("create temporary table {} ({}) on commit drop").format(
                    sql.Identifier(f"stage_{table}"),
                    sql.SQL(", ".join(["place bigint", *shape])),
                )
            )

    async def write(self, rows: Rows) -> None:
        """Copy ``rows`` into the staging tables and from there into the real ones."""
        for table, row in STAGES.items():
            stage = sql.Identifier(f"stage_{table}")
            await self.connection.execute(sql.SQL("truncate {}").format(stage))
            names = [field.name for field in fields(row)]
            listed = sql.SQL(", ").join(map(sql.Identifier, ["place", *names]))
            statement = sql.SQL("copy {} ({}) from stdin").format(stage, listed)
            cursor = self.connection.cursor()
            async with cursor.copy(statement) as copy:
                for place, item in enumerate(getattr(rows, _MEMBERS[table])):
                    await copy.write_row([place, *(getattr(item, name) for name in names)])
            await self._spread(table, stage)

    async def _spread(self, table: str, stage: sql.Identifier) -> None:
        if table != "processed_events":
            await self.insert(table, sql.SQL("select * from {} order by place").format(stage))
            return
        for target, member in (("processed_events", "processed"), ("stripe_events", "logged")):
            source = sql.SQL("select * from {} where {} order by place").format(stage, sql.Identifier(member))
            await self.insert(target, source)


def _sql_type(hint: Any) -> str:
    """The staging type of a field: bigint, boolean, timestamptz or text."""
    plain = next((part for part in get_args(hint) if part is not type(None)), hint)
    return {int: "bigint", bool: "boolean", datetime: "timestamptz"}.get(plain, "text")
