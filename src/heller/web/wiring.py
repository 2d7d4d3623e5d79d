"""What every request can reach: the settings, the ledger, Stripe where it is set up."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
from starlette.requests import HTTPConnection

from heller import Heller
from heller.database import Database
from heller.stripe.api import StripeApi
from heller.stripe.api import opened as stripe_opened
from heller.stripe.ingest import Ingest
from heller.stripe.ingest import opened as ingest_opened
from heller.stripe.settings import StripeSettings
from heller.web.auth import Authenticator
from heller.web.limits import Limiter
from heller.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class Wiring:
    """The connections of one web process. ``url`` is the database's; ``stripe`` and ``ingest`` are None where not set up."""

    settings: WebSettings
    url: str
    database: Database
    heller: Heller
    stripe: StripeApi | None
    ingest: Ingest | None
    legacy_url: str | None
    auth: Authenticator
    limiter: Limiter
    http: httpx.AsyncClient


@asynccontextmanager
async def opened(
    settings: WebSettings, *, url: str, stripe: StripeSettings | None = None, legacy_url: str | None = None
) -> AsyncIterator[Wiring]:
    """The wiring for the life of a process.

    Raises:
        DatabaseUnavailable, SchemaMissing, SchemaMismatch: as ``Heller.connect``.
    """
    async with AsyncExitStack() as stack:
        heller = await stack.enter_async_context(Heller.connect(url))
        database = await Database.open(url)
        stack.push_async_callback(database.close)
        api = await stack.enter_async_context(stripe_opened(stripe)) if stripe else None
        ingest = await stack.enter_async_context(ingest_opened(url, stripe)) if stripe else None
        auth, limiter = Authenticator(database, settings), Limiter(database)
        http = await stack.enter_async_context(httpx.AsyncClient())
        yield Wiring(settings, url, database, heller, api, ingest, legacy_url, auth, limiter, http)


def wiring_of(request: HTTPConnection) -> Wiring:
    """The wiring of the application that serves a request."""
    wiring: Wiring = request.app.state.wiring
    return wiring
