"""The application: API, portal, console, sign-in, health, on one ``heller serve``."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated
from urllib.parse import urlsplit

import psycopg
import stripe as sdk
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from heller import logs, metrics, traces
from heller.errors import HellerError, InsufficientCredits, ProviderError
from heller.stripe import load as stripe_settings
from heller.stripe.said import said
from heller.stripe.settings import StripeSettings
from heller.web import api, console, openapi, pages, portal, problems, session, sign_in, widget
from heller.web.api import lean
from heller.web.api.caller import Caller, reads
from heller.web.assets import Assets
from heller.web.security import Edge, Except
from heller.web.settings import SESSION_SECONDS, WebSettings, load
from heller.web.two_systems import Observed, webhook_app
from heller.web.wiring import opened, wiring_of

API = "/v1"
STRIPE_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com")
GZIP_BYTES_MIN = 1_024
CORS_SECONDS = 600
READY_SECONDS = 2.0

log = structlog.get_logger("heller.web")


def create_app(
    settings: WebSettings, *, url: str, stripe: StripeSettings | None = None, legacy_url: str | None = None
) -> FastAPI:
    """The application on the database at ``url``; connections open when it starts."""
    logs.configure()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with traces.tracing("heller-serve"):
            async with opened(settings, url=url, stripe=stripe, legacy_url=legacy_url) as wiring:
                app.state.wiring = wiring
                yield

    app = FastAPI(
        version=version("heller"),
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    openapi.install(app, API)
    for language in pages.LANGUAGES:
        pages.environment(language)  # a catalogue that cannot be read stops the start, not a page
    app.state.settings = settings
    app.router.routes += (hot.route(API) for hot in lean.ROUTES)
    app.router.routes.append(Route(f"{API}/webhooks/stripe", _Webhook()))
    app.include_router(api.router, prefix=API)
    app.include_router(sign_in.router)
    app.include_router(portal.router, prefix="/portal")
    app.include_router(console.router, prefix="/console")
    app.include_router(widget.router)
    app.mount("/static", Assets(), name="static")
    _add_operations(app)
    _add_handlers(app)
    app.add_middleware(Observed)
    app.add_middleware(
        Except,  # type: ignore[arg-type]  # an ASGI class with arguments of its own
        paths=(API, "/static", "/widget", "/health", "/ready", "/metrics"),
        middleware=SessionMiddleware,
        secret_key=settings.session_secret,
        session_cookie=("__Host-" if settings.is_secure else "") + session.COOKIE,
        max_age=SESSION_SECONDS,
        same_site="lax",
        https_only=settings.is_secure,
    )
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["authorization", "content-type", "idempotency-key", "if-match", "x-request-id"],
            expose_headers=[
                "etag",
                "idempotent-replayed",
                "ratelimit-limit",
                "ratelimit-remaining",
                "retry-after",
                "x-request-id",
            ],
            max_age=CORS_SECONDS,
        )
    app.add_middleware(
        Edge,
        is_secure=settings.is_secure,
        answer=_answer,
        form_targets=_form_targets(settings, stripe),
    )
    if traces.wanted():
        app.add_middleware(traces.TracedRequests)
    return app


def _form_targets(settings: WebSettings, stripe: StripeSettings | None) -> list[str]:
    """Where a form of ours may lead on to: Stripe's pages, and the sign-in provider at a sign-out."""
    targets = [*((stripe.api_base,) if stripe.api_base else STRIPE_PAGES)] if stripe else []
    if settings.oidc_client_id:
        issuer = urlsplit(settings.oidc_issuer)
        targets.append(f"{issuer.scheme}://{issuer.netloc}")
    return targets


def from_environment() -> FastAPI:
    """The application as ``heller serve`` runs it in several processes.

    Raises:
        SettingsError: something in the environment is missing or contradicts another.
    """
    return create_app(
        load(),
        url=os.environ["DATABASE_URL"],
        stripe=stripe_settings() if "STRIPE_SECRET_KEY" in os.environ else None,
        legacy_url=os.environ.get("LEGACY_DATABASE_URL"),
    )


class _Webhook:
    """Where Stripe delivers to: an address without a redirect, whatever the method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ingest = scope["app"].state.wiring.ingest
        if ingest is None:
            error = problems.NotSetUp("This installation has no Stripe.", hint="Set STRIPE_SECRET_KEY.")
            await problems.answer(error, request_id=scope["state"]["request_id"])(scope, receive, send)
        else:
            wiring = scope["app"].state.wiring
            await webhook_app(wiring, ingest, wiring.http)(scope, receive, send)


def _add_operations(app: FastAPI) -> None:
    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """The process runs."""
        return {"status": "ok"}

    @app.get("/ready", include_in_schema=False)
    async def ready(request: Request) -> Response:
        """The database answers too."""
        try:
            async with asyncio.timeout(READY_SECONDS), wiring_of(request).database.connection() as connection:
                await connection.execute("select 1")
        except (HellerError, psycopg.Error, TimeoutError) as error:
            return JSONResponse({"status": "database unavailable", "detail": str(error)}, status_code=503)
        return JSONResponse({"status": "ok"})

    @app.get("/metrics", include_in_schema=False)
    async def figures(request: Request, _caller: Annotated[Caller, reads("reports:read")]) -> Response:
        """For Prometheus, which shows a key (``authorization: credentials``) with the scope ``reports:read``."""
        text = await metrics.exposition(wiring_of(request).database)
        return Response(text, media_type=metrics.CONTENT_TYPE)


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(HellerError)
    async def refused(request: Request, error: HellerError) -> Response:
        return _answer(request, error)

    @app.exception_handler(session.SignInNeeded)
    async def nobody(_request: Request, error: session.SignInNeeded) -> Response:
        return session.to_sign_in(error.next)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if (
            first["loc"][0] == "body"
            and request.url.path.startswith(f"{API}/")
            and media_type != "application/json"
        ):
            return _answer(
                request,
                problems.UnsupportedMediaType("The body is not JSON.", hint="Content-Type: application/json"),
            )
        return _answer(request, problems.invalid(first, skip=1))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        kinds: dict[int, type[problems.HttpError]] = {
            400: problems.MalformedJson, 404: problems.NotFound, 405: problems.MethodNotAllowed, 413: problems.TooLarge, 415: problems.UnsupportedMediaType,
        }  # fmt: skip
        kind = kinds.get(error.status_code, problems.HttpError)
        response = _answer(request, kind(str(error.detail)))
        response.headers.update(error.headers or {})
        if error.status_code == 405 and request.url.path.startswith(f"{API}/"):  # noqa: PLR2004  # HTTP
            response.headers["allow"] = ", ".join(api.methods_of(request.url.path.removeprefix(API)))
        return response

    @app.exception_handler(sdk.StripeError)
    async def provider(request: Request, error: sdk.StripeError) -> Response:
        message = f"Stripe did not do it: {said(error)}"
        return _answer(request, ProviderError(message, hint="Try again with the same key."))


def _answer(request: Request, error: HellerError) -> Response:
    request_id = request.state.request_id
    if "session" not in request.scope or "text/html" not in request.headers.get("accept", ""):  # not a page
        is_short = isinstance(error, InsufficientCredits)
        top_up = f"{request.app.state.settings.address}/portal/buy" if is_short else None
        return problems.answer(error, request_id=request_id, top_up=top_up)
    response = pages.render(
        request,
        "problem.html",
        principal=session.principal_of(request),
        problem=problems.problem(error, request_id=request_id),
    )
    response.status_code = problems.status_of(error)
    return response
