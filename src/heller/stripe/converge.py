"""Converge(payment): look at Stripe, then bring the ledger in line in one short transaction.

One function, four callers: worker, success page, reconcile, replay. Order, duplicates and repeats of events stop
mattering, because nothing is taken from an event but which payment to look at.

Why it is sound: the payment's version is read before Stripe is asked, and the effect is applied only while that
version stands. So nobody applied anything since, and what is applied is newer than everything applied before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg import errors as pg

from heller.database import Database
from heller.errors import AccountAway, Busy, IntegrityError, UnknownAccount
from heller.stripe.api import Json, StripeApi
from heller.stripe.events import bare, keyed
from heller.stripe.snapshot import GoneError, Look, look

ROUNDS_MAX = 20
DONE_WAITING = {"expired": "expired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """What a look came to. ``outcome``: applied, parked (``reason``), ignored, or waiting (not paid yet)."""

    payment_key: str
    outcome: str
    delta: int = 0
    net_credits: int | None = None
    state: str | None = None
    account: str | None = None
    unit: str | None = None
    order: str | None = None
    version: int | None = None
    reason: str | None = None
    detail: str | None = None
    overpaid: int = 0
    dry_run: bool = False
    facts: Json | None = field(default=None, repr=False)


async def converge(
    database: Database,
    api: StripeApi,
    payment_key: str,
    *,
    account: str = "",
    inbox_ids: Sequence[int] = (),
    cause: str | None = None,
    dry_run: bool = False,
) -> Converged:
    """Make the ledger agree with Stripe about one payment, and close the events ``inbox_ids`` with it.

    Args:
        account: the connected account the payment is in; empty for our own.
        cause: what made us look (an event's id, "success page", "reconcile"), for the transaction's metadata.
        dry_run: say what would happen.

    Raises:
        stripe.StripeError: Stripe cannot be reached; nothing was changed.
        Busy: others kept changing the payment for 20 rounds.
        AccountFrozen: the account takes no change now.
    """
    async with api.lock(payment_key):
        return await _converge(
            database,
            api,
            payment_key,
            account=account,
            inbox_ids=list(inbox_ids),
            cause=cause,
            dry_run=dry_run,
        )


async def _converge(
    database: Database,
    api: StripeApi,
    key: str,
    *,
    account: str,
    inbox_ids: list[int],
    cause: str | None,
    dry_run: bool,
) -> Converged:
    with_session, place = False, None
    for _ in range(ROUNDS_MAX):
        seen = await database.call("stripe_payment", payment_key=key)
        if seen is not None:
            key = seen["payment_key"]
        target = place or (seen or {}).get("payment_intent") or bare(key)
        try:
            found = await look(api, target, account=account, with_session=with_session)
        except GoneError as error:
            return await _park(database, key, inbox_ids, reason="gone", detail=str(error), dry_run=dry_run)
        if found.moved_to is not None and bare(found.moved_to) != target:
            key, place = found.moved_to, bare(found.moved_to)
            if inbox_ids and not dry_run:
                await database.call("stripe_rekey", inbox_ids=inbox_ids, payment_key=key)
            continue
        if found.facts is None:
            return await _wait(database, key, inbox_ids, found, dry_run=dry_run)
        key, seen = await _known(database, key, seen, found.facts, account=account)
        result = await _apply(
            database,
            api,
            key,
            seen=0 if seen is None else seen["version"],
            facts=found.facts,
            account=account,
            inbox_ids=inbox_ids,
            cause=cause,
            dry_run=dry_run,
        )
        if result is None:
            continue
        if result.outcome == "needs_session":
            with_session = True
            continue
        if result.outcome != "stale":
            return result
    raise Busy(f"Payment {key} kept changing.", hint="It is tried again later by itself.")


async def _known(
    database: Database, key: str, seen: Json | None, facts: Json, *, account: str
) -> tuple[str, Json | None]:
    """The payment's own key.

    One that the legacy system began is known here by its session, until it is paid; one that an invoice was asked of
    first, by the invoice, whatever paid that in the end.
    """
    for part in (facts["session"], facts["invoice"]):
        if seen is None and part is not None:
            seen = await database.call("stripe_payment", payment_key=keyed(account, part["id"]))
    return (key if seen is None else seen["payment_key"]), seen


async def _apply(
    database: Database,
    api: StripeApi,
    key: str,
    *,
    seen: int,
    facts: Json,
    account: str,
    inbox_ids: list[int],
    cause: str | None,
    dry_run: bool,
) -> Converged | None:
    """One attempt at the effect; None when the database asks to try again (deadlock, serialization)."""
    settings = api.settings
    try:
        raw = await database.call(
            "stripe_converge",
            payment_key=key,
            seen=seen,
            snapshot=facts,
            livemode=settings.livemode,
            stripe_account=account,
            inbox_ids=inbox_ids,
            policy=settings.clawback_policy,
            cause=cause,
            dry_run=dry_run,
        )
    except Busy:
        return None
    except UnknownAccount as error:
        return await _park(
            database, key, inbox_ids, reason="unknown_account", detail=error.message, dry_run=dry_run
        )
    except (IntegrityError, pg.CheckViolation) as error:
        detail = f"The ledger refused: {error}"
        return await _park(database, key, inbox_ids, reason="ledger_refused", detail=detail, dry_run=dry_run)
    except AccountAway as error:
        if error.home != "legacy":  # moving: it is ours or theirs in a moment
            raise
        return await _leave(
            database, key, inbox_ids, error, facts=facts, api=api, account=account, dry_run=dry_run
        )
    return _result(raw, facts)


async def _leave(
    database: Database,
    key: str,
    inbox_ids: list[int],
    error: AccountAway,
    *,
    facts: Json,
    api: StripeApi,
    account: str,
    dry_run: bool,
) -> Converged | None:
    """The account is at home in the legacy system; None when it came home meanwhile.

    What was sold here is noted as owed, to be written into that one's history; anything else of it is that one's own.
    """
    if dry_run:
        return Converged(payment_key=key, outcome="ignored", reason="home_legacy", dry_run=True)
    raw = await database.call("stripe_owe", account_id=error.account, payment_key=key, snapshot=facts, livemode=api.settings.livemode,
        stripe_account=account, inbox_ids=inbox_ids,
    )  # fmt: skip
    return None if raw["outcome"] == "stale" else _result(raw, facts)


def _result(raw: Json, facts: Json | None) -> Converged:
    known = {name: raw[name] for name in Converged.__slots__ if raw.get(name) is not None and name != "facts"}
    return Converged(**known, facts=facts)


async def _park(
    database: Database, key: str, inbox_ids: list[int], *, reason: str, detail: str, dry_run: bool
) -> Converged:
    if inbox_ids and not dry_run:
        await database.call(
            "stripe_close",
            inbox_ids=inbox_ids,
            status="parked",
            reason=reason,
            detail=detail,
            payment_key=key,
        )
    return Converged(payment_key=key, outcome="parked", reason=reason, detail=detail, dry_run=dry_run)


async def _wait(
    database: Database, key: str, inbox_ids: list[int], found: Look, *, dry_run: bool
) -> Converged:
    """Nothing was paid yet, or never will be: the session is open, expired, or sells no credits."""
    state = DONE_WAITING.get(found.waiting or "")
    if not dry_run:
        if state is not None:
            order = await database.call("stripe_order", name=bare(key))
            if order is not None:
                await database.call("stripe_update_order", order_id=order["order_id"], state=state)
        if inbox_ids:
            await database.call("stripe_close", inbox_ids=inbox_ids, status="done", reason=found.waiting)
    return Converged(payment_key=key, outcome="waiting", reason=found.waiting, dry_run=dry_run)
