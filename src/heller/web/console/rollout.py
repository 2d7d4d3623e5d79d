"""``/console/rollout``: the stage, the people, the guardrails with their evidence, and the steps a person takes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from psycopg import AsyncConnection

from heller.errors import InvalidArgument, StaleVersion
from heller.rollout import state
from heller.rollout.limits import Limits
from heller.rollout.reading import guardrails_of
from heller.rollout.state import Rate, Rollout
from heller.web import pages
from heller.web.console.live import follow
from heller.web.console.shared import (
    PROTECTED,
    Admin,
    Deed,
    Fields,
    Operator,
    Support,
    acting,
    attempt,
    page,
)
from heller.web.principal import Principal
from heller.web.wiring import Wiring, wiring_of

router = APIRouter(prefix="/rollout")

HERE = "/console/rollout"
LOG_SHOWN = 50
CHART_STEPS = 60
CHART_SPAN_MAX = timedelta(days=7)
CONFIRMATION = "roll back"
STAGES_DEFAULT = ", ".join(map(str, state.STAGES))
SOAK_HOURS_DEFAULT = 24
SOAK_HOURS_MAX = 8_760
BEYOND_PERCENT = 101  # refused by the ledger's rule, whatever was typed
SECONDS_PER_HOUR = 3_600

Event = Literal["halt", "resume", "fallback_on", "fallback_off"]


@router.get("")
async def shown(request: Request, principal: Support) -> Response:
    """The rollout as it stands, and what was done to it."""
    wiring = wiring_of(request)
    standing = await stands(wiring)
    rollout: Rollout | None = standing["rollout"]
    async with wiring.database.connection() as connection:
        log = await state.log_of(connection, limit=LOG_SHOWN)
        measured = await _measured(connection, rollout) if rollout else []
    return await page(
        request,
        "rollout.html",
        principal,
        current=HERE,
        log=log,
        chart=_chart(request, measured),
        confirmation=CONFIRMATION,
        stages_default=STAGES_DEFAULT,
        soak_hours_default=SOAK_HOURS_DEFAULT,
        limits=Limits.of(rollout.settings if rollout else {}),
        **standing,
    )


@router.get("/live")
async def live(request: Request, _principal: Support) -> Response:
    """Stage, people and guardrails as they change."""
    wiring = wiring_of(request)
    return follow(request, {"rollout": "_rollout.html"}, lambda: stands(wiring))


async def stands(wiring: Wiring) -> dict[str, Any]:
    """Stage, people and guardrails now."""
    async with wiring.database.connection() as connection:
        rollout = await state.rollout_of(connection)
        homes = await people(connection, rollout)
    now = datetime.now(UTC)
    soaked = (
        0 if rollout is None else min(int((now - rollout.stage_since).total_seconds()), rollout.soak_seconds)
    )
    return {
        "rollout": rollout,
        "homes": homes,
        "guardrails": guardrails_of(rollout, now=now) if rollout else [],
        "waiting_for": rollout.verdict.get("waiting_for", []) if rollout else [],
        "soaked_seconds": soaked,
    }


async def people(connection: AsyncConnection, rollout: Rollout | None) -> dict[str, int]:
    """How many live where. Who was never copied is known only to the last evaluation, which read both databases."""
    homes = await state.homes(connection)
    seen = ((rollout.verdict.get("invariants") or {}) if rollout else {}).get("users", 0)
    never_copied = max(seen - sum(homes.values()), 0)
    return homes | {"legacy": homes["legacy"] + never_copied}


async def _measured(connection: AsyncConnection, rollout: Rollout) -> list[Rate]:
    since = max(rollout.stage_since, datetime.now(UTC) - CHART_SPAN_MAX)
    slow = Limits.of(rollout.settings).slow_milliseconds
    return await state.rates(connection, since, slow_milliseconds=slow, steps=CHART_STEPS)


def _chart(request: Request, measured: list[Rate]) -> dict[str, Any] | None:
    """Outcomes in heller and how many of them failed, by step of time."""
    if not measured:
        return None
    _ = pages.translator(request)
    times = sorted({rate.at for rate in measured})
    mine = {rate.at: rate for rate in measured if rate.arm == "heller"}
    control = {rate.at: rate for rate in measured if rate.arm == "legacy"}
    series = [
        (_("heller: outcomes"), [_sum(mine.get(at), "outcomes", "webhooks") for at in times]),
        (_("heller: failed"), [_sum(mine.get(at), "failed", "webhooks_failed") for at in times]),
        (_("heller: slow"), [_sum(mine.get(at), "slow") for at in times]),
        (_("legacy: failed"), [_sum(control.get(at), "failed", "webhooks_failed") for at in times]),
    ]
    return {
        "type": "line",
        "labels": [at.astimezone(UTC).strftime("%d.%m. %H:%M:%S") for at in times],
        "series": [{"name": name, "values": values} for name, values in series],
    }


def _sum(rate: Rate | None, *names: str) -> int:
    return 0 if rate is None else sum(getattr(rate, name) for name in names)


@router.post("/start", dependencies=PROTECTED)
async def start(request: Request, principal: Operator) -> Response:
    """Begin at the first stage."""
    fields = await Fields.of(request)

    async def work() -> str:
        stages, bucketing = _stages(fields.text("stages")), fields.text("bucketing")
        soak, reason, settings = fields.whole("soak_hours"), fields.text("reason"), _limits(fields)
        if not 0 <= soak <= SOAK_HOURS_MAX:
            raise InvalidArgument(f"A stage lasts 0 to {SOAK_HOURS_MAX:,} hours.", argument="soak_hours")
        if bucketing not in ("keyed", "plan"):
            raise InvalidArgument(f"bucketing is keyed or plan, not {bucketing}.", argument="bucketing")
        async with acting(
            request, principal, "rollout.start", state.DEFAULT_ROLLOUT, stages=stages, bucketing=bucketing, soak_hours=soak, reason=reason, settings=settings
        ) as deed:  # fmt: skip
            begun = await state.start(
                deed.connection,
                actor=principal.actor,
                reason=reason,
                stages=stages,
                bucketing="plan" if bucketing == "plan" else "keyed",
                soak_seconds=soak * SECONDS_PER_HOUR,
                settings=settings,
            )
        _ = pages.translator(request)
        return _("The rollout has begun at %(percent)s %%.", percent=begun.percent)

    return await attempt(request, HERE, "start", work)


def _stages(text: str) -> list[int]:
    try:
        return [min(int(part), BEYOND_PERCENT) for part in text.replace("%", "").split(",")]
    except ValueError as error:
        raise InvalidArgument(
            f"Stages are numbers with commas between, such as {STAGES_DEFAULT}.", argument="stages"
        ) from error


def _limits(fields: Fields) -> dict[str, Any]:
    """The limits that were given; the plan's for the others."""
    settings: dict[str, Any] = {}
    for name in ("users_min", "no_data_seconds", "slow_milliseconds"):
        if (value := fields.optional_whole(name)) is not None:
            settings[name] = value
    if fields.optional("auto_promote"):
        settings["auto_promote"] = True
    return settings


