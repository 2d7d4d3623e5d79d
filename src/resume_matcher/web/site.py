"""One site: ``/`` and ``/matcher`` are the application's, everything else (portal, sign-in, webhooks) is heller's."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from heller.errors import HellerError
from heller.web import pages, session
from heller.web.app import GZIP_BYTES_MIN, from_environment
from heller.web.security import Edge
from heller.web.settings import SESSION_SECONDS, WebSettings
from resume_matcher import store
from resume_matcher.analyses import Analyses
from resume_matcher.documents import FILE_BYTES_MAX
from resume_matcher.errors import MatcherError
from resume_matcher.llm import AT_ONCE_MAX, LanguageModel
from resume_matcher.settings import load
from resume_matcher.web import api, errors, routes
from resume_matcher.web.shared import NAME, PACKAGE
from resume_matcher.web.wiring import Matcher
from resume_matcher.work import Workshop

ROOT = "/matcher"
FORM_BYTES_MAX = (
    2 * 1024 * 1024
)  # around a file; and a file a little too large is refused on a page, not at the edge


class Site:
    """Hands each request to the application or to heller; both share the session cookie."""

    def __init__(self, ours: FastAPI, hellers: ASGIApp) -> None:
        self.ours = ours
        self._hellers = hellers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the life of the process is the application's, which holds heller's inside."""
        is_ours = (
            scope["type"] == "lifespan" or scope["path"] == "/" or f"{scope['path']}/".startswith(f"{ROOT}/")
        )
        await (self.ours if is_ours else self._hellers)(scope, receive, send)


def create_site() -> Site:
    """The site as the environment says (DATABASE_URL, HELLER_..., STRIPE_..., RESUME_MATCHER_...).

    Raises:
        SettingsError: something is missing or contradicts another; the message names it.
    """
    matcher = load()
    llm = LanguageModel(matcher.llm_model, seconds_max=matcher.llm_seconds) if matcher.llm_model else None
    hellers = from_environment()
    settings: WebSettings = hellers.state.settings
    url = os.environ["DATABASE_URL"]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        size = matcher.work_processes
        async with (
            hellers.router.lifespan_context(hellers),
            store.opened(url) as sessions,
            Workshop.open(size) as workshop,
        ):
            app.state.wiring = hellers.state.wiring
            analyses = Analyses(
                sessions,
                workshop,
                hold_seconds=matcher.hold_seconds,
                size=size + (AT_ONCE_MAX if llm else 0),
                llm=llm,
            )
            app.state.matcher = Matcher(sessions, workshop, analyses)
            stop = asyncio.Event()
            sweeping = asyncio.create_task(analyses.sweep_until(stop))
            yield
            stop.set()
            await sweeping
            await analyses.settle()

    app = FastAPI(
        title=NAME,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{ROOT}/api/openapi.json",
    )
    app.state.settings = settings
    app.include_router(api.router, prefix=f"{ROOT}/v1")
    app.include_router(routes.router)
    app.mount(f"{ROOT}/static", StaticFiles(directory=Path(__file__).with_name("static")))
    _add_handlers(app)
    app.add_middleware(
        SessionMiddleware,
        secret_key=settings.session_secret,
        session_cookie=("__Host-" if settings.is_secure else "") + session.COOKIE,
        max_age=SESSION_SECONDS,
        same_site="lax",
        https_only=settings.is_secure,
    )
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN)
    app.add_middleware(
        Edge,
        is_secure=settings.is_secure,
        answer=errors.answer,
        body_bytes_max=FILE_BYTES_MAX + FORM_BYTES_MAX,
    )
    for language in pages.LANGUAGES:
        for package in (pages.PACKAGE, PACKAGE):
            pages.environment(language, package).globals["site_name"] = NAME
        pages.environment(language, PACKAGE).globals["llm_model"] = matcher.llm_model
    return Site(app, hellers)


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(MatcherError)
    async def ours(request: Request, error: MatcherError) -> Response:
        return errors.answer(request, errors.as_heller(error))

    @app.exception_handler(HellerError)
    async def refused(request: Request, error: HellerError) -> Response:
        return errors.answer(request, error)

    @app.exception_handler(session.SignInNeeded)
    async def nobody(_request: Request, error: session.SignInNeeded) -> Response:
        return session.to_sign_in(error.next)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return errors.answer(request, errors.of_validation(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return errors.answer(request, errors.of_http(error))
