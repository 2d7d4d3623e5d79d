"""``/console/accounts``: find an account by any name, see everything about it, correct it by hand."""

import secrets
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from heller.database import call, call_many
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.recurring import PERIODS
from heller.stripe.checkout import orders
from heller.web import audit, pages
from heller.web.console.shared import (
    BIGINT_MAX,
    PAGE,
    PROTECTED,
    Fields,
    Operator,
    Support,
    acting,
    attempt,
    moment,
    page,
)
from heller.web.wiring import Wiring, wiring_of

router = APIRouter()

HERE = "/console/accounts"
KINDS = (
    "purchase",
    "grant",
    "spend",
    "refund",
    "clawback",
    "reinstate",
    "expire",
    "adjust",
    "transfer",
    "migrate",
)
SOURCES = ("promotion", "adjustment", "purchase", "subscription")
PAYMENTS_MAX = 20
AUDIT_MAX = 5
HISTORY_PAGE = 25
LIST_PAGE = 100  # grants, holds

Text = Annotated[str, Query(max_length=400)]


def address(account: str, unit: str = DEFAULT_UNIT) -> str:
    """The page of one account. Ids are the caller's own text, so they are a query and not a path."""
    query = {"id": account} | ({"unit": unit} if unit != DEFAULT_UNIT else {})
    return f"/console/account?{urlencode(query)}"


@router.get("/accounts")
async def accounts(
    request: Request, principal: Support, q: Text = "", state: str = "", after: Text = ""
) -> Response:
    """Search; without a text all accounts by id."""
    found = await wiring_of(request).heller.find_accounts(
        q or None, state=state or None, after=after, limit=PAGE
    )
    return await page(
        request,
        "accounts.html",
        principal,
        current=HERE,
        found=found,
        q=q,
        state=state,
        after=after,
        next_after=found[-1].account if len(found) == PAGE else None,
        address=address,
    )


@router.get("/account")
async def account(
    request: Request,
    principal: Support,
    id: Annotated[str, Query(min_length=1, max_length=200)],  # noqa: A002  # the word of the query
    unit: str = DEFAULT_UNIT,
    grants: str = "open",
) -> Response:
    """Everything about one account."""
    wiring = wiring_of(request)
    filters = {
        name: request.query_params.get(name, "").strip()
        for name in ("kind", "text", "since", "until", "before", "grants_after", "holds_after")
    }
    balance = await wiring.heller.balance(id, unit=unit)
    return await page(
        request,
        "account.html",
        principal,
        current=HERE,
        account=balance,
        filters=filters,
        history=await _history(wiring, id, unit, filters),
        page_size=HISTORY_PAGE,
        grants=await wiring.heller.grants(
            id,
            unit=unit,
            include_ended=grants == "all",
            after=_number(filters["grants_after"]),
            limit=LIST_PAGE,
        ),
        all_grants=grants == "all",
        holds=await wiring.heller.holds(
            id, unit=unit, after=_number(filters["holds_after"]), limit=LIST_PAGE
        ),
        list_page=LIST_PAGE,
        recurring=await wiring.heller.recurring_grants(id, unit=unit),
        recurring_periods=PERIODS,
        kinds=KINDS,
        sources=SOURCES,
        key=f"console-{secrets.token_hex(8)}",
        address=address,
        **await _around(wiring, id, unit, balance.user),
    )


def _number(text: str) -> int | None:
    return min(int(text), BIGINT_MAX) if text.isdecimal() else None


async def _history(wiring: Wiring, account: str, unit: str, filters: dict[str, str]) -> list[Any]:
    return await wiring.heller.history(
        account,
        unit=unit,
        kinds=[filters["kind"]] if filters["kind"] else None,
        text=filters["text"] or None,
        since=moment(filters["since"], "since") if filters["since"] else None,
        until=moment(filters["until"], "until") if filters["until"] else None,
        before_seq=_number(filters["before"]),
        limit=HISTORY_PAGE,
    )


