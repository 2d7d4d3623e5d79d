"""``heller checklist``: the plan's three lists, before, during and after the move. Each item is looked at now, none is ticked.

What cannot be seen at this moment (a restored backup, a rehearsed rollback) is found in the database, where the
command that did it wrote it down.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, Literal

import httpx
import psycopg
from psycopg import AsyncConnection

from heller import schema
from heller.database import call, connect, translating
from heller.errors import HellerError
from heller.ledger import within
from heller.migration.handover import fence
from heller.migration.handover.runs import open_sides
from heller.migration.handover.selftest import try_every_path
from heller.success import ERROR_RATIO_MAX, SECONDS_MAX, WEBHOOK_SUCCESS_MIN, webhook_success

Phase = Literal["before", "during", "after"]
State = Literal["ok", "open", "failed", "unknown"]

ANSWER_SECONDS_MAX = 5.0
FRESH = timedelta(hours=24)
BACKUP_FRESH = timedelta(days=7)
WORKER_FRESH = timedelta(minutes=2)
ALL_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One item: ok, open (not done yet), failed, or unknown (it cannot be seen from here), why, and what would satisfy it."""

    name: str
    phase: Phase
    title: str
    state: State
    evidence: str
    command: str


@dataclass(frozen=True, slots=True)
class Place:
    """What can be looked at: heller's database, and where they are set up, the legacy one and our own address."""

    url: str
    facts: Mapping[str, Any]
    legacy_url: str | None = None
    public_url: str | None = None

    def shown(self, kind: str) -> dict[str, Any] | None:
        """The newest evidence of a kind."""
        found: dict[str, Any] | None = self.facts["evidence"].get(kind)
        return found


Seen = tuple[State, str]
Look = Callable[[Place], Awaitable[Seen]]


async def checklist(url: str, *, legacy_url: str | None = None, public_url: str | None = None) -> list[Item]:
    """Look at every item now. Nothing is changed: what has to be tried is tried and taken back.

    Raises:
        DatabaseUnavailable, SchemaMissing: there is nothing to look at.
    """
    async with await connect(url) as connection:
        await schema.require(connection)
        place = Place(url, await call(connection, "checklist_facts"), legacy_url, public_url)
    items = []
    for name, phase, title, command, look in ITEMS:
        try:
            state, evidence = await look(place)
        except (HellerError, psycopg.Error, httpx.HTTPError, OSError) as error:
            state, evidence = "failed", (str(error).strip() or type(error).__name__).splitlines()[0]
        items.append(Item(name, phase, title, state, evidence, command))
    return items


def as_json(items: list[Item]) -> dict[str, Any]:
    """The ``--json`` contract of ``heller checklist``."""
    ok = all(item.state == "ok" for item in items)
    counts = {
        state: sum(item.state == state for item in items) for state in ("ok", "open", "failed", "unknown")
    }
    return {"ok": ok, "counts": counts, "items": [asdict(item) for item in items]}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_fresh(text: str | None, age: timedelta) -> bool:
    return text is not None and _at(text) > datetime.now(UTC) - age


def _when(text: str) -> str:
    return f"{_at(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


async def _backup(place: Place) -> Seen:
    made, restored = place.shown("backup"), place.shown("restore_check")
    if made is None:
        return "open", "no backup was ever taken"
    if restored is None or _at(restored["at"]) < _at(made["at"]):
        return "open", f"a backup of {_when(made['at'])}, which was never restored"
    if not restored["ok"]:
        return "failed", f"the restore of {_when(restored['at'])} was not whole"
    if not _is_fresh(made["at"], BACKUP_FRESH):
        return "open", f"the last one is of {_when(made['at'])}, older than {BACKUP_FRESH.days} days"
    return "ok", f"taken {_when(made['at'])}, restored and verified {_when(restored['at'])}"


async def _answers(place: Place) -> Seen:
    if place.public_url is None:
        return "unknown", "HELLER_PUBLIC_URL is not set"
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX) as client:
        answer = await client.get(f"{place.public_url.rstrip('/')}/ready")
    return ("ok" if answer.is_success else "failed"), f"{place.public_url} answers {answer.status_code}"


