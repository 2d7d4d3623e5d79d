"""Stripe's deliveries and payments, and the remedies for those that need a person."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from heller import errors
from heller.database import call_many
from heller.stripe import deliveries
from heller.stripe.reconcile import discrepancies
from heller.web.api import models
from heller.web.api.answers import BODY, READ, Page, Retried, responses
from heller.web.api.caller import Caller, answer, reads
from heller.web.problems import NotFound

router = APIRouter(tags=["stripe"])

Reader = Annotated[Caller, reads("stripe:read")]
Writer = Annotated[Caller, reads("stripe:write")]


@router.get("/deliveries", response_model=Page[dict[str, Any]], responses=responses())
async def list_deliveries(
    caller: Reader,
    status: Annotated[str | None, Query(pattern="^[a-z]{1,20}$", examples=["parked"])] = None,
    payment: Annotated[str | None, Query(min_length=1, max_length=320, pattern=models.PRINTABLE)] = None,
    type: Annotated[str | None, Query(pattern="^[a-z_.]{1,100}$", description="Of the event.")] = None,  # noqa: A002  # Stripe's word
    event: Annotated[str | None, Query(min_length=1, max_length=320, pattern=models.PRINTABLE)] = None,
    since: Annotated[models.At | None, Query()] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """The inbox, newest first."""
    found = await deliveries.deliveries(
        caller.wiring.database,
        status=status,
        payment_key=payment,
        event_type=type,
        event_id=event,
        since=since,
        before=caller.place(cursor, int),
        limit=limit,
    )
    return caller.page(
        [_plain(delivery) for delivery in found], limit=limit, after=lambda last: last["inbox_id"]
    )


@router.get("/deliveries/{delivery}", response_model=dict[str, Any], responses=responses(NotFound))
async def get_delivery(delivery: models.Place, caller: Reader) -> Response:
    """One delivery with its body (unless it was erased) and its payment."""
    return answer(_plain(await _delivery(caller, delivery)))


@router.post("/deliveries/{delivery}/retry", response_model=Retried, responses=responses(NotFound))
async def retry_delivery(delivery: models.Place, caller: Writer) -> Response:
    """Back into the queue, whatever became of it; that is always safe."""
    await _delivery(caller, delivery)
    count = await deliveries.retry(caller.wiring.database, inbox_id=delivery, actor=caller.principal.actor)
    await caller.note("delivery.retry", str(delivery), {"retried": count})
    return answer(Retried(retried=count))


@router.post(
    "/deliveries/{delivery}/ignore", response_model=dict[str, Any], responses=responses(*BODY, NotFound)
)
async def ignore_delivery(delivery: models.Place, body: models.Decision, caller: Writer) -> Response:
    """Decide that nothing is to be done about it."""
    await _delivery(caller, delivery)
    await deliveries.ignore(
        caller.wiring.database, delivery, actor=caller.principal.actor, reason=body.reason
    )
    await caller.note("delivery.ignore", str(delivery), body.given())
    return answer(_plain(await _delivery(caller, delivery)))


@router.get("/payments", response_model=Page[dict[str, Any]], responses=responses())
async def list_payments(
    caller: Reader,
    account: Annotated[str | None, Query(min_length=1, max_length=200, pattern=models.PRINTABLE)] = None,
    since: Annotated[models.At | None, Query()] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Purchases and what became of them, newest first."""
    async with caller.wiring.database.connection() as connection:
        found = await call_many(
            connection,
            "stripe_payments",
            account_id=account,
            since=since,
            before=caller.moment(cursor),
            limit=limit,
        )
    return caller.page(found, limit=limit, after=lambda last: [last["created_at"], last["payment_key"]])


@router.post("/payments/{payment}/assign", response_model=dict[str, Any], responses=responses(*BODY, *READ))
async def assign_payment(payment: models.Id, body: models.Assign, caller: Writer) -> Response:
    """Say whose a payment is and what it is worth; the worker credits it if Stripe says that it was paid."""
    result = await deliveries.assign(
        caller.wiring.database, payment, actor=caller.principal.actor, **body.given()
    )
    await caller.note("payment.assign", payment, body.given())
    return answer(result)


@router.get("/discrepancies", response_model=Page[dict[str, Any]], responses=responses())
async def list_discrepancies(
    caller: Reader,
    state: Annotated[str | None, Query(pattern="^[a-z]{1,20}$")] = None,
    payment: Annotated[str | None, Query(min_length=1, max_length=320, pattern=models.PRINTABLE)] = None,
    since: Annotated[models.At | None, Query()] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Differences between Stripe and the ledger that reconcile found, newest first."""
    found = await discrepancies(
        caller.wiring.database,
        state=state,
        since=since,
        payment_key=payment,
        before=caller.place(cursor, int),
        limit=limit,
    )
    return caller.page(found, limit=limit, after=lambda last: last["discrepancy_id"])


async def _delivery(caller: Caller, inbox_id: int) -> deliveries.Delivery:
    try:
        return await deliveries.delivery(caller.wiring.database, inbox_id)
    except errors.InvalidArgument as error:
        raise NotFound(error.message) from None


def _plain(delivery: deliveries.Delivery) -> dict[str, Any]:
    raw = {name: getattr(delivery, name) for name in deliveries.Delivery.__slots__}
    return raw | {"body": None if delivery.body is None else delivery.body.decode("utf-8", "replace")}
