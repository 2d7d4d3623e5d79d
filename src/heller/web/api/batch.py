"""Many operations in one call."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from heller import errors
from heller.web import problems
from heller.web.api import models
from heller.web.api.answers import BODY, Outcomes, responses
from heller.web.api.caller import Caller, answer, demand, reads

router = APIRouter(tags=["credits"])

SPENDING = frozenset({"spend", "hold", "capture", "release", "renew", "refund"})
WITHOUT_ACTOR = frozenset({"open_account", "release", "renew"})


@router.post(
    "/batch",
    response_model=Outcomes,
    responses=responses(
        *BODY, errors.InsufficientCredits, errors.UnknownAccount, errors.AccountFrozen, errors.IdempotencyConflict,
        errors.StaleVersion, errors.Busy,
    ),
)  # fmt: skip
async def batch(body: models.Batch, caller: Annotated[Caller, reads("credits:spend")]) -> Response:
    """Do up to 10,000 operations, each with its own result or problem in the same place.

    With `atomic` all or none: the first refusal is the answer and nothing has changed.
    """
    verbs = Counter(operation.verb for operation in body.operations)
    if verbs.keys() - SPENDING:
        demand(caller.principal, "credits:write")
    operations = [_signed(operation, caller) for operation in body.operations]
    detail = {"operations": len(operations), "atomic": body.atomic, "verbs": dict(verbs)}
    if body.atomic:
        results = await caller.change(
            "batch.apply", caller.request_id, lambda ledger: ledger.apply(operations, atomic=True), detail
        )
    else:
        await caller.note("batch.apply", caller.request_id, detail)
        results = await caller.wiring.heller.apply(operations)
    return answer({"outcomes": [_outcome(result, caller.request_id) for result in results]})


def _signed(operation: Any, caller: Caller) -> dict[str, Any]:
    given: dict[str, Any] = operation.given()
    return given if operation.verb in WITHOUT_ACTOR else given | {"actor": caller.principal.actor}


def _outcome(result: Any, request_id: str) -> dict[str, Any]:
    if isinstance(result, errors.HellerError):
        return {"result": None, "problem": problems.problem(result, request_id=request_id)}
    return {"result": result, "problem": None}
