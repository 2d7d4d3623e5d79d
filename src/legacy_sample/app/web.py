"""The routes: sign in, balance page, spend, undo, buy, webhook. A user who has moved gets a clear 409."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import stripe
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from starlette.middleware.sessions import SessionMiddleware

from legacy_sample.app import accounts, buying
from legacy_sample.app.faults import Fault
from legacy_sample.app.storage import Storage, opened
from legacy_sample.app.webhooks import Webhook, is_moved

BODY_BYTES_MAX = 262_144
MOVED_MESSAGE = "Your credits have moved to the new system. Nothing was taken here."
router = APIRouter()
templates = Jinja2Templates(Path(__file__).parent / "templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one installation needs. ``stripe_api`` names another API than Stripe's own (a stand-in on this machine)."""

    database_url: str = field(repr=False)
    session_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    stripe_key: str = field(default="sk_test_legacy", repr=False)
    stripe_api: str | None = None
    faults: frozenset[Fault] = frozenset()


class SignIn(BaseModel):
    """Who wants in."""

    email: str


class Spend(BaseModel):
    """Use of a feature; ``ref`` is the caller's own name for it, kept in the history."""

    feature: str
    ref: str | None = None


class Undo(BaseModel):
    """The spend to give back."""

    transaction: int


class Buy(BaseModel):
    """The pack to buy."""

    pack: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    settings: Settings
    storage: Storage
    webhook: Webhook
    client: stripe.StripeClient


def parts_of(request: Request) -> Parts:
    """The application's parts, made when it started."""
    parts: Parts = request.app.state.parts
    return parts


def user_of(request: Request) -> int:
    """Who is signed in; 401 for nobody."""
    user = request.session.get("user")
    if user is None:
        raise HTTPException(401, "Sign in first.")
    return int(user)


Its = Annotated[Parts, Depends(parts_of)]
User = Annotated[int, Depends(user_of)]


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects when it starts. Raises LegacySampleError then for tables of another shape."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings.database_url) as storage:
            http = stripe.HTTPXClient()
            bases: Any = dict.fromkeys(("api", "files"), settings.stripe_api) if settings.stripe_api else {}
            client = stripe.StripeClient(settings.stripe_key, http_client=http, base_addresses=bases)
            webhook = Webhook(storage, settings.webhook_secret, settings.faults)
            app.state.parts = Parts(settings, storage, webhook, client)
            try:
                yield
            finally:
                await http.close_async()  # type: ignore[no-untyped-call]  # the SDK has no types here

    app = FastAPI(title="Legacy credits", lifespan=lifespan)
    app.add_middleware(SessionMiddleware, secret_key=settings.session_secret, same_site="lax")
    app.add_exception_handler(DBAPIError, _refused)
    app.include_router(router)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """The fence's refusal as a clear answer; any other database error is a 500."""
    if isinstance(error, DBAPIError) and is_moved(error):
        if "text/html" in request.headers.get("accept", ""):
            return templates.TemplateResponse(
                request, "moved.html", {"message": MOVED_MESSAGE}, status_code=409
            )
        return JSONResponse({"error": "moved", "message": MOVED_MESSAGE}, status_code=409)
    return JSONResponse({"error": "database", "message": "The database is in trouble."}, status_code=500)


@router.get("/", response_class=HTMLResponse)
async def front(request: Request) -> Response:
    """The sign-in form, or the balance of who is signed in."""
    if request.session.get("user") is not None:
        return RedirectResponse("/balance", 303)
    return templates.TemplateResponse(request, "sign_in.html")


@router.get("/balance", response_class=HTMLResponse)
async def balance_page(request: Request, its: Its, user: User) -> Response:
    """Balance, history, features and packs."""
    balance = await accounts.balance_of(its.storage, user, its.settings.faults)
    async with its.storage.sessions() as session:
        rows = await accounts.history_of(session, its.storage, user)
    context = {
        "user": user, "balance": balance, "rows": rows, "prices": accounts.PRICES, "packs": buying.PACKS,
    }  # fmt: skip
    return templates.TemplateResponse(request, "balance.html", context)


@router.get("/health")
async def health() -> dict[str, bool]:
    """For whoever waits for the start."""
    return {"ok": True}


@router.post("/api/login")
async def login(request: Request, its: Its, wanted: SignIn) -> dict[str, Any]:
    """Sign in by e-mail alone: the old tables hold no password, and a sample needs none."""
    async with its.storage.sessions() as session:
        row = await accounts.find_user(session, its.storage, wanted.email)
    if row is None:
        raise HTTPException(401, "Nobody has this e-mail.")
    request.session["user"] = row.id
    return {"user": row.id, "balance": row.credits_balance}


@router.get("/api/balance")
async def balance(its: Its, user: User) -> dict[str, int]:
    """The balance as a number."""
    return {"balance": await accounts.balance_of(its.storage, user, its.settings.faults)}


@router.post("/api/spend", response_model=None)
async def spend(its: Its, user: User, wanted: Spend) -> accounts.Booked | Response:
    """Use a feature."""
    try:
        return await accounts.spend(its.storage, user, wanted.feature, ref=wanted.ref)
    except accounts.UnknownError as error:
        raise HTTPException(404, str(error)) from error
    except accounts.TooFewError as error:
        told = {"error": "too few", "required": error.required, "available": error.available}
        return JSONResponse(told, status_code=402)


@router.post("/api/undo")
async def undo(its: Its, user: User, wanted: Undo) -> accounts.Booked:
    """Give back what a spend took, once."""
    try:
        return await accounts.undo(its.storage, user, wanted.transaction)
    except accounts.UnknownError as error:
        raise HTTPException(404, str(error)) from error


@router.post("/api/buy")
async def buy(request: Request, its: Its, user: User, wanted: Buy) -> buying.Started:
    """Begin a purchase; the buyer goes to ``url``."""
    try:
        return await buying.start(its.storage, its.client, user, wanted.pack, base=str(request.base_url)[:-1])
    except accounts.UnknownError as error:
        raise HTTPException(404, str(error)) from error
    except stripe.StripeError as error:
        raise HTTPException(502, "Stripe does not answer.") from error


@router.post("/webhooks/stripe")
async def webhook(request: Request, its: Its) -> Response:
    """Stripe's deliveries."""
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        return JSONResponse({"outcome": "too large"}, status_code=413)
    answer = await its.webhook.take(body, request.headers.get("stripe-signature", ""))
    return JSONResponse({"outcome": answer.outcome}, status_code=answer.status)
