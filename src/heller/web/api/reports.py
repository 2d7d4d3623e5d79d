"""Books, the migration, the audit log, API keys, and who calls."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from heller.errors import InvalidArgument
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import Books, Grant
from heller.ledger.statements import Revenue, UsageLine
from heller.migration import journal
from heller.migration.journal import JournalledStep
from heller.rollout import state
from heller.web import audit, keys
from heller.web.api import models
from heller.web.api.answers import BODY, Me, Page, responses
from heller.web.api.caller import Caller, answer, reads
from heller.web.audit import AuditEntry
from heller.web.keys import ApiKey, NewApiKey, RotatedApiKey
from heller.web.principal import Role
from heller.web.problems import NotFound

router = APIRouter()

Reporter = Annotated[Caller, reads("reports:read")]
Migrator = Annotated[Caller, reads("migration:read")]
KeyMaker = Annotated[Caller, reads("keys:write")]


@router.get("/me", tags=["access"], response_model=Me, responses=responses())
async def me(caller: Annotated[Caller, reads("credits:read")]) -> Response:
    """Who calls, and what the scopes are."""
    who = caller.principal
    return answer(
        Me(
            subject=who.subject, actor=who.actor, role=who.role.name, scopes=sorted(who.scopes), user=who.user, name=who.name, via=who.via
        )
    )  # fmt: skip


@router.get("/reports/revenue", tags=["reports"], response_model=Page[Revenue], responses=responses())
async def get_revenue(
    caller: Reporter,
    since: Annotated[models.At, Query(description="The period's begin.")],
    until: Annotated[models.At, Query(description="Its end, not included.")],
) -> Response:
    """Recognised and deferred revenue of a period, per currency, in minor units. A closed period never changes."""
    return answer({"items": await caller.wiring.heller.revenue(since, until), "next": None})


@router.get("/reports/usage", tags=["reports"], response_model=Page[UsageLine], responses=responses())
async def get_usage(
    caller: Reporter,
    since: Annotated[models.At, Query(description="The period's begin, by the time of recording.")],
    until: Annotated[models.At, Query(description="Its end, not included.")],
    by: Annotated[
        str,
        Query(
            pattern=r"^(feature|reason|account|metadata\.[^\x00-\x1f\x7f]{1,100})$",
            description="`feature` (`metadata.feature`, else the reason), `reason`, `account` or `metadata.NAME`.",
        ),
    ] = "feature",
    per: Annotated[
        Literal["day", "week", "month", "year"] | None, Query(description="Without it the period is one.")
    ] = None,
    unit: models.Unit = DEFAULT_UNIT,
    zone: models.Zone = "UTC",
    names: Annotated[
        int, Query(ge=1, le=models.PAGE_MAX, description="So many, the largest, are named.")
    ] = models.PAGE_DEFAULT,
) -> Response:
    """What all accounts spent, and what was refunded, by feature, account or metadata. A closed period never changes."""
    found = await caller.wiring.heller.usage_report(
        since, until, by=by, per=per, unit=unit, zone=zone, names=names
    )
    return answer({"items": found, "next": None})


@router.get("/reports/books", tags=["reports"], response_model=Books, responses=responses())
async def get_books(caller: Reporter) -> Response:
    """Trial balance, liabilities and deferred revenue over all accounts. `difference` is 0."""
    return answer(await caller.wiring.heller.books())


@router.get("/reports/expiring", tags=["reports"], response_model=Page[Grant], responses=responses())
async def list_all_expiring(
    caller: Reporter,
    before: Annotated[models.At, Query(description="Until when to look.")],
    limit: Annotated[
        int, Query(ge=1, le=models.PAGE_MAX, description="Of how many accounts.")
    ] = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Grants of all accounts that expire before an instant, and what is left of each."""
    found = await caller.wiring.heller.expiring(before, limit=limit, after=caller.place(cursor, str) or "")
    accounts = {grant.account for grant in found}
    following = len(found) if len(accounts) == limit else len(found) + 1
    return caller.page(list(found), limit=following, after=lambda last: last.account)


@router.get("/migration/homes", tags=["migration"], response_model=dict[str, int], responses=responses())
async def get_homes(caller: Migrator) -> Response:
    """How many accounts live where, as this side knows it: heller, legacy, moving, quarantined."""
    async with caller.wiring.database.connection() as connection:
        return answer(await state.homes(connection))


@router.get(
    "/migration/steps", tags=["migration"], response_model=Page[JournalledStep], responses=responses()
)
async def list_migration_steps(
    caller: Migrator, limit: models.Limit = models.PAGE_DEFAULT, cursor: models.Cursor = None
) -> Response:
    """The steps of migrations (audit, backup, plan, copy, verify, proof) with their progress, newest first."""
    async with caller.wiring.database.connection() as connection:
        found = await journal.steps(connection, before=caller.place(cursor, int), limit=limit)
    return caller.page(list(found), limit=limit, after=lambda last: last.step_id)


@router.get(
    "/migration/steps/{step}",
    tags=["migration"],
    response_model=JournalledStep,
    responses=responses(NotFound),
)
async def get_migration_step(step: models.Place, caller: Migrator) -> Response:
    """One step with what it answered."""
    async with caller.wiring.database.connection() as connection:
        found = await journal.step_of(connection, step)
    if found is None:
        raise NotFound(f"There is no step {step}.")
    return answer(found)