@router.post("/promote", dependencies=PROTECTED)
async def promote(request: Request, principal: Operator) -> Response:
    """Go to the next stage."""
    fields = await Fields.of(request)

    async def work() -> str:
        even_unproven = bool(fields.optional("even_unproven"))

        async def change(deed: Deed, reason: str, version: int) -> Rollout:
            deed.detail["even_unproven"] = even_unproven
            return await state.promote(
                deed.connection, actor=principal.actor, reason=reason, even_unproven=even_unproven, version=version
            )  # fmt: skip

        changed = await _changed(request, principal, fields, "promote", change)
        _ = pages.translator(request)
        return _("Promoted: the stage is %(percent)s %%.", percent=changed.percent)

    return await attempt(request, HERE, "promote", work)


@router.post("/rollback", dependencies=PROTECTED)
async def roll_back(request: Request, principal: Admin) -> Response:
    """Return everyone to the legacy system. The confirmation is typed, and compared here too."""
    fields = await Fields.of(request)

    async def work() -> str:
        if (fields.optional("confirmation") or "").lower() != CONFIRMATION:
            raise InvalidArgument(f"Type '{CONFIRMATION}' to confirm.", argument="confirmation")
        await _changed(request, principal, fields, "rollback")
        _ = pages.translator(request)
        return _("Everyone is being returned to the legacy system.")

    return await attempt(request, HERE, "rollback", work)


@router.post("/{event}", dependencies=PROTECTED)
async def change(request: Request, principal: Operator, event: Annotated[Event, Path()]) -> Response:
    """Halt, resume, or send everyone home for a while."""
    fields = await Fields.of(request)

    async def work() -> str:
        await _changed(request, principal, fields, event)
        _ = pages.translator(request)
        return {
            "halt": _("Halted: everybody stays where they are."),
            "resume": _("Resumed: the stage begins its evidence anew."),
            "fallback_on": _("Everyone is served by the legacy system until this is switched off."),
            "fallback_off": _("Back to the stage."),
        }[event]

    return await attempt(request, HERE, event, work)


async def _changed(
    request: Request, principal: Principal, fields: Fields, event: str, change: Any = None
) -> Rollout:
    """One step of the rollout as its page was shown; a second click on the same button is the first one's result."""
    reason, version = fields.text("reason"), fields.whole("version")
    try:
        async with acting(
            request, principal, f"rollout.{event}", state.DEFAULT_ROLLOUT, reason=reason
        ) as deed:
            if change is not None:
                done: Rollout = await change(deed, reason, version)
                return done
            return await state.change(
                deed.connection, event, actor=principal.actor, reason=reason, version=version
            )
    except StaleVersion:
        async with wiring_of(request).database.connection() as connection:
            current = await state.rollout_of(connection)
            log = await state.log_of(connection, limit=1)
        is_mine = bool(log) and (log[0].event, log[0].actor, log[0].reason) == (
            event,
            principal.actor,
            reason,
        )
        if current is None or current.version != version + 1 or not is_mine:
            raise
        return current
