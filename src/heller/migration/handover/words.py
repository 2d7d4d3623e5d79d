"""The words a legacy application uses for a payment's status and a row's reason, for what a return writes.

First those of its mapping file, then those that the known shapes use, then what is nearest.
"""

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection, sql

from heller.migration.handover.canonical import state_of
from heller.migration.handover.layout import Part

SAMPLE_ROWS = 10_000

_STATES = {
    "settled": ("paid", ("CREDITED", "PAID", "credited", "completed", "paid", "succeeded")),
    "partly_refunded": ("paid", ("CREDITED", "PAID", "credited", "completed", "paid", "succeeded")),
    "refunded": ("refunded", ("REFUNDED", "refunded")),
    "disputed": ("chargeback", ("CHARGEBACK", "chargeback", "disputed", "REFUNDED", "refunded")),
    "failed": ("failed", ("FAILED", "failed")),
    "canceled": ("canceled", ("CANCELED", "canceled", "cancelled")),
    "processing": ("open", ("INIT", "pending", "processing", "open", "created")),
}
"""By the state of our payments: what a mapping calls it, and the words of the known shapes, best first."""
_REASONS = {
    "purchase": ("purchase", "PURCHASE"),
    "grant": ("bonus", "manual", "ADMIN"),
    "spend": ("usage", "USAGE", "resume_analysis"),
    "refund": ("refund", "REFUND"),
    "clawback": ("refund", "REFUND", "CHARGEBACK"),
    "reinstate": ("manual", "ADMIN"),
    "expire": ("manual", "ADMIN"),
    "adjust": ("manual", "ADMIN"),
    "transfer": ("manual", "ADMIN"),
}
_NEAREST = {
    "purchase": ("grant", "adjust"),
    "grant": ("adjust", "purchase"),
    "spend": ("adjust",),
    "refund": ("reinstate", "adjust", "grant"),
    "clawback": ("refund", "adjust", "spend"),
    "reinstate": ("refund", "adjust", "grant"),
    "expire": ("adjust", "clawback", "spend"),
    "adjust": ("grant", "spend"),
    "transfer": ("adjust", "grant"),
}
"""What a kind is written as where the application has no word for it."""


def status_words(known: Sequence[str], statuses: Mapping[str, str]) -> dict[str, str]:
    """For each state of our payments the word that the application knows; its own first."""
    return {state: _status(known, statuses, means, words) for state, (means, words) in _STATES.items()}


def _status(known: Sequence[str], statuses: Mapping[str, str], means: str, words: Sequence[str]) -> str:
    mapped = [word for word in known if statuses.get(word.strip().lower()) == means]
    built_in = [word for word in words if word in known]
    alike = [
        word for word in known if state_of(word, statuses) == means and word.strip().lower() not in statuses
    ]
    unseen = [word for word, state in statuses.items() if state == means]
    return next(iter([*mapped, *built_in, *(alike if means != "open" else []), *unseen]), words[0])


def reason_words(known: Sequence[str], kinds: Mapping[str, str], *, is_enum: bool) -> dict[str, str]:
    """For each kind of ours the word that a column has for it: all kinds of an enumeration, else those that have one."""
    if is_enum:
        return {kind: _label(kind, known, kinds) for kind in _NEAREST}
    spelled = {word.strip().lower(): word for word in known}
    mapped = {kind: spelled.get(word, word) for word, kind in reversed(list(kinds.items()))}
    return {"purchase": "PURCHASE", "clawback": "REFUND"} | mapped


def _label(kind: str, labels: Sequence[str], kinds: Mapping[str, str]) -> str:
    """The label of an enumeration for a kind of ours, or for the nearest one it has a label for."""
    for near in (kind, *_NEAREST[kind]):
        mapped = [label for label in labels if kinds.get(label.strip().lower()) == near]
        built_in = [word for word in _REASONS[near] if word in labels]
        if mapped or built_in:
            return (mapped or built_in)[0]
    return next((label for label in ("manual", "ADMIN") if label in labels), labels[0])


async def words_of(connection: AsyncConnection, part: Part, field: str) -> tuple[str, ...]:
    """The words this table uses in a column."""
    column = part.column(field)
    if column.labels:
        return column.labels
    query = sql.SQL(
        "select distinct s from (select {}::text as s from {} limit {}) x where s is not null"
    ).format(part.quoted(field), part.identifier, sql.Literal(SAMPLE_ROWS))
    return tuple(str(row[0]) for row in await (await connection.execute(query)).fetchall())
