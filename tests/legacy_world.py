"""The legacy application in a test: a customer's browser, and deliveries that the test hands over."""

from contextlib import asynccontextmanager

import httpx
import psycopg

import legacy_sample
from legacy_sample.app import Settings, create_app, faults_of

PAID = "checkout.session.completed"
HOOK = "http://legacy/webhooks/stripe"


class Site:
    """The application with a signed-in customer, and deliveries handed over by the test."""

    def __init__(self, client, twin, endpoint, connection):
        self.client, self.twin, self.endpoint, self.connection = client, twin, endpoint, connection

    async def sign_in(self, email="user1@example.com"):
        answer = await self.client.post("/api/login", json={"email": email})
        assert answer.status_code == 200, answer.text
        return answer.json()["user"]

    async def balance(self):
        return (await self.client.get("/api/balance")).json()["balance"]

    async def buy(self, pack="small", *, pay=True, **options):
        answer = await self.client.post("/api/buy", json={"pack": pack})
        assert answer.status_code == 200, answer.text
        session = answer.json()["session"]
        paid = self.twin.pay(session, **options) if pay else None
        return session, paid and paid["payment_intent"]

    def events(self, about, *types):
        return [e["id"] for e in self.twin.events() if e["type"] in types and about in str(e["data"])]

    async def deliver(self, *events):
        answers = []
        for event in events:
            signed = self.twin.delivery(event, self.endpoint["id"])
            answers.append(await self.client.post(HOOK, content=signed.body, headers=signed.headers))
        return [(answer.status_code, answer.json()["outcome"]) for answer in answers]

    async def kept(self, intent):
        """The dedupe rows of a payment's events."""
        query = "select 1 from processed_events where provider_event_id = any(%s)"
        return await (await self.connection.execute(query, [self.events(intent, PAID)])).fetchall()


@asynccontextmanager
async def running(url, twin, connect, faults="", wrap=lambda app: app):
    """The application on ``url``; ``wrap`` puts middleware around it."""
    endpoint = twin.add_endpoint(HOOK)
    app = create_app(
        Settings(
            database_url=url,
            session_secret="sample",  # noqa: S106
            webhook_secret=endpoint["secret"],
            stripe_api=twin.url,
            faults=faults_of(faults),
        )
    )
    connection = await connect(url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(wrap(app)), base_url="http://legacy") as client,
    ):
        yield Site(client, twin, endpoint, connection)


async def build_site(url, *, users=3, balance=100):
    """Tables of the production shape with so many customers, user1@example.com and so on."""
    await legacy_sample.build(url, shape="production", users=users, seed=1, clean=True)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "update users set email = 'user' || id || '@example.com', name = 'User ' || id, credits_balance = %s",
            [balance],
        )
