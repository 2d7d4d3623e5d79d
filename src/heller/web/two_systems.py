"""While a legacy system lives beside: operations over HTTP are observed, and webhooks go on to whoever is at home there."""

import re

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from heller.rollout.gateway import RelayingIngest
from heller.rollout.observing import ObservingMiddleware, Operation
from heller.stripe import WebhookApp
from heller.stripe.ingest import Ingest
from heller.web.settings import WebSettings
from heller.web.wiring import Wiring

_OPERATION = re.compile(
    r"^/v1/(?:accounts/(?P<account>[^/]+)/(?P<verb>spend|refund|holds|grants|checkout|orders)|(?P<webhook>webhooks/stripe))$"
)
_KINDS = {
    "spend": "spend",
    "holds": "spend",
    "refund": "refund",
    "grants": "grant",
    "checkout": "purchase",
    "orders": "purchase",
}


class Observed:
    """Records what became of each operation, where there is a legacy system and so a rollout to judge."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        wiring: Wiring | None = (
            getattr(scope["app"].state, "wiring", None) if scope["type"] == "http" else None
        )
        app: ASGIApp = self.app
        if wiring is not None and wiring.legacy_url is not None:
            app = ObservingMiddleware(app, database=wiring.database, arm="heller", operation_of=operation_of)
        await app(scope, receive, send)


def operation_of(scope: Scope) -> Operation | None:
    """What a request is about: a POST to one of the verbs. Under a key it is the same operation as the facade's."""
    found = _OPERATION.match(scope["path"]) if scope["method"] == "POST" else None
    if found is None:
        return None
    if found["webhook"]:
        return Operation("webhook")
    what = _KINDS[found["verb"]]
    key = dict(scope["headers"]).get(b"idempotency-key", b"").decode("latin-1")
    return Operation(
        what, account=found["account"], operation=f"{what}:{found['account']}:{key}" if key else None
    )


def webhook_app(wiring: Wiring, ingest: Ingest, client: httpx.AsyncClient) -> WebhookApp:
    """The endpoint; with HELLER_LEGACY_WEBHOOK_URL it is the gateway for both systems."""
    settings: WebSettings = wiring.settings
    if not settings.legacy_webhook_url:
        return WebhookApp(ingest)
    return WebhookApp(
        RelayingIngest(
            ingest,
            database=wiring.database,
            client=client,
            legacy_url=settings.legacy_webhook_url,
            legacy_secret=settings.legacy_webhook_secret.get_secret_value(),
        )
    )
