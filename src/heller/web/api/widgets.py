"""Tokens for the balance widget."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from heller.web import widget
from heller.web.api import models
from heller.web.api.answers import BODY, READ, WidgetToken, responses
from heller.web.api.caller import Caller, answer, reads

router = APIRouter(tags=["buying"])


@router.post("/widget-tokens", status_code=201, response_model=WidgetToken, responses=responses(*BODY, *READ))
async def make_widget_token(
    body: models.MakeWidgetToken, caller: Annotated[Caller, reads("portal:write")]
) -> Response:
    """A token with which `widget.js` shows one account's available credits on a page of yours, and nothing else."""
    account = await caller.wiring.heller.balance(body.account, unit=body.unit)
    until = datetime.now(UTC) + timedelta(seconds=body.seconds)
    token = widget.sign(
        caller.wiring.settings.session_secret, account.account, account.unit, seconds=body.seconds
    )
    url = f"{caller.wiring.settings.address}/widget.js"
    result = WidgetToken(
        account=account.account, unit=account.unit, token=token, script=url, expires_at=until.isoformat()
    )
    return answer(result, status=201)
