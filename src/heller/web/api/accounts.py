"""Accounts and what is read of them."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from heller.errors import AccountExists, InvalidArgument, UnknownTransaction
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import Account, Draw, FoundAccount, Grant, HoldState, Transaction
from heller.ledger.statements import StatementHead, Usage
from heller.web.api import models
from heller.web.api.answers import BODY, READ, WRITE, Balance, Page, responses
from heller.web.api.caller import Caller, answer, reads, writes

router = APIRouter(tags=["accounts"])

Kind = Literal[
    "purchase", "grant", "spend", "refund", "clawback", "reinstate", "expire", "adjust", "transfer", "migrate"
]


@router.post("/accounts", status_code=201, response_model=Account, responses=responses(*BODY, AccountExists))
async def open_account(
    body: models.OpenAccount, caller: Annotated[Caller, writes("credits:write")]
) -> Response:
    """Open an account; again with the same properties is a replay."""
    result = await caller.change(
        "account.open", body.account, lambda ledger: ledger.open_account(**body.given()), {"user": body.user}
    )
    return answer(result, status=201, headers={"etag": f'"{result.version}"'})


@router.get("/accounts", response_model=Page[FoundAccount], responses=responses())
async def list_accounts(
    caller: Annotated[Caller, reads("users:read")],
    text: Annotated[
        str | None,
        Query(
            max_length=320,
            description="The beginning of an id, of a user's id or name; a payment or order id.",
        ),
    ] = None,
    state: Annotated[Literal["frozen", "quarantined"] | None, Query()] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Accounts by any name of theirs, or all. A page ends with the last unit of an account, so it may be a little longer than `limit`."""
    _no_nul("text", text)
    found = await caller.wiring.heller.find_accounts(
        text, state=state, after=caller.place(cursor, str) or "", limit=limit
    )
    return caller.page(list(found), limit=limit, after=lambda last: last.account)


@router.get("/accounts/{account}/balance-at", response_model=Balance, responses=responses(*READ))
async def balance_at(
    account: models.Account,
    at: Annotated[models.At, Query(description="A past instant.")],
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
) -> Response:
    """Posted as of an instant, by `effective_at`, with what is known now."""
    await caller.see(account)
    posted = await caller.wiring.heller.balance_at(account, at, unit=unit)
    return answer(Balance(account=account, unit=unit, at=at.isoformat(), posted=posted))


