"""Charging for the requests of another application: dependencies for FastAPI, a middleware for ASGI."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, File, Header, HTTPException, Request, UploadFile
from pydantic import BaseModel

from heller import Heller, Transaction
from heller.fastapi import CreditsMiddleware, Reserved, answer_problems, charge, reserve


@pytest.fixture
async def ledger(heller_database):
    async with Heller.connect(heller_database, pool_max=2) as heller:
        await heller.open_account("anna")
        await heller.grant("anna", 25)
        yield heller


def shop(ledger: Heller) -> FastAPI:
    app = FastAPI()
    answer_problems(app)
    app.state.works = True

    def account(x_user: Annotated[str, Header()]) -> str:
        return x_user

    paid = {"heller": lambda: ledger, "account": account}

    @app.post("/analyses")
    async def analyse(
        charged: Annotated[Transaction, Depends(charge(10, "job analysis", **paid))],
    ) -> dict[str, int]:
        if not app.state.works:
            raise HTTPException(500, "no answer of the model")
        return {"balance": charged.balance_after}

    @app.post("/resumes")
    async def improve(
        hold: Annotated[Reserved, Depends(reserve(15, "resume improvement", **paid), scope="function")],
    ) -> None:
        if not app.state.works:
            raise HTTPException(500, "no answer of the model")
        await hold.capture(12)

    return app


def client(app, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://shop", headers={"x-user": "anna", **headers}
    )


async def test_a_route_is_charged_once_and_refused_without_credits(ledger) -> None:
    buyer = client(shop(ledger))
    assert (await buyer.post("/analyses", headers={"idempotency-key": "1"})).json() == {"balance": 15}
    assert (await buyer.post("/analyses", headers={"idempotency-key": "1"})).json() == {"balance": 15}
    assert (await buyer.post("/analyses")).json() == {"balance": 5}
    refused = await buyer.post("/analyses")
    assert (refused.status_code, refused.json()["required"], refused.json()["available"]) == (402, 10, 5)
    assert (await client(shop(ledger), **{"x-user": "nobody"}).post("/analyses")).status_code == 404
    assert (await ledger.balance("anna")).posted == 5


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize("path", ["/analyses", "/resumes", "/work"])
async def test_a_blank_key_is_refused_for_it_would_make_all_requests_one(ledger, path, blank) -> None:
    app = CreditsMiddleware(
        shop(ledger),
        heller=lambda _: ledger,
        account_of=lambda _: "anna",
        price_of=lambda scope: (5, "work") if scope["path"] == "/work" else None,
    )
    buyer = client(app, **{"idempotency-key": blank})
    for job in (1, 1, 2):
        refused = await buyer.post(path, json={"job": job})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_argument")
        assert (refused.json()["argument"], "is empty" in refused.json()["detail"]) == (
            "idempotency-key",
            True,
        )
    account = await ledger.balance("anna")
    assert (account.posted, account.held) == (25, 0)


async def test_long_keys_that_begin_alike_are_two_requests(ledger) -> None:
    buyer = client(shop(ledger))
    for end, balance in (("a", 15), ("b", 5), ("a", 15)):
        answer = await buyer.post("/analyses", headers={"idempotency-key": "k" * 220 + end})
        assert answer.json() == {"balance": balance}


@pytest.mark.parametrize("path", ["/analyses", "/resumes"])
async def test_one_key_pays_for_one_request_alone(ledger, path) -> None:
    buyer = client(shop(ledger), **{"idempotency-key": "one"})
    forms = [{"files": {"cv": ("cv.txt", content)}} for content in ("mine", "another's")]
    for sent in ({"json": {"job": 1}}, *forms, {"content": b"x" * 1_048_577}):
        same = {"headers": {"idempotency-key": f"key of {path} and {sent!r:.60}"}}
        await ledger.grant("anna", 30)
        before = (await ledger.balance("anna")).posted
        for _ in range(2):  # each sending of a form has a boundary of its own
            assert (await buyer.post(path, **sent, **same)).status_code == 200
        other = await buyer.post(path, json={"job": 2}, **same)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
        assert (await buyer.post(path, params={"all": "yes"}, **sent, **same)).status_code == 409
        account = await ledger.balance("anna")
        assert (before - account.posted, account.held) == ({"/analyses": 10, "/resumes": 12}[path], 0)


class Job(BaseModel):
    job: int


def reading_shop(ledger: Heller) -> FastAPI:
    """Routes that look at what is sent, each in its way."""
    app = FastAPI()
    answer_problems(app)
    app.state.read = []
    paid = charge(5, "work", heller=lambda: ledger, account=lambda: "anna")
    held = reserve(5, "work", heller=lambda: ledger, account=lambda: "anna")

    @app.post("/jobs", dependencies=[Depends(paid)])
    async def declared(job: Job) -> int:
        return job.job

    @app.post("/raw", dependencies=[Depends(paid)])
    async def by_itself(request: Request) -> int:
        return int((await request.json())["job"])

    @app.post("/files")
    async def file(
        cv: Annotated[UploadFile, File()],
        tasks: BackgroundTasks,
        _hold: Annotated[Reserved, Depends(held, scope="function")],
    ) -> None:
        async def later() -> None:
            app.state.read.append(await cv.read())

        tasks.add_task(later)

    return app


async def in_parts(content: bytes) -> AsyncIterator[bytes]:
    yield content


JSON, CURL, NO_FORM = "application/json", "application/x-www-form-urlencoded", "multipart/form-datax"


@pytest.mark.parametrize(
    ("path", "type_of_content", "sent"),
    [
        ("/jobs", JSON, in_parts),  # of no stated length
        ("/jobs", JSON, lambda content: content + b" " * 1_100_000),
        ("/raw", JSON, bytes),
        ("/raw", CURL, bytes),  # what curl says of any data
        ("/raw", NO_FORM, bytes),
    ],
)
async def test_whatever_a_body_says_it_is_another_needs_another_key(
    ledger, path: str, type_of_content: str, sent: Any
) -> None:
    buyer = client(reading_shop(ledger), **{"idempotency-key": "1", "content-type": type_of_content})
    for body, status in ((b'{"job":1}', 200), (b'{"job":1}', 200), (b'{"job":2}', 409)):
        assert (await buyer.post(path, content=sent(body))).status_code == status
    assert (await ledger.balance("anna")).posted == 20


async def test_a_file_stays_open_for_what_runs_after_the_answer(ledger) -> None:
    app = reading_shop(ledger)
    form = b'--x\r\nContent-Disposition: form-data; name="cv"; filename="a"\r\n\r\nmine\r\n--x--\r\n'
    said = {"idempotency-key": "1", "content-type": "Multipart/Form-Data; boundary=x"}
    assert (await client(app).post("/files", content=form, headers=said)).status_code == 200
    assert app.state.read == [b"mine"]


@pytest.mark.parametrize(("path", "rest"), [("/analyses", 15), ("/resumes", 13)])
async def test_a_request_that_fails_costs_nothing_and_its_repeat_is_paid(ledger, path, rest) -> None:
    app = shop(ledger)
    buyer = client(app, **{"idempotency-key": "one"})
    app.state.works = False
    for _ in range(2):
        assert (await buyer.post(path)).status_code == 500
        account = await ledger.balance("anna")
        assert (account.posted, account.held) == (25, 0)
    app.state.works = True
    for _ in range(2):
        assert (await buyer.post(path)).status_code == 200
        account = await ledger.balance("anna")
        assert (account.posted, account.held) == (rest, 0), "a repeat of what was done is not charged again"


class Prompt(BaseModel):
    model: str
    pages: int


PER_PAGE = {"small": 0, "large": 4}


async def price(prompt: Prompt, x_plan: Annotated[str, Header()] = "") -> int | None:
    """What a request costs: by its body, and nothing for our own people."""
    return None if x_plan == "staff" else PER_PAGE[prompt.model] * prompt.pages


async def test_a_price_is_worked_out_from_the_request(ledger) -> None:
    app = shop(ledger)
    paid = {"heller": lambda: ledger, "account": lambda: "anna"}

    @app.post("/prompts")
    async def answered(
        prompt: Prompt, charged: Annotated[Transaction | None, Depends(charge(price, "prompt", **paid))]
    ) -> dict[str, int | None]:
        return {"pages": prompt.pages, "took": charged.delta if charged else None}

    @app.post("/drafts")
    async def drafted(
        prompt: Prompt,
        hold: Annotated[Reserved | None, Depends(reserve(price, "draft", **paid), scope="function")],
    ) -> int | None:
        return hold.state.amount if hold else None

    buyer = client(app)
    sent = {"model": "large", "pages": 3}
    once = {"idempotency-key": "1"}
    for _ in range(2):
        answer = await buyer.post("/prompts", json=sent, headers=once)
        assert (answer.status_code, answer.json()) == (200, {"pages": 3, "took": -12})
    changed = await buyer.post("/prompts", json=sent | {"pages": 2}, headers=once)
    assert (changed.status_code, changed.json()["code"]) == (409, "idempotency_conflict")
    assert "amount" in changed.text, "the price is part of the intent, and the answer names it"
    free = await buyer.post("/prompts", json=sent | {"model": "small"})
    assert (free.status_code, free.json()["took"]) == (200, None)
    ours = await buyer.post("/prompts", json=sent | {"pages": 99}, headers={"x-plan": "staff"})
    assert (ours.status_code, ours.json()["took"]) == (200, None)
    assert (await buyer.post("/prompts", json=sent | {"pages": 99})).status_code == 402
    assert (await buyer.post("/prompts", json=sent | {"pages": -1})).status_code == 422, "a price below zero"
    assert (await ledger.balance("anna")).posted == 13
    assert (await buyer.post("/drafts", json=sent)).json() == 12
    assert (await buyer.post("/drafts", json=sent | {"model": "small"})).json() is None
    account = await ledger.balance("anna")
    assert (account.posted, account.held) == (1, 0)


async def test_the_middleware_charges_for_answers_that_succeed(ledger) -> None:
    app = FastAPI()
    app.state.status = 200

    @app.post("/work/{kind}")
    async def work(kind: str) -> None:
        if app.state.status != 200:
            raise HTTPException(app.state.status)
        if kind == "crash":
            raise RuntimeError

    def price(scope):
        return (10, "work") if scope["path"].startswith("/work") else None

    def payer(scope):
        return dict(scope["headers"]).get(b"x-user", b"").decode() or None

    wrapped = CreditsMiddleware(app, heller=lambda _scope: ledger, account_of=payer, price_of=price)
    buyer = client(wrapped)
    assert (await buyer.post("/work/a", headers={"idempotency-key": "1"})).status_code == 200
    assert (await buyer.post("/work/a", headers={"idempotency-key": "1"})).status_code == 200
    app.state.status = 409
    assert (await buyer.post("/work/a")).status_code == 409
    app.state.status = 200
    assert (await buyer.post("/work/crash")).status_code == 500
    assert (await buyer.get("/nothing")).status_code == 404
    account = await ledger.balance("anna")
    assert (account.posted, account.held) == (15, 0)
    await buyer.post("/work/b")
    refused = await buyer.post("/work/b")
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    anonymous = httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://shop")
    assert (await anonymous.post("/work/b")).status_code == 200, "nobody pays: the application decides"


async def test_the_middleware_binds_a_key_to_the_body_and_leaves_it_to_the_application(ledger) -> None:
    app = FastAPI()

    @app.post("/work")
    async def work(request: Request) -> str:
        async with request.form() as form:
            file = form["cv"]
            return file if isinstance(file, str) else (await file.read()).decode()

    wrapped = CreditsMiddleware(
        app, heller=lambda _: ledger, account_of=lambda _: "anna", price_of=lambda _: (5, "w")
    )
    buyer = client(wrapped, **{"idempotency-key": "1"})
    for content, status in (("mine", 200), ("mine", 200), ("another's", 409)):
        answer = await buyer.post("/work", files={"cv": ("cv.txt", content)})
        assert answer.status_code == status
        assert status != 200 or answer.json() == content
    broken = {"idempotency-key": "2", "content-type": "multipart/form-data"}
    assert (await buyer.post("/work", content=b"--", headers=broken)).status_code == 400
    assert (await ledger.balance("anna")).posted == 20


async def test_the_short_form_takes_ledger_and_account_from_the_application(ledger) -> None:
    app = FastAPI()
    answer_problems(app)

    @app.middleware("http")
    async def signed_in(request, call_next):
        request.state.account = request.headers.get("x-user")
        return await call_next(request)

    @app.post("/analyses")
    async def analyse(paid: Annotated[Transaction, Depends(charge(10, "job analysis"))]) -> int:
        return paid.balance_after

    assert (await client(app).post("/analyses")).status_code == 500, "no ledger was set"
    app.state.heller = ledger
    assert (await client(app).post("/analyses")).json() == 15
    assert (await client(app, **{"x-user": ""}).post("/analyses")).status_code == 401
