"""The truth of a build: totals and accounts read back from the tables, findings judged from the planted rows."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import sql

from legacy_sample import schema
from legacy_sample.judge import Finding, Names, references
from legacy_sample.layout import Layout
from legacy_sample.model import Credits, Rows, Summary

ACCOUNTS_USERS_MAX: Final = 20_000


@dataclass(slots=True)
class Planted:
    """Collected while cases are planted: findings by code, and which user each odd name means."""

    findings: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    aliases: dict[str, str] = field(default_factory=dict)

    def note(self, findings: set[Finding]) -> None:
        """Remember the findings of one case."""
        for code, own in findings:
            self.findings[code].add(own)

    def learn(self, rows: Rows, layout: Layout) -> None:
        """Remember the names in ``rows`` that mean one user and are not that user's id."""
        names = Names(rows, layout)
        for name in references(rows):
            owner = names.one(name)
            if owner is not None and name != owner:
                self.aliases[name] = owner

    def codes(self) -> dict[str, list[str]]:
        """The findings in a fixed order: numbers by size, then text."""
        return {code: sorted(own, key=_order) for code, own in sorted(self.findings.items()) if own}


def _order(own: str) -> tuple[str, int, str]:
    table, _, last = own.rpartition(":")
    return (table, int(last), "") if last.isdigit() else (table, -1, last)


async def summarise(
    connection: psycopg.AsyncConnection, *, layout: Layout, users: int, planted: Planted
) -> Summary:
    """Row counts and the three totals, read from the tables."""
    rows: dict[str, int] = {}
    for table in schema.TABLES:
        if await schema.columns(connection, table):
            rows[table] = await _number(
                connection, sql.SQL("select count(*) from {}").format(sql.Identifier(table))
            )
    totals = []
    for table in ("users", "credit_transactions", "credit_ledger"):
        column = await _amount_column(connection, table)
        query = sql.SQL("select coalesce(sum({}), 0)").format(sql.Identifier(column)) if column else None
        full = sql.SQL("{} from {}").format(query, sql.Identifier(table)) if query else None
        totals.append(await _number(connection, full) if full else 0)
    counts = {code: len(own) for code, own in planted.codes().items()}
    return Summary(layout.shape, layout.seed, users, rows, Credits(*totals), counts)


async def document(
    connection: psycopg.AsyncConnection, *, layout: Layout, summary: Summary, planted: Planted
) -> str:
    """The truth file's text: JSON, with per-account figures up to 20,000 users."""
    figures: dict[str, Any] = {
        "shape": summary.shape,
        "seed": summary.seed,
        "users": summary.users,
        "currency": layout.currency.upper() if "currency" in layout.flags else None,
        "rows": dict(summary.rows),
        "credits": {
            "balance": summary.credits.balance,
            "transactions": summary.credits.transactions,
            "ledger": summary.credits.ledger,
        },
        "planted": planted.codes(),
    }
    if summary.users <= ACCOUNTS_USERS_MAX:
        figures["accounts"] = await _accounts(connection, planted)
    return json.dumps(figures, ensure_ascii=False, indent=1) + "\n"


async def _accounts(
    connection: psycopg.AsyncConnection, planted: Planted
) -> dict[str, dict[str, int | None]]:
    """Per ``users.id``: balance as stored, and the transactions that are this person's under any name."""
    cursor = await connection.execute("select id::text, credits_balance from users")
    accounts: dict[str, dict[str, int | None]] = {
        own: {"balance": balance, "history_sum": 0, "transactions": 0}
        for own, balance in sorted(await cursor.fetchall(), key=lambda row: _order(row[0]))
    }
    column = await _amount_column(connection, "credit_transactions")
    query = sql.SQL("select user_id::text, count(*), sum({}) from credit_transactions group by 1")
    cursor = await connection.execute(query.format(sql.Identifier(column or "")))
    for name, count, total in await cursor.fetchall():
        if name is None:
            continue
        account = accounts.get(planted.aliases.get(name) or name)
        if account is not None:
            account["history_sum"] = (account["history_sum"] or 0) + int(total)
            account["transactions"] = (account["transactions"] or 0) + count
    return accounts


async def _amount_column(connection: psycopg.AsyncConnection, table: str) -> str | None:
    """The column that holds credits in ``table``, whatever this layout calls it."""
    present = await schema.columns(connection, table)
    return next(
        (name for name in ("credits_balance", "delta_credits", "delta", "amount") if name in present), None
    )


async def _number(connection: psycopg.AsyncConnection, query: sql.Composed) -> int:
    row = await (await connection.execute(query)).fetchone()
    return int(row[0]) if row else 0