@router.get("/migration/runs", tags=["migration"], response_model=Page[dict[str, Any]], responses=responses())
async def list_migration_runs(
    caller: Migrator, limit: models.Limit = models.PAGE_DEFAULT, cursor: models.Cursor = None
) -> Response:
    """The copies, newest first: truth, decisions, summary, and how many rows were set aside."""
    async with caller.wiring.database.connection() as connection:
        found = await journal.runs(connection, before=caller.place(cursor, int), limit=limit)
    return caller.page(found, limit=limit, after=lambda last: last["run_id"])


@router.get(
    "/migration/outcomes", tags=["migration"], response_model=Page[dict[str, Any]], responses=responses()
)
async def list_migration_outcomes(
    caller: Migrator,
    outcome: Annotated[Literal["quarantined", "merged"], Query()] = "quarantined",
    table: Annotated[str | None, Query(min_length=1, max_length=200, pattern=models.PRINTABLE)] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Source rows that are no row of their own here, and why."""
    async with caller.wiring.database.connection() as connection:
        found = await journal.outcomes(
            connection, outcome, table=table, after=caller.place(cursor, list[str]), limit=limit
        )
    return caller.page(
        found,
        limit=limit,
        after=lambda last: [last["source_system"], last["source_table"], last["source_id"]],
    )


@router.get("/audit-log", tags=["access"], response_model=Page[AuditEntry], responses=responses())
async def list_audit_log(
    caller: Annotated[Caller, reads("audit:read")],
    actor: Annotated[str | None, Query(min_length=1, max_length=320, pattern=models.PRINTABLE)] = None,
    action: Annotated[
        str | None, Query(pattern=r"^[a-z_]+(\.[a-z_]+)?$", max_length=80, examples=["account.freeze"])
    ] = None,
    target: Annotated[str | None, Query(min_length=1, max_length=320, pattern=models.PRINTABLE)] = None,
    since: Annotated[models.At | None, Query()] = None,
    until: Annotated[models.At | None, Query()] = None,
    limit: models.Limit = models.PAGE_DEFAULT,
    cursor: models.Cursor = None,
) -> Response:
    """Who did what, newest first."""
    async with caller.wiring.database.connection() as connection:
        found = await audit.entries(
            connection,
            before=caller.place(cursor, int),
            limit=limit,
            actor=actor,
            action=action,
            target=target,
            since=since,
            until=until,
        )
    return caller.page(list(found), limit=limit, after=lambda last: last.entry)


@router.get("/keys", tags=["access"], response_model=Page[ApiKey], responses=responses())
async def list_keys(
    caller: KeyMaker,
    include_ended: Annotated[bool, Query(description="Also revoked and expired ones.")] = False,
    limit: models.Limit = models.PAGE_MAX,
    cursor: models.Cursor = None,
) -> Response:
    """The API keys, never their secrets, newest first."""
    async with caller.wiring.database.connection() as connection:
        found = await keys.listed(
            connection, include_ended=include_ended, before=caller.place(cursor, str), limit=limit
        )
    return caller.page(list(found), limit=limit, after=lambda last: last.key_id)


@router.post("/keys", tags=["access"], status_code=201, response_model=NewApiKey, responses=responses(*BODY))
async def create_key(body: models.CreateKey, caller: KeyMaker) -> Response:
    """Make an API key. Its secret is answered this once and kept nowhere."""
    given = body.given()
    async with caller.wiring.database.transaction() as connection:
        made = await keys.create(
            connection,
            given.pop("name"),
            role=Role[given.pop("role")],
            actor=caller.principal.actor,
            **given,
        )
        await audit.note(
            connection,
            caller.principal,
            "key.create",
            made.api_key.key_id,
            body.given(),
            request_id=caller.request_id,
        )
    return answer(made, status=201)


@router.post(
    "/keys/{key}/rotate",
    tags=["access"],
    status_code=201,
    response_model=RotatedApiKey,
    responses=responses(*BODY, NotFound),
)
async def rotate_key(key: models.Id, body: models.RotateKey, caller: KeyMaker) -> Response:
    """Make a key with the name, role, scopes and rate of another, which ends after the overlap. Its secret is answered this once."""
    async with caller.wiring.database.transaction() as connection:
        try:
            made = await keys.rotate(connection, key, actor=caller.principal.actor, **body.given())
        except InvalidArgument as error:
            if error.argument == "key_id":
                raise NotFound(error.message) from None
            raise
        await audit.note(
            connection,
            caller.principal,
            "key.rotate",
            key,
            {"new": made.api_key.key_id, **body.given()},
            request_id=caller.request_id,
        )
    return answer(made, status=201)


@router.delete("/keys/{key}", tags=["access"], response_model=ApiKey, responses=responses(NotFound))
async def revoke_key(key: models.Id, caller: KeyMaker) -> Response:
    """Make a key worthless, within ten seconds everywhere."""
    async with caller.wiring.database.transaction() as connection:
        try:
            gone = await keys.revoke(connection, key, actor=caller.principal.actor)
        except InvalidArgument as error:
            raise NotFound(error.message) from None
        await audit.note(
            connection, caller.principal, "key.revoke", key, {"name": gone.name}, request_id=caller.request_id
        )
    return answer(gone)
