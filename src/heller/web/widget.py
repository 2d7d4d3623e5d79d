"""The balance as a widget on somebody else's page: one script tag with a signed token, from any origin.

The token is the right to read one account's available credits until it expires, and nothing else. The application
that embeds the widget asks for it with ``POST /v1/widget-tokens`` for the user it has signed in.
"""

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from itsdangerous import BadData, URLSafeSerializer

from heller.errors import HellerError, UnknownAccount
from heller.web import pages, problems
from heller.web.assets import Assets
from heller.web.problems import HttpError, TooLarge, Unauthenticated
from heller.web.wiring import wiring_of

SALT = "heller.widget.balance"
TOKEN_BYTES_MAX = 1_000
# Any page may ask: what answers is the token in the body, never a cookie.
ANYWHERE = {"Access-Control-Allow-Origin": "*"}
SCRIPT_SECONDS = 3600

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a token lets its bearer see."""

    account: str
    unit: str


def sign(secret: str, account: str, unit: str, *, seconds: int) -> str:
    """A token for one account's balance, for so many seconds."""
    until = int(time.time()) + seconds
    return str(URLSafeSerializer(secret, salt=SALT).dumps([account, unit, until]))


def read(secret: str, token: str) -> Sight:
    """What a token is for.

    Raises:
        Unauthenticated: it is not ours, or its time is over.
    """
    try:
        account, unit, until = URLSafeSerializer(secret, salt=SALT).loads(token)
    except (BadData, ValueError, TypeError):
        raise Unauthenticated(
            "This is no token of ours.", hint="Ask for one with POST /v1/widget-tokens."
        ) from None
    if until <= time.time():
        raise Unauthenticated("The token has expired.", hint="Load the page that embeds it again.")
    return Sight(account, unit)


@router.get("/widget.js")
async def script(request: Request) -> Response:
    """The script: its address stays, so browsers ask for it again after an hour."""
    response = await Assets().get_response("widget.js", request.scope)
    response.headers["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@router.post("/widget/balance")
async def balance(request: Request, lang: Annotated[str, Query(max_length=10)] = "") -> Response:
    """What the token in the body lets see, in the reader's language. Plain text, so that browsers ask nothing beforehand."""
    del lang  # read by pages.language
    try:
        return JSONResponse(await _balance(request), headers=ANYWHERE)
    except (HttpError, UnknownAccount) as error:
        return _refused(request, error)


async def _balance(request: Request) -> dict[str, Any]:
    wiring = wiring_of(request)
    body = await request.body()
    if len(body) > TOKEN_BYTES_MAX:
        raise TooLarge(f"A token has at most {TOKEN_BYTES_MAX} bytes.")
    sight = read(wiring.settings.session_secret, body.decode("utf-8", "replace").strip())
    account = await wiring.heller.balance(sight.account, unit=sight.unit)
    _ = pages.translator(request)
    return {
        "available": account.available,
        "text": pages.formats(request).number(account.available),
        "label": _("credits available"),
        "buy": f"{wiring.settings.address}/portal/buy" if wiring.stripe else None,
        "buy_label": _("Buy more"),
    }


def _refused(request: Request, error: HellerError) -> Response:
    response = problems.answer(error, request_id=request.state.request_id)
    response.headers.update(ANYWHERE)
    return response