@router.get("/accounts/{account}/transactions", response_model=Page[Transaction], responses=responses(*READ))
async def list_transactions(
    account: models.Account,
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
    kind: Annotated[list[Kind] | None, Query(description="Only these kinds.")] = None,
    since: Annotated[models.At | None, Query(description="Not before, by `effective_at`.")] = None,
    until: Annotated[models.At | None, Query(description="Before, by `effective_at`.")] = None,
    text: Annotated[str | None, Query(max_length=200, description="Part of the reason, in any case.")] = None,
    metadata: Annotated[
        str | None,
        Query(
            max_length=2_000, description="JSON that the metadata must contain.", examples=['{"job":"42"}']
        ),
    ] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Transactions, newest first."""
    await caller.see(account)
    _no_nul("text", text)
    found = await caller.wiring.heller.history(
        account,
        unit=unit,
        before_seq=caller.place(cursor, int),
        limit=limit,
        kinds=kind,
        since=since,
        until=until,
        text=text,
        metadata=_object("metadata", metadata),
    )
    return caller.page(list(found), limit=limit, after=lambda last: last.seq)


@router.get(
    "/accounts/{account}/transactions/{seq}",
    response_model=Transaction,
    responses=responses(*READ, UnknownTransaction),
)
async def get_transaction(
    account: models.Account,
    seq: models.Place,
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
) -> Response:
    """One transaction."""
    await caller.see(account)
    before = seq + 1 if seq < models.BIGINT_MAX else None
    found = await caller.wiring.heller.history(account, unit=unit, before_seq=before, limit=1)
    if not found or found[0].seq != seq:
        raise UnknownTransaction(f"{account} has no transaction {seq}.", account=account, seq=seq)
    return answer(found[0])


@router.get(
    "/accounts/{account}/transactions/{seq}/grants",
    response_model=Page[Draw],
    responses=responses(*READ, UnknownTransaction),
)
async def list_draws(
    account: models.Account,
    seq: models.Place,
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
) -> Response:
    """Which grants paid a spend, in burn-down order; `grant` null is what no grant covered."""
    await caller.see(account)
    return _whole(await caller.wiring.heller.drawn(account, seq, unit=unit))


@router.get("/accounts/{account}/grants", response_model=Page[Grant], responses=responses(*READ))
async def list_grants(
    account: models.Account,
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
    include_ended: Annotated[bool, Query(description="Also those of which nothing is left.")] = False,
    limit: models.Limit = models.PAGE_MAX,
    cursor: models.Cursor = None,
) -> Response:
    """The grants in burn-down order with what remains of each now."""
    await caller.see(account)
    found = await caller.wiring.heller.grants(
        account, unit=unit, include_ended=include_ended, after=caller.place(cursor, int), limit=limit
    )
    return caller.page(list(found), limit=limit, after=lambda last: last.grant)


@router.get("/accounts/{account}/holds", response_model=Page[HoldState], responses=responses(*READ))
async def list_holds(
    account: models.Account,
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
    include_closed: Annotated[bool, Query(description="Also those that ended.")] = False,
    limit: models.Limit = models.PAGE_MAX,
    cursor: models.Cursor = None,
) -> Response:
    """The holds."""
    await caller.see(account)
    found = await caller.wiring.heller.holds(
        account, unit=unit, include_closed=include_closed, after=caller.place(cursor, int), limit=limit
    )
    return caller.page(list(found), limit=limit, after=lambda last: last.hold)


@router.get("/accounts/{account}/expiring", response_model=Page[Grant], responses=responses(*READ))
async def list_expiring(
    account: models.Account,
    before: Annotated[models.At, Query(description="Until when to look.")],
    caller: Annotated[Caller, reads("credits:read")],
) -> Response:
    """Grants that expire before an instant, and what is left of each."""
    await caller.see(account)
    return _whole(await caller.wiring.heller.expiring(before, account=account))


@router.get("/accounts/{account}/usage", response_model=Page[Usage], responses=responses(*READ))
async def list_usage(
    account: models.Account,
    since: Annotated[models.At, Query(description="The period's begin, by `effective_at`.")],
    until: Annotated[models.At, Query(description="Its end, not included.")],
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
    zone: models.Zone = "UTC",
    features: Annotated[int, Query(ge=1, le=100, description="So many, the largest, are named.")] = 6,
) -> Response:
    """What an account spent per day and feature, less what of it was refunded. A feature is `metadata.feature`, else the reason."""
    await caller.see(account)
    found = await caller.wiring.heller.usage(account, since, until, unit=unit, zone=zone, features=features)
    return answer({"items": found, "next": None})


@router.get(
    "/accounts/{account}/statement",
    responses={
        200: {
            "description": "The head, then every line with the balance after it; as JSON or CSV.",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        },
        **responses(*READ),
    },
)
async def get_statement(
    account: models.Account,
    since: Annotated[models.At, Query(description="The period's begin, by `effective_at`.")],
    until: Annotated[models.At, Query(description="Its end, not included.")],
    caller: Annotated[Caller, reads("credits:read")],
    unit: models.Unit = DEFAULT_UNIT,
    format: Annotated[Literal["json", "csv"], Query()] = "json",  # noqa: A002  # the word of the query
) -> Response:
    """One period of an account, streamed: memory is constant however long it is."""
    await caller.see(account)
    ledger = caller.wiring.heller
    if format == "csv":
        lines: AsyncIterator[Any] = ledger.statement_csv(account, since, until, unit=unit)
        media, name = (
            "text/csv; charset=utf-8",
            {"content-disposition": 'attachment; filename="statement.csv"'},
        )
    else:
        lines = _statement_json(ledger.statement(account, since, until, unit=unit))
        media, name = "application/json", {}
    first = await anext(lines), await anext(lines)  # whatever is to be refused is refused before the 200
    return StreamingResponse(_after(first, lines), media_type=media, headers=name)


async def _after(first: tuple[Any, ...], rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for part in first:
        yield part
    async for part in rest:
        yield part


async def _statement_json(parts: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    comma = b""
    async for part in parts:
        if isinstance(part, StatementHead):
            yield msgspec.json.encode(part)[:-1] + b',"lines":['
        else:
            yield comma + msgspec.json.encode(part)
            comma = b","
    yield b"]}"


@router.patch("/accounts/{account}", response_model=Account, responses=responses(*WRITE))
async def change_account(
    account: models.Account, body: models.ChangeAccount, caller: Annotated[Caller, writes("credits:write")]
) -> Response:
    """Change how far an account may go below zero, or its metadata; what is not given stays."""
    result = await caller.change(
        "account.change",
        account,
        lambda ledger: ledger.change_account(account, if_version=caller.if_version, **body.given()),
        body.given(),
    )
    return answer(result, headers={"etag": f'"{result.version}"'})


@router.post("/accounts/{account}/freeze", response_model=Account, responses=responses(*WRITE))
async def freeze(
    account: models.Account, body: models.Freeze, caller: Annotated[Caller, writes("credits:write")]
) -> Response:
    """Take no change of an account until it is unfrozen."""
    return answer(
        await caller.change(
            "account.freeze",
            account,
            lambda ledger: ledger.freeze(account, body.reason, unit=body.unit),
            body.given(),
        )
    )


@router.post("/accounts/{account}/unfreeze", response_model=Account, responses=responses(*WRITE))
async def unfreeze(
    account: models.Account, body: models.WithUnit, caller: Annotated[Caller, writes("credits:write")]
) -> Response:
    """Let changes through again."""
    return answer(
        await caller.change(
            "account.unfreeze", account, lambda ledger: ledger.unfreeze(account, unit=body.unit), body.given()
        )
    )


def _whole(items: list[Any]) -> Response:
    """A list that has one page."""
    return answer({"items": items, "next": None})


def _no_nul(name: str, text: str | None) -> None:
    if text is not None and "\x00" in text:
        raise InvalidArgument(f"{name} contains a NUL character", argument=name)


def _object(name: str, text: str | None) -> dict[str, Any] | None:
    """A filter that is JSON."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"{name} is no JSON object: {error}", argument=name) from None
