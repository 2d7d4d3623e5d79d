"""The JSON API, ``/v1``: thin routes over the ledger, Stripe, the rollout and the migration."""

from fastapi import APIRouter

from heller.web.api import (
    accounts,
    batch,
    credits,  # the word of the glossary
    deliveries,
    events,
    reports,
    rollout,
    selling,
    teams,
    users,
    widgets,
)

AREAS = (accounts, credits, teams, batch, selling, users, events, deliveries, rollout, reports, widgets)

router = APIRouter()
for area in AREAS:
    router.include_router(area.router)
