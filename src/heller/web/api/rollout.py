"""The rollout: how it stands, and every step a person can take."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter
from psycopg import AsyncConnection
from starlette.responses import Response

from heller import errors
from heller.rollout import state
from heller.rollout.state import LogEntry, Rollout
from heller.web import audit
from heller.web.api import models
from heller.web.api.answers import BODY, Page, RolloutNow, responses
from heller.web.api.caller import Caller, answer, reads
from heller.web.problems import NotFound

router = APIRouter(tags=["rollout"])

Reader = Annotated[Caller, reads("rollout:read")]
Writer = Annotated[Caller, reads("rollout:write")]
STEP = responses(*BODY, errors.StaleVersion)


@router.get("/rollout", response_model=RolloutNow, responses=responses(NotFound))
async def get_rollout(caller: Reader) -> Response:
    """How the rollout stands, with the last verdict of its guardrails."""
    async with caller.wiring.database.connection() as connection:
        found = await state.rollout_of(connection)
    if found is None:
        raise NotFound("No rollout was started.")
    return answer(found.as_json())


@router.get("/rollout/log", response_model=Page[LogEntry], responses=responses())
async def list_rollout_log(
    caller: Reader, limit: models.Limit = models.PAGE_DEFAULT, cursor: models.Cursor = None
) -> Response:
    """What was done to the rollout, by whom and why, newest first."""
    async with caller.wiring.database.connection() as connection:
        found = await state.log_of(connection, before=caller.place(cursor, int), limit=limit)
    return caller.page(list(found), limit=limit, after=lambda last: last.entry)


@router.post("/rollout", status_code=201, response_model=RolloutNow, responses=responses(*BODY))
async def start_rollout(body: models.StartRollout, caller: Writer) -> Response:
    """Begin at the first stage; the worker moves the homes."""
    actor = caller.principal.actor
    return await _step(
        caller, "start", body, lambda c: state.start(c, actor=actor, **body.given()), status=201
    )


@router.post(
    "/rollout/promote",
    response_model=RolloutNow,
    responses=responses(*BODY, errors.StaleVersion, errors.GateNotPassed),
)
async def promote_rollout(body: models.Promote, caller: Writer) -> Response:
    """Go to the next stage. Refused while the guardrails have not passed this one."""
    actor = caller.principal.actor
    return await _step(caller, "promote", body, lambda c: state.promote(c, actor=actor, **body.given()))


@router.post("/rollout/halt", response_model=RolloutNow, responses=STEP)
async def halt_rollout(body: models.ChangeRollout, caller: Writer) -> Response:
    """Stop moving; everybody stays where they are."""
    return await _change(caller, "halt", body)


@router.post("/rollout/resume", response_model=RolloutNow, responses=STEP)
async def resume_rollout(body: models.ChangeRollout, caller: Writer) -> Response:
    """Clear a halt; the stage begins its evidence anew."""
    return await _change(caller, "resume", body)


@router.post("/rollout/rollback", response_model=RolloutNow, responses=STEP)
async def roll_back(body: models.ChangeRollout, caller: Writer) -> Response:
    """Return everyone; the worker moves the homes back."""
    return await _change(caller, "rollback", body)


@router.post("/rollout/fallback", response_model=RolloutNow, responses=STEP)
async def start_fallback(body: models.ChangeRollout, caller: Writer) -> Response:
    """Send everyone home to the legacy system whatever the stage."""
    return await _change(caller, "fallback_on", body)


@router.post("/rollout/fallback/end", response_model=RolloutNow, responses=STEP)
async def end_fallback(body: models.ChangeRollout, caller: Writer) -> Response:
    """Back to the stage."""
    return await _change(caller, "fallback_off", body)


async def _change(caller: Caller, event: str, body: models.ChangeRollout) -> Response:
    actor = caller.principal.actor
    return await _step(caller, event, body, lambda c: state.change(c, event, actor=actor, **body.given()))


async def _step(
    caller: Caller,
    event: str,
    body: models.Decision,
    step: Callable[[AsyncConnection], Awaitable[Rollout]],
    *,
    status: int = 200,
) -> Response:
    async with caller.wiring.database.transaction() as connection:
        changed = await step(connection)
        detail: dict[str, Any] = body.given()
        await audit.note(
            connection,
            caller.principal,
            f"rollout.{event}",
            changed.rollout,
            detail,
            request_id=caller.request_id,
        )
    return answer(changed.as_json(), status=status)