async def _purchase(place: Place) -> Seen:
    bought, refunded = place.facts["test_purchases"], place.facts["test_refunds"]
    if not bought:
        return "open", "no purchase in Stripe's test mode yet"
    if not refunded:
        return "open", f"{bought} test purchases, none refunded yet"
    return "ok", f"{bought} test purchases, {refunded} of them refunded"


async def _migrated(place: Place) -> Seen:
    run, step = place.facts["run"], place.facts["steps"].get("verify")
    if run is None:
        return "open", "nothing was copied yet"
    if step is None:
        return "open", f"copied {_when(run['at'])}, not verified"
    if step["error"] is not None or step["ok"] is False:
        return "failed", f"verify of {_when(step['at'])} found mismatches"
    return "ok", f"copied {_when(run['at'])}, verified {_when(step['at'])}"


async def _monitoring(place: Place) -> Seen:
    at, alert = place.facts["worker_at"], place.shown("alert")
    if not _is_fresh(at, WORKER_FRESH):
        return "failed" if at else "open", "no worker has done anything " + (
            f"since {_when(at)}" if at else "yet"
        )
    if alert is None:
        return "open", "a worker is at work, but no alert was ever sent"
    if not alert["ok"]:
        return "failed", f"the alert of {_when(alert['at'])} was not taken by every receiver"
    return "ok", f"a worker is at work; an alert arrived {_when(alert['at'])}"


async def _smoke(place: Place) -> Seen:
    """Every verb once, on an account that never comes to be."""
    account = f"heller-smoke-{token_hex(6)}"
    async with await connect(place.url, autocommit=False) as connection:
        try:
            ledger = within(connection)
            await ledger.open_account(account)
            await ledger.grant(account, 100)
            spent = await ledger.spend(account, 30, key="smoke")
            again = await ledger.spend(account, 30, key="smoke")
            held = await ledger.place_hold(account, 20)
            await ledger.capture(account, held.hold, 5)
            await ledger.refund(account, spent.seq or 0, 10)
            found = await ledger.balance(account)
        finally:
            await connection.rollback()
    is_right = again.replayed and (found.posted, found.held) == (75, 0)
    return ("ok" if is_right else "failed"), f"every verb tried and taken back: balance {found.posted} of 75"


async def _stage(place: Place) -> Seen:
    rollout = place.facts["rollout"]
    if rollout is None:
        return "open", "no rollout was started"
    words = f"{rollout['state']} at {rollout['percent']} % since {_when(rollout['since'])}"
    if rollout["state"] in ("halted", "rolling_back", "rolled_back"):
        return "failed", f"{words}: {rollout['reason']}"
    return ("ok" if rollout["percent"] == ALL_PERCENT else "open"), words


async def _figures(place: Place) -> Seen:
    found = place.facts["operations"].get("heller")
    if found is None:
        return "open", "no credit operation was observed in the last 24 hours"
    seconds, ratio = found["p95_milliseconds"] / 1000, float(found["error_ratio"])
    words = f"{found['count']:,} operations: p95 {seconds:g} s, {ratio:.2%} failed"
    return ("ok" if seconds < SECONDS_MAX and ratio < ERROR_RATIO_MAX else "failed"), words


async def _rehearsed(place: Place) -> Seen:
    at, returned = place.facts["rolled_back_at"], place.facts["returned"]
    if at is not None:
        return "ok", f"everyone was rolled back {_when(at)}"
    return ("ok", f"{returned:,} users were returned") if returned else ("open", "nobody was ever returned")


async def _verified(place: Place) -> Seen:
    found = place.shown("verify")
    if found is None:
        return "open", "never verified as a whole"
    words = f"{found['detail'].get('accounts', 0):,} accounts verified {_when(found['at'])}"
    if not found["ok"]:
        return "failed", f"{words}: rows are wrong"
    return ("ok", words) if _is_fresh(found["at"], FRESH) else ("open", f"{words}, more than a day ago")


