"""The watch over the whole: endpoint, secrets, versions, clock, queue, and what reconcile had to heal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import stripe

from heller.database import Database, call
from heller.stripe.api import API_VERSION, Json, StripeApi
from heller.stripe.events import REQUIRED_TYPES
from heller.stripe.said import said

CLOCK_SKEW_SECONDS_MAX = 60.0
PENDING_SECONDS_MAX = 300
RECONCILE_SECONDS_MAX = 2 * 3600
SILENCE_SECONDS_MAX = 3600
REFUSALS = ("bad_signature", "bad_header", "no_signature", "old_timestamp", "future_timestamp")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ``status`` is ok, warning or failed; ``mend`` says what to do."""

    name: str
    status: str
    found: str
    mend: str = ""


async def health(database: Database) -> Json:
    """The figures, for metrics and pages: see ``heller.stripe_health()``."""
    async with database.connection() as connection:
        result: Json = await call(connection, "stripe_health")
        return result


async def watch(database: Database) -> list[Check]:
    """The checks that need no call to Stripe."""
    return list(_of_figures(await health(database)))


async def doctor(database: Database, api: StripeApi, *, webhook_url: str | None = None) -> list[Check]:
    """All checks; ``webhook_url`` names our endpoint when the account has several."""
    checks = await _of_stripe(api, webhook_url)
    return checks + await watch(database)


async def _of_stripe(api: StripeApi, webhook_url: str | None) -> list[Check]:
    try:
        endpoints = [item async for item in api.pages("webhook_endpoints")]
        paid = [item async for item in api.pages("payment_intents", limit=20)]
    except stripe.AuthenticationError:
        return [Check("key", "failed", "Stripe does not accept STRIPE_SECRET_KEY", "Set a valid key.")]
    except stripe.StripeError as error:
        return [
            Check(
                "stripe",
                "failed",
                said(error),
                "Look at the network here, then at https://status.stripe.com.",
            )
        ]
    checks = [Check("key", "ok", f"accepted, {api.settings.mode} mode")]
    if any(item["livemode"] != api.settings.livemode for item in paid):
        checks.append(
            Check(
                "mode",
                "failed",
                "Stripe's objects are of the other mode",
                "Set STRIPE_MODE and the key alike.",
            )
        )
    skew = api.clock_skew_seconds
    if abs(skew) > CLOCK_SKEW_SECONDS_MAX:
        mend = "Synchronise this server's clock; signatures beyond five minutes are refused."
        checks.append(Check("clock", "failed", f"{skew:+.0f} s from Stripe's", mend))
    else:
        checks.append(Check("clock", "ok", f"{skew:+.0f} s from Stripe's"))
    ours = [item for item in endpoints if webhook_url is None or item["url"] == webhook_url]
    if not ours:
        mend = (
            f"Make one with api_version {API_VERSION} and the events it needs: docs/how-to/stripe.md, step 3."
        )
        return [*checks, Check("endpoint", "failed", "there is no webhook endpoint", mend)]
    return checks + [check for item in ours for check in _of_endpoint(item)]


def _of_endpoint(item: Json) -> Iterable[Check]:
    name = f"endpoint {item['url']}"
    if item["status"] == "enabled":
        yield Check(name, "ok", "enabled")
    else:
        yield Check(
            name,
            "failed",
            "disabled by Stripe",
            "Enable it in the Dashboard, then run 'heller stripe reconcile'.",
        )
    wanted = set() if "*" in item["enabled_events"] else REQUIRED_TYPES - set(item["enabled_events"])
    if wanted:
        yield Check(
            f"{name}: events",
            "failed",
            f"not subscribed: {', '.join(sorted(wanted))}",
            "Add them to the endpoint.",
        )
    if item.get("api_version") not in (None, API_VERSION):
        mend = f"Make a second endpoint with {API_VERSION}, run both for a while, then delete this one."
        yield Check(
            f"{name}: version", "warning", f"{item['api_version']}, this program speaks {API_VERSION}", mend
        )


def _of_figures(figures: Json) -> Iterable[Check]:
    oldest = figures["oldest_pending_seconds"] or 0
    if oldest > PENDING_SECONDS_MAX:
        yield Check("queue", "failed", f"an event has waited for {oldest} s", "Run 'heller worker'.")
    else:
        yield Check("queue", "ok", f"{figures['pending']} waiting")
    for name in ("parked", "dead"):
        if figures[name]:
            mend = f"heller stripe deliveries list --status {name}"
            yield Check(name, "warning", f"{figures[name]} deliveries need a person", mend)
    yield from _of_outcomes(figures)
    if figures["healed_24h"] or figures["missed_events_24h"]:
        found = (
            f"{figures['healed_24h']} payments healed, {figures['missed_events_24h']} events fetched in 24 h"
        )
        yield Check(
            "reconcile", "warning", found, "Events do not arrive: look at the endpoint in the Dashboard."
        )
    if figures["open_discrepancies"]:
        found = f"{figures['open_discrepancies']} open"
        yield Check("discrepancies", "warning", found, "heller stripe discrepancies")
    age = _age(figures["marks"].get("reconcile"))
    if age is None or age > RECONCILE_SECONDS_MAX:
        found = "never ran" if age is None else f"last ran {age:.0f} s ago"
        yield Check(
            "reconcile run", "warning", found, "Run 'heller worker', which does it every few minutes."
        )
    if figures["drifted_payments"]:
        yield Check(
            "drift", "failed", f"transactions do not add up: {figures['drifted_payments']}", "heller verify"
        )
    others = {v: n for v, n in figures["api_versions"].items() if v not in (API_VERSION, "none")}
    if others:
        yield Check(
            "versions",
            "warning",
            f"events of other API versions: {others}",
            f"Endpoints should have {API_VERSION}.",
        )


def _of_outcomes(figures: Json) -> Iterable[Check]:
    outcomes: dict[str, Any] = figures["outcomes_24h"]
    accepted = sum(n for name, n in outcomes.items() if name.startswith("secret_"))
    refused = sum(outcomes.get(name, 0) for name in REFUSALS)
    if refused and not accepted:
        mend = "The secret is wrong, a proxy changes the body, or the clock is off."
        yield Check("signatures", "failed", f"all {refused} deliveries were refused", mend)
    old = sum(n for name, n in outcomes.items() if name.startswith("secret_") and name != "secret_0")
    if old:
        mend = "Remove the old secret once it no longer signs (24 h after the roll)."
        yield Check("secret", "warning", f"{old} deliveries were signed with an old secret in 24 h", mend)
    if outcomes.get("unavailable"):
        yield Check(
            "ingest",
            "warning",
            f"{outcomes['unavailable']} deliveries answered 503 in 24 h",
            "Look at the database.",
        )
    silence = _age(figures["last_delivery_at"])
    if silence is not None and silence > SILENCE_SECONDS_MAX and figures["missed_events_24h"]:
        yield Check(
            "deliveries",
            "failed",
            f"none for {silence:.0f} s although Stripe made events",
            "Is the endpoint enabled?",
        )


def _age(moment: str | None) -> float | None:
    return None if moment is None else (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
