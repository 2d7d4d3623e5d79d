"""The receiving end as a process of its own: ``stripe_web.py DATABASE_URL PORT HANG``; settings from the environment.

``HANG`` is ``no``, or ``commit`` to hang after the event is stored and before the answer.
POST /webhooks/stripe takes deliveries, GET /back?session_id=... is the success page.
"""

import asyncio
import contextlib
import sys
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from heller.database import Database
from heller.errors import HellerError
from heller.stripe import StripeApi, WebhookApp, confirm, load
from heller.stripe.ingest import Ingest, opened


class HangingIngest(Ingest):
    async def _store(self, *arguments: Any) -> Any:
        await super()._store(*arguments)
        sys.stdout.write("stored\n")
        sys.stdout.flush()
        await asyncio.sleep(3600)
        raise AssertionError


async def serve(url: str, port: int, hang: str) -> None:
    settings = load()
    api = StripeApi(settings)
    database = await Database.open(url, pool_max=4)
    async with opened(url, settings) as ingest:
        webhook = WebhookApp(ingest)
        if hang == "commit":
            ingest.__class__ = HangingIngest

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return
            if scope["path"] == "/webhooks/stripe":
                await webhook(scope, receive, send)
                return
            session = parse_qs(scope["query_string"].decode())["session_id"][0]
            with contextlib.suppress(HellerError, Exception):
                await confirm(database, api, session)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"thank you"})

        await uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off", ws="none")
        ).serve()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