async def _webhooks(place: Place) -> Seen:
    facts = place.facts
    rate = webhook_success(facts["webhooks"])
    if rate is None:
        return "open", "no delivery in the last 24 hours"
    words = f"{facts['webhooks']['accepted']:,} deliveries, {rate:.3%} stored, {facts['dead']} given up, {facts['missed']} never came"
    if rate < WEBHOOK_SUCCESS_MIN or facts["dead"] or facts["missed"] or facts["healed"]:
        return "failed", words
    is_long = _at(facts["first_delivery_at"]) <= datetime.now(UTC) - FRESH
    return ("ok" if is_long else "open"), words if is_long else f"{words}; not yet for 24 hours"


async def _refuses(place: Place) -> Seen:
    if place.legacy_url is None:
        return "unknown", "LEGACY_DATABASE_URL is not set"
    async with await connect(place.legacy_url) as legacy:
        if await _is_read_only(legacy):
            return "ok", "the legacy database takes no change at all"
    async with open_sides(place.legacy_url, place.url, needs_fence=False) as sides:
        if not await fence.is_installed(sides.legacy.connection):
            return "open", "the legacy database has no fence"
        problems = await try_every_path(sides.legacy.connection, sides.layout)
    return (
        ("failed", problems[0])
        if problems
        else ("ok", "every way to change a moved user's credits was tried and refused")
    )


async def _is_read_only(legacy: AsyncConnection) -> bool:
    with translating():
        row: Any = await (await legacy.execute("show transaction_read_only")).fetchone()
    return bool(row[0] == "on")


async def _documented(place: Place) -> Seen:
    problems = await schema.verify(place.url)
    if problems:
        return "failed", f"the database is not what this version documents: {problems[0]}"
    return "ok", "tables and functions are exactly those that this version documents"


async def _archived(place: Place) -> Seen:
    found = place.shown("archive")
    if found is None:
        return "open", "the legacy database was not archived"
    words = f"{found['detail'].get('rows', 0):,} rows of {found['detail'].get('database')} kept {_when(found['at'])}"
    return ("ok" if found["ok"] else "failed"), words


ITEMS: tuple[tuple[str, Phase, str, str, Look], ...] = (
    ("backup", "before", "A backup exists and comes back whole", "heller backup DIR --check", _backup),
    (
        "answers",
        "before",
        "The parallel system answers",
        "heller serve (and set HELLER_PUBLIC_URL)",
        _answers,
    ),
    (
        "purchase",
        "before",
        "A Stripe test purchase and its refund went through",
        "buy and refund in test mode; heller stripe doctor",
        _purchase,
    ),
    ("migrated", "before", "The migration is validated", "heller migrate run", _migrated),
    (
        "monitoring",
        "before",
        "Monitoring answers and an alert arrived",
        "heller worker; heller rollout alert --test",
        _monitoring,
    ),
    ("smoke", "before", "Every verb works here", "heller doctor", _smoke),
    ("stage", "during", "The rollout has reached everybody", "heller rollout promote", _stage),
    (
        "figures",
        "during",
        "Operations are fast and do not fail",
        "heller report success --from 24h",
        _figures,
    ),
    (
        "rehearsed",
        "during",
        "The way back was rehearsed",
        "heller migrate return, or heller rollout rollback",
        _rehearsed,
    ),
    ("verified", "after", "All credits are verified", "heller verify", _verified),
    (
        "webhooks",
        "after",
        "Webhooks were stable for 24 hours",
        "heller stripe doctor; heller stripe reconcile",
        _webhooks,
    ),
    ("refuses", "after", "The legacy system refuses changes", "heller migrate fence install", _refuses),
    ("documented", "after", "The documentation is of what runs here", "heller schema apply", _documented),
    ("archived", "after", "The legacy database is archived", "heller migrate archive DIR", _archived),
)
"""Name, list, title, the command that would satisfy it, and how it is looked at."""
