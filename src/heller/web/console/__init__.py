"""The operators' console, ``/console``: support sees, an operator acts, an admin makes keys and rolls back."""

from fastapi import APIRouter

from heller.web.console import (
    accounts,
    audit_log,
    checklist,
    deliveries,
    discrepancies,
    endpoints,
    keys,
    migration,
    overview,
    recurring,
    rollout,
    usage,
)

router = APIRouter(include_in_schema=False)
router.add_api_route("", overview.overview, methods=["GET"])
for area in (
    overview, accounts, recurring, usage, deliveries, discrepancies, endpoints, rollout, migration, checklist, audit_log, keys,
):  # fmt: skip
    router.include_router(area.router)
