"""``/console/deliveries``: what Stripe sent, what became of it, and the remedies."""

import contextlib
import json
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from heller.database import Database, call
from heller.errors import InvalidArgument
from heller.ledger.operations import DEFAULT_UNIT
from heller.stripe.deliveries import Delivery, deliveries, delivery
from heller.stripe.deliveries import queue as queue_of
from heller.stripe.reconcile import discrepancies
from heller.web import audit, pages
from heller.web.console.live import follow
from heller.web.console.shared import (
    PAGE,
    PROTECTED,
    Before,
    Fields,
    Number,
    Operator,
    Support,
    acting,
    attempt,
    page,
)
from heller.web.problems import NotFound
from heller.web.wiring import wiring_of

router = APIRouter(prefix="/deliveries")

HERE = "/console/deliveries"
TABS = ("parked", "dead", "pending", "processing", "done", "ignored", "all")
RELATED_MAX = 20
HIDDEN = "client_secret"
BODY_CHARACTERS_MAX = 200_000


class Filter:
    """Which deliveries a page shows, as its query says."""

    def __init__(self, tab: str = "", type: str = "", payment: str = "", event: str = "") -> None:  # noqa: A002  # the words of the query
        self.tab = tab
        self.given = {"type": type.strip(), "payment": payment.strip(), "event": event.strip()}

    async def found(self, database: Database, *, before: int | None = None) -> list[Delivery]:
        """The deliveries, newest first."""
        return await deliveries(
            database,
            status=None if self.tab == "all" else self.tab,
            event_type=self.given["type"] or None,
            payment_key=self.given["payment"] or None,
            event_id=self.given["event"] or None,
            before=before,
            limit=PAGE,
        )

    @property
    def live(self) -> str:
        """Where the page is followed."""
        return f"{HERE}/live?{urlencode({'tab': self.tab, **self.given})}"


Filtered = Annotated[Filter, Depends()]


@router.get("")
async def listed(request: Request, principal: Support, wanted: Filtered, before: Before = None) -> Response:
    """The inbox by state, newest first; without a state what waits for a person, if anything does."""
    database = wiring_of(request).database
    queue = await queue_of(database)
    if wanted.tab not in TABS:
        wanted.tab = next((name for name in ("parked", "dead") if queue[name]), "all")
    found = await wanted.found(database, before=before)
    return await page(
        request,
        "deliveries.html",
        principal,
        current=HERE,
        queue=queue,
        tab=wanted.tab,
        tabs=TABS,
        found=found,
        filters=wanted.given,
        live=wanted.live,
        before=before,
        next_before=found[-1].inbox_id if len(found) == PAGE else None,
    )


@router.get("/live")
async def live(request: Request, _principal: Support, wanted: Filtered) -> Response:
    """The depth of the queue, and the newest deliveries, as they change."""
    database = wiring_of(request).database

    async def read() -> dict[str, Any]:
        return {"queue": await queue_of(database), "found": await wanted.found(database)}

    return follow(request, {"queue": "_queue.html", "rows": "_delivery_rows.html"}, read)


@router.get("/{number}")
async def shown(request: Request, principal: Support, number: Number) -> Response:
    """One delivery: as it came, what was tried, whose payment it is about."""
    database = wiring_of(request).database
    found = await _delivery(request, number)
    related, differences = [], []
    if found.payment_key:
        related = await deliveries(database, payment_key=found.payment_key, limit=RELATED_MAX)
        differences = await discrepancies(database, payment_key=found.payment_key, limit=RELATED_MAX)
    async with database.connection() as connection:
        done = await audit.entries(connection, target=str(number), action="delivery", limit=RELATED_MAX)
    return await page(
        request,
        "delivery.html",
        principal,
        current=HERE,
        delivery=found,
        body=_readable(found),
        related=[row for row in related if row.inbox_id != number],
        differences=differences,
        done=done,
    )


async def _delivery(request: Request, number: int) -> Delivery:
    async with wiring_of(request).database.connection() as connection:
        is_there = await call(connection, "stripe_delivery", inbox_id=number) is not None
    if not is_there:
        raise NotFound(f"There is no delivery {number}.")
    return await delivery(wiring_of(request).database, number)


