"""The JSON API, ``/v1``: thin routes over the ledger, Stripe, the rollout and the migration."""

from fastapi import APIRouter

from heller.web.api import (
    accounts,
    batch,
    credits,  # the word of the glossary
    deliveries,
    events,
    lean,
    recurring,
    reports,
    rollout,
    selling,
    teams,
    users,
    widgets,
)

AREAS = (
    accounts,
    credits,
    recurring,
    teams,
    batch,
    selling,
    users,
    events,
    deliveries,
    rollout,
    reports,
    widgets,
)

router = APIRouter()
for area in AREAS:
    router.include_router(area.router)


def methods_of(path: str) -> list[str]:
    """The methods that an address of the API (without its prefix) takes."""
    routes = [(hot.path_regex, {hot.method}) for hot in lean.ROUTES]
    routes += [(route.path_regex, route.methods) for area in AREAS for route in area.router.routes]
    return sorted({str(method) for regex, methods in routes if regex.match(path) for method in methods})
