"""``/console/migration``: the steps with what they found and decided, the copy while it runs, what was set aside, the proof."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from psycopg import AsyncConnection

from heller.migration.findings import FINDING
from heller.migration.journal import STEPS, JournalledStep, outcomes, runs, step_of, steps
from heller.web.console.live import follow
from heller.web.console.shared import PAGE, Number, Support, page
from heller.web.problems import NotFound
from heller.web.wiring import Wiring, wiring_of

router = APIRouter(prefix="/migration")

HERE = "/console/migration"
ANSWERS = ("audit", "plan", "verify", "proof")
LEVELS = ("blocker", "warning", "note")
STEPS_READ_MAX = 200
RUNS_SHOWN = 10
ROWS_SHOWN = 10


@router.get("")
async def shown(request: Request, principal: Support) -> Response:
    """The newest of each step, findings and decisions, copies, the proof."""
    wiring = wiring_of(request)
    standing = await stands(wiring)
    newest: dict[str, JournalledStep] = standing["newest"]
    async with wiring.database.connection() as connection:
        results = {name: await _result(connection, newest.get(name)) for name in ANSWERS}
        copies = await runs(connection, limit=RUNS_SHOWN)
        aside = await outcomes(connection, limit=ROWS_SHOWN)
    return await page(
        request,
        "migration.html",
        principal,
        current=HERE,
        results=results,
        findings=_by_level(results["audit"]),
        questions=_open_questions(newest, results),
        kinds=FINDING,
        copies=copies,
        aside=aside,
        **standing,
    )


async def _result(connection: AsyncConnection, step: JournalledStep | None) -> dict[str, Any]:
    """What a step answered; nothing before it did, or when it failed."""
    found = None if step is None else await step_of(connection, step.step_id)
    return (found.result if found else None) or {}


@router.get("/live")
async def live(request: Request, _principal: Support) -> Response:
    """The steps as they go."""
    wiring = wiring_of(request)
    return follow(request, {"steps": "_steps.html"}, lambda: stands(wiring))


async def stands(wiring: Wiring) -> dict[str, Any]:
    """The newest of each step, for the source that was worked on last; and all steps of late."""
    async with wiring.database.connection() as connection:
        found = await steps(connection, limit=STEPS_READ_MAX)
    newest: dict[str, JournalledStep] = {}
    for step in found:
        if step.source_name == found[0].source_name:
            newest.setdefault(step.step, step)
    return {"names": STEPS, "newest": newest, "steps": found}


def _by_level(audit: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The findings, worst first, as they were audited."""
    found: list[dict[str, Any]] = audit.get("findings", [])
    return {level: [entry for entry in found if entry["level"] == level] for level in LEVELS}


def _open_questions(
    newest: dict[str, JournalledStep], results: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """The blockers nobody has decided: all of the audit's until a plan has been made after it."""
    audit, plan = newest.get("audit"), newest.get("plan")
    if audit is None or (plan is not None and plan.step_id > audit.step_id and plan.state == "finished"):
        return []
    return [
        entry
        for entry in results["audit"].get("findings", [])
        if entry["level"] == "blocker" and FINDING[entry["code"]].choices
    ]


@router.get("/steps/{number}.json")
async def step_json(request: Request, principal: Support, number: Number) -> Response:
    """What a step answered, as a file: for a proof, what ``heller migrate proof --check`` reads."""
    del principal
    async with wiring_of(request).database.connection() as connection:
        found = await _step(connection, number)
    name = f"{found.step}-{number}.json"
    return JSONResponse(found.result, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/steps/{number}")
async def step(request: Request, principal: Support, number: Number) -> Response:
    """One step with all that it answered."""
    async with wiring_of(request).database.connection() as connection:
        found = await _step(connection, number)
    return await page(request, "step.html", principal, current=HERE, step=found)


async def _step(connection: AsyncConnection, number: int) -> JournalledStep:
    found = await step_of(connection, number)
    if found is None:
        raise NotFound(f"There is no step {number}.")
    return found


@router.get("/rows")
async def rows(
    request: Request, principal: Support, outcome: str = "quarantined", table: str = "", after: str = ""
) -> Response:
    """Source rows that are no row of their own here, and why."""
    is_merged = outcome == "merged"
    place = after.split("|", 2)
    async with wiring_of(request).database.connection() as connection:
        found = await outcomes(
            connection,
            "merged" if is_merged else "quarantined",
            table=table.strip() or None,
            after=place if len(place) == 3 else None,  # noqa: PLR2004  # system, table, id
            limit=PAGE,
        )
    last = found[-1] if len(found) == PAGE else None
    return await page(
        request,
        "rows.html",
        principal,
        current=HERE,
        found=found,
        outcome="merged" if is_merged else "quarantined",
        table=table,
        after=after,
        next_after="|".join((last["source_system"], last["source_table"], last["source_id"]))
        if last
        else None,
    )