def _without_secrets(value: Any) -> Any:
    """The same without what would let somebody act for the buyer: Stripe puts the intent's client secret into its events."""
    if isinstance(value, dict):
        return {
            name: "(not shown)" if name == HIDDEN and item else _without_secrets(item)
            for name, item in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _readable(found: Delivery) -> str | None:
    """The payload, laid out when it is JSON; what cannot be read is shown as it can."""
    if found.body is None:
        return None
    text = found.body.decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(_without_secrets(json.loads(text)), indent=2, ensure_ascii=False)
    return text[:BODY_CHARACTERS_MAX].encode("utf-8", "replace").decode()


@router.post("/{number}/retry", dependencies=PROTECTED)
async def retry(request: Request, principal: Operator, number: Number) -> Response:
    """Back into the queue; the worker looks at Stripe anew."""
    fields = await Fields.of(request)

    async def work() -> str:
        async with acting(
            request, principal, "delivery.retry", str(number), reason=fields.text("reason")
        ) as deed:
            queued = await call(deed.connection, "stripe_retry", inbox_id=number, actor=principal.actor)
            deed.is_repeat = not queued
        _ = pages.translator(request)
        return _("It is back in the queue.") if queued else _("It is in the queue already.")

    return await attempt(request, f"{HERE}/{number}", "retry", work)


@router.post("/{number}/ignore", dependencies=PROTECTED)
async def ignore(request: Request, principal: Operator, number: Number) -> Response:
    """Decide that nothing is to be done about it."""
    fields = await Fields.of(request)

    async def work() -> str:
        reason = fields.text("reason")
        async with acting(request, principal, "delivery.ignore", str(number), reason=reason) as deed:
            await call(
                deed.connection, "stripe_ignore", inbox_id=number, actor=principal.actor, reason=reason
            )
        _ = pages.translator(request)
        return _("Nothing will be done about it.")

    return await attempt(request, f"{HERE}/{number}", "ignore", work)


@router.post("/{number}/assign", dependencies=PROTECTED)
async def assign(request: Request, principal: Operator, number: Number) -> Response:
    """Say whose the payment is; it is credited if Stripe says that it was paid."""
    fields = await Fields.of(request)

    async def work() -> str:
        found = await _delivery(request, number)
        account, credits = fields.text("account"), fields.whole("credits")
        unit, reason, key = (
            fields.optional("unit") or DEFAULT_UNIT,
            fields.text("reason"),
            found.payment_key or "",
        )
        async with acting(
            request, principal, "delivery.assign", str(number), payment=key, account=account, credits=credits, unit=unit, reason=reason
        ) as deed:  # fmt: skip
            await call(
                deed.connection,
                "stripe_assign",
                payment_key=fields.text("payment"),
                account_id=account,
                credits=credits,
                actor=principal.actor,
                reason=reason,
                unit=unit,
                stripe_account=found.stripe_account,
            )
        _ = pages.translator(request)
        return _("The payment is assigned; it is credited once Stripe says that it was paid.")

    return await attempt(request, f"{HERE}/{number}", "assign", work)


@router.post("/{number}/adjust", dependencies=PROTECTED)
async def adjust(request: Request, principal: Operator, number: Number) -> Response:
    """Answer a payment by hand, once: what it brings or takes is the operator's word, and it is never credited after it."""
    fields = await Fields.of(request)

    async def work() -> str:
        found = await _delivery(request, number)
        if found.payment_key is None:
            raise InvalidArgument("This delivery is about no payment.", argument="payment")
        account, amount, reason = fields.text("account"), fields.whole("amount"), fields.text("reason")
        unit = fields.optional("unit") or DEFAULT_UNIT
        async with acting(
            request, principal, "delivery.adjust", str(number), payment=found.payment_key, account=account, amount=amount, unit=unit, reason=reason
        ) as deed:  # fmt: skip
            done = await call(
                deed.connection,
                "stripe_adjust",
                account_id=account,
                amount=amount,
                payment_key=found.payment_key,
                actor=principal.actor,
                reason=reason,
                unit=unit,
            )
            deed.is_repeat = done["replayed"]
        _, formats = pages.translator(request), pages.formats(request)
        return _(
            "Adjusted by %(amount)s: the balance is %(balance)s.",
            amount=formats.signed(done["delta"]),
            balance=formats.number(done["balance_after"]),
        )

    return await attempt(request, f"{HERE}/{number}", "adjust", work)
