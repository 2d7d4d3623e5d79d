"""Figures for Prometheus, read from the database when they are asked for. ``docs/reference/metrics.md`` is made of this.

Names follow Prometheus' conventions: ``heller_`` first, the unit last, ``_total`` on what only grows. No label is called
``job`` or ``instance``, which Prometheus gives to everything it scrapes.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heller.database import Database, call
from heller.errors import HellerError

CONTENT_TYPE = CONTENT_TYPE_LATEST
ANSWER_SECONDS_MAX = 10.0
SIGNATURE_OUTCOMES = ("bad_signature", "bad_header", "no_signature", "old_timestamp", "future_timestamp")
"""Counted from 0 on: Prometheus does not see the first step of a counter that was not there before."""
ROLLOUT_STATES = ("running", "halted", "rolling_back", "rolled_back", "done")

Samples = Iterable[tuple[tuple[str, ...], float | None]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: its name, what it means, its labels."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def family(self, samples: Samples) -> Metric:
        """The metric with its samples; those without a value are left out."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = make(self.name, self.meaning, labels=self.labels)
        for labels, value in samples:
            if value is not None:
                family.add_metric(labels, float(value))
        return family


UP = Figure("heller_up", "1 while the database answers with figures.")
FIGURES = {
    figure.name: figure
    for figure in (
        Figure("heller_accounts", "Accounts.", ("unit",)),
        Figure("heller_accounts_frozen", "Accounts that take no change.", ("unit",)),
        Figure("heller_credits_owed", "Credits that accounts have: what is owed to customers.", ("unit",)),
        Figure("heller_credits_debt", "Credits below zero: what customers owe.", ("unit",)),
        Figure("heller_credits_held", "Credits reserved by open holds.", ("unit",)),
        Figure("heller_trial_balance_difference_credits", "All accounts plus all kinds; must be 0."),
        Figure(
            "heller_deferred_revenue_minor_units", "Paid for and not yet used, in minor units.", ("currency",)
        ),
        Figure("heller_due_accounts", "Accounts with an expiry that no worker has written down yet."),
        Figure("heller_due_oldest_seconds", "How long the oldest of them has waited."),
        Figure("heller_inbox_events", "Events of Stripe that wait, by status.", ("status",)),
        Figure("heller_inbox_oldest_seconds", "Age of the oldest event that waits for its effect."),
        Figure("heller_webhook_deliveries", "Deliveries of Stripe, by outcome.", ("outcome",), "counter"),
        Figure(
            "heller_discrepancies_open", "Differences between Stripe and the ledger that wait for a person."
        ),
        Figure(
            "heller_discrepancies_healed",
            "Differences that reconcile had to heal; should stay 0.",
            (),
            "counter",
        ),
        Figure(
            "heller_endpoint_failures", "Failed deliveries in a row to an endpoint of ours.", ("endpoint",)
        ),
        Figure("heller_endpoint_disabled", "1 when nothing more is sent to it.", ("endpoint",)),
        Figure("heller_job_runs", "Runs of a periodic job.", ("job_name",), "counter"),
        Figure("heller_job_failures", "Runs that failed.", ("job_name",), "counter"),
        Figure("heller_job_duration_seconds", "How long the last run took.", ("job_name",)),
        Figure("heller_job_last_success_timestamp_seconds", "When it last went well.", ("job_name",)),
        Figure("heller_anchor_timestamp_seconds", "The instant of the newest anchor."),
        Figure("heller_operations", "Credit operations of the last five minutes, by home.", ("home",)),
        Figure("heller_operation_error_ratio", "Which part of them failed.", ("home",)),
        Figure("heller_operation_duration_seconds", "How long they took.", ("home", "quantile")),
        Figure("heller_homes", "Users by the home that owns their credits.", ("home",)),
        Figure("heller_rollout_percent", "The stage of the rollout."),
        Figure("heller_rollout_state", "1 for the state it is in.", ("state",)),
        Figure("heller_rollout_invariants_ok", "1 while no invariant of the handover is broken."),
    )
}
"""Every metric by name, in the order of the page."""