async def _around(wiring: Wiring, account: str, unit: str, user: str | None) -> dict[str, Any]:
    """Who it belongs to, where it lives, what was paid for it, what was done to it by hand."""
    async with wiring.database.connection() as connection:
        payments = await call_many(connection, "stripe_payments", account_id=account, limit=PAYMENTS_MAX)
        done = await audit.entries(connection, target=account, limit=AUDIT_MAX)
    return {
        "identities": await wiring.heller.identities_of(user) if user else [],
        "siblings": await wiring.heller.accounts_of(user) if user else [],
        "route": await wiring.heller.route(account, unit=unit),
        "payments": payments,
        "orders": await orders(wiring.database, account=account, limit=PAYMENTS_MAX),
        "done": done,
    }


@router.post("/account/adjust", dependencies=PROTECTED)
async def adjust(request: Request, principal: Operator) -> Response:
    """Correct a balance by hand. The key in the form makes a double click one adjustment."""
    fields = await Fields.of(request)
    name, unit = fields.optional("account") or "", fields.optional("unit") or DEFAULT_UNIT

    async def work() -> str:
        amount, reason, key = fields.whole("amount"), fields.text("reason"), fields.text("key")
        async with acting(
            request, principal, "account.adjust", name, amount=amount, reason=reason, unit=unit
        ) as deed:
            done = (
                await wiring_of(request)
                .heller.within(deed.connection)
                .adjust(
                    name,
                    amount,
                    unit=unit,
                    reason=reason,
                    key=key,
                    actor=principal.actor,
                    policy="debt" if fields.optional("debt") else "refuse",
                )
            )
            deed.is_repeat = done.replayed
            deed.detail["seq"] = done.seq
        _, formats = pages.translator(request), pages.formats(request)
        return _(
            "Adjusted by %(amount)s: the balance is %(balance)s.",
            amount=formats.signed(done.delta),
            balance=formats.number(done.balance_after),
        )

    return await attempt(request, address(name, unit), "adjust", work)


@router.post("/account/grant", dependencies=PROTECTED)
async def grant(request: Request, principal: Operator) -> Response:
    """Give credits, at once or later."""
    fields = await Fields.of(request)
    name, unit = fields.optional("account") or "", fields.optional("unit") or DEFAULT_UNIT

    async def work() -> str:
        amount, reason, key = fields.whole("amount"), fields.text("reason"), fields.text("key")
        source, expires_at = fields.text("source"), fields.moment("expires_at")
        async with acting(
            request, principal, "account.grant", name, amount=amount, reason=reason, unit=unit, source=source, expires_at=expires_at
        ) as deed:  # fmt: skip
            done = (
                await wiring_of(request)
                .heller.within(deed.connection)
                .grant(
                    name,
                    amount,
                    unit=unit,
                    source=source,
                    reason=reason,
                    key=key,
                    expires_at=expires_at,
                    actor=principal.actor,
                )
            )
            deed.is_repeat = done.replayed
            deed.detail["grant"] = done.grant
        _, formats = pages.translator(request), pages.formats(request)
        return _("%(amount)s credits were granted.", amount=formats.number(amount))

    return await attempt(request, address(name, unit), "grant", work)


@router.post("/account/freeze", dependencies=PROTECTED)
async def freeze(request: Request, principal: Operator) -> Response:
    """Take no change of an account until it is unfrozen."""
    return await _ice(request, principal, "freeze")


@router.post("/account/unfreeze", dependencies=PROTECTED)
async def unfreeze(request: Request, principal: Operator) -> Response:
    """Let changes through again."""
    return await _ice(request, principal, "unfreeze")


async def _ice(request: Request, principal: Operator, verb: str) -> Response:
    fields = await Fields.of(request)
    name, unit = fields.optional("account") or "", fields.optional("unit") or DEFAULT_UNIT

    async def work() -> str:
        reason = fields.text("reason")
        async with acting(request, principal, f"account.{verb}", name, reason=reason, unit=unit) as deed:
            before = await wiring_of(request).heller.within(deed.connection).balance(name, unit=unit)
            arguments = {"reason": reason} if verb == "freeze" else {}
            await call(deed.connection, verb, account_id=name, unit=unit, **arguments)
            deed.is_repeat = before.frozen_reason == reason if verb == "freeze" else not before.frozen
        _ = pages.translator(request)
        return _("The account is frozen.") if verb == "freeze" else _("The account takes changes again.")

    return await attempt(request, address(name, unit), verb, work)