async def exposition(database: Database) -> bytes:
    """All figures in Prometheus' text format: this process's own, then the database's. Never raises: ``heller_up`` tells."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX), database.connection() as connection:
            raw = await call(connection, "metrics")
    except (HellerError, psycopg.Error, TimeoutError):
        families = [UP.family([((), 0.0)])]
    else:
        families = [UP.family([((), 1.0)]), *families_of(raw)]
    registry = CollectorRegistry()
    registry.register(_Read(families))
    return generate_latest(REGISTRY) + generate_latest(registry)


def families_of(raw: Mapping[str, Any]) -> list[Metric]:
    """The metrics in one answer of ``heller.metrics``."""
    samples: dict[str, Samples] = {**_books(raw["books"]), **_queues(raw), **_jobs(raw), **_rollout(raw)}
    return [FIGURES[name].family(found) for name, found in samples.items()]


class _Read(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _one(value: float | None) -> Samples:
    return [((), value)]


def _by(values: Mapping[str, Any] | None, part: str | None = None) -> Samples:
    return [((label,), value if part is None else value[part]) for label, value in (values or {}).items()]


def _books(books: Mapping[str, Any]) -> dict[str, Samples]:
    units = books["accounts"]
    return {
        "heller_accounts": _by(units, "accounts"),
        "heller_accounts_frozen": _by(units, "frozen"),
        "heller_credits_owed": _by(units, "owed"),
        "heller_credits_debt": _by(units, "debt"),
        "heller_credits_held": _by(units, "held"),
        "heller_trial_balance_difference_credits": _one(books["difference"]),
        "heller_deferred_revenue_minor_units": _by(books["deferred"]),
    }


def _queues(raw: Mapping[str, Any]) -> dict[str, Samples]:
    waiting = dict.fromkeys(("pending", "processing", "parked", "dead"), 0) | raw["inbox"]
    return {
        "heller_due_accounts": _one(raw["due_accounts"]),
        "heller_due_oldest_seconds": _one(raw["due_oldest_seconds"]),
        "heller_inbox_events": _by(waiting),
        "heller_inbox_oldest_seconds": _one(raw["inbox_oldest_seconds"]),
        "heller_webhook_deliveries": _by(dict.fromkeys(SIGNATURE_OUTCOMES, 0) | raw["deliveries"]),
        "heller_discrepancies_open": _one(raw["open_discrepancies"]),
        "heller_discrepancies_healed": _one(raw["healed_discrepancies"]),
        "heller_endpoint_failures": _by(raw["endpoints"], "failures"),
        "heller_endpoint_disabled": _by(raw["endpoints"], "disabled"),
    }


def _jobs(raw: Mapping[str, Any]) -> dict[str, Samples]:
    jobs = raw["jobs"]
    return {
        "heller_job_runs": _by(jobs, "runs"),
        "heller_job_failures": _by(jobs, "failures"),
        "heller_job_duration_seconds": _by(jobs, "seconds"),
        "heller_job_last_success_timestamp_seconds": _by(jobs, "succeeded_at"),
        "heller_anchor_timestamp_seconds": _one(raw["anchor_at"]),
    }


def _rollout(raw: Mapping[str, Any]) -> dict[str, Samples]:
    operations, rollout = raw["operations"], raw["rollout"] or {}
    state, checked = rollout.get("state"), raw["invariants"] or {}
    judged = [ok for ok in (rollout.get("invariants_ok"), checked.get("ok")) if ok is not None]
    return {
        "heller_operations": _by(operations, "count"),
        "heller_operation_error_ratio": _by(operations, "error_ratio"),
        "heller_operation_duration_seconds": [
            ((home, f"0.{name[1:]}"), found[f"{name}_milliseconds"] / 1000)
            for home, found in operations.items()
            for name in ("p50", "p95", "p99")
        ],
        "heller_homes": _by(checked.get("homes") or rollout.get("homes")),
        "heller_rollout_percent": _one(rollout.get("percent")),
        "heller_rollout_state": []
        if state is None
        else [((name,), float(name == state)) for name in ROLLOUT_STATES],
        "heller_rollout_invariants_ok": _one(float(all(judged)) if judged else None),
    }
