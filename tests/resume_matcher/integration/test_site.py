"""The pages and the API in this process, over ASGI."""

import asyncio
import io
import os
from contextlib import asynccontextmanager
from uuid import uuid4

import docx
import httpx
import pytest
import pytest_asyncio
from pypdf import PdfReader

import resume_papers as papers
from heller.web import keys
from heller.web.principal import Role
from resume_matcher.web.site import create_site

pytestmark = pytest.mark.asyncio(loop_scope="session")
BASE = "http://127.0.0.1:8000"


class Site:
    """The running site; ``sign_in`` gives a client with a session, ``bearer`` one with an API key."""

    def __init__(self, app):
        self.app = app
        self.credits = app.ours.state.wiring.heller

    def client(self, **headers):
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 40_000))
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers, follow_redirects=True)

    async def sign_in(self, user, credits=0):
        client = self.client()
        token = _token((await client.get("/sign-in?next=/matcher")).text)
        data = {"role": "customer", "user": user, "next": "/matcher", "csrf": token}
        page = await client.post("/sign-in/development", data=data)
        assert page.url.path == "/matcher"
        client.headers["X-CSRF-Token"] = _token((await client.get("/matcher/resumes")).text)
        if credits:
            await self.credits.grant(user, credits, source="purchase")
        return client

    async def key(self, *scopes):
        async with self.app.ours.state.wiring.database.connection() as connection:
            made = await keys.create(connection, "test", role=Role.operator, actor="tests", scopes=scopes)
        return made.secret


def _token(page):
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]


@asynccontextmanager
async def _environment(**values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(matcher_database):
    values = {
        "DATABASE_URL": matcher_database,
        "HELLER_DEVELOPMENT_SIGN_IN": "1",
        "RESUME_MATCHER_WORK_PROCESSES": "1",
    }
    async with _environment(**values):
        app = create_site()
    async with app.ours.router.lifespan_context(app.ours):
        yield Site(app)


async def finished(client, order):
    for _ in range(1_000):
        found = (await client.get(f"/matcher/v1/orders/{order}")).json()
        if found["finished"]:
            return found["analyses"]
        await asyncio.sleep(0.02)
    raise AssertionError(found)


async def test_the_front_page_and_the_sample_are_for_everybody(site):
    client = site.client()
    front = await client.get("/")
    assert "Know how well your resume fits" in front.text
    assert front.headers["content-security-policy"].startswith("default-src 'self'")
    sample = await client.get("/matcher/sample", params={"lang": "de"})
    assert "Was am meisten helfen würde" in sample.text
    assert (await client.get("/matcher/static/matcher.css")).status_code == 200
    assert (await client.get("/matcher")).url.path == "/sign-in"
    assert (await client.get("/matcherly")).status_code == 404


async def test_the_api_from_a_file_to_a_result(site):
    client = await site.sign_in("api-user", 100)
    file = {"file": ("lebenslauf.pdf", papers.pdf(papers.GERMAN), "application/pdf")}
    resume = (await client.post("/matcher/v1/resumes/file", files=file)).raise_for_status().json()
    assert resume["content"]["basics"]["name"] == "Jana Köhler"
    order = str(uuid4())
    body = {"resume": resume["id"], "kind": "improvement", "jobs": [{"text": papers.JOB}], "order": order}
    first = await client.post("/matcher/v1/analyses", json=body)
    again = await client.post("/matcher/v1/analyses", json=body)
    assert first.status_code == again.status_code == 202
    (analysis,) = await finished(client, order)
    assert (analysis["state"], analysis["credits_used"]) == ("done", 15)
    assert 0 <= analysis["match_score"] <= 100
    full = (await client.get(f"/matcher/v1/analyses/{analysis['id']}")).json()
    assert full["result"]["suggestions"]
    assert (await site.credits.balance("api-user")).posted == 85
    assert [one["id"] for one in (await client.get("/matcher/v1/analyses")).json()] == [analysis["id"]]
    assert (await client.get("/matcher/v1/prices")).json() == {"match": 5, "analysis": 10, "improvement": 15}


async def test_every_kind_and_every_end_has_its_page(site):
    client = await site.sign_in("looker", 100)
    resume = (await client.post("/matcher/v1/resumes", json={"text": papers.GERMAN})).json()
    for kind, job, shown in (
        ("match", papers.JOB, "Terraform"),
        ("analysis", papers.JOB, "What would raise the score most"),
        ("improvement", papers.JOB, "What to change in the resume"),
        ("analysis", "Nothing to see", "The text asks for nothing that could be compared."),
    ):
        body = {"resume": resume["id"], "kind": kind, "jobs": [{"text": job}]}
        order = (await client.post("/matcher/v1/analyses", json=body)).json()["order"]
        (analysis,) = await finished(client, order)
        page = await client.get(f"/matcher/analyses/{analysis['id']}")
        assert (page.status_code, shown in page.text) == (200, True), kind
        assert (await client.get(f"/matcher/orders/{order}")).status_code == 200
        if analysis["state"] == "done":
            assert (await client.get(f"/matcher/analyses/{analysis['id']}.pdf")).content.startswith(b"%PDF")
    for path in ("", "/history", "/resumes", f"/resumes/{resume['id']}", "/applications", "/new"):
        assert (await client.get(f"/matcher{path}")).status_code == 200, path
    assert (await site.credits.balance("looker")).posted == 70


async def test_a_result_goes_along_as_pdf_and_docx(site):
    client = await site.sign_in("taker", 10)
    text = papers.ENGLISH.replace("Acme Inc.", "Łódź Ærø Żółw €")
    resume = (await client.post("/matcher/v1/resumes", json={"text": text})).json()
    body = {"resume": resume["id"], "jobs": [{"text": papers.JOB, "title": "Düsseldorf & Søn <b>"}]}
    order = (await client.post("/matcher/v1/analyses", json=body)).json()["order"]
    (analysis,) = await finished(client, order)
    pdf = await client.get(f"/matcher/analyses/{analysis['id']}.pdf", params={"lang": "de"})
    assert pdf.headers["content-type"] == "application/pdf"
    words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert "Düsseldorf & Søn <b>" in words
    assert "Beleg im Lebenslauf" in words
    word = await client.get(f"/matcher/v1/analyses/{analysis['id']}/file.docx")
    document = docx.Document(io.BytesIO(word.content))
    assert any(
        "Terraform" in cell.text for table in document.tables for row in table.rows for cell in row.cells
    )
    assert (await client.get(f"/matcher/v1/analyses/{analysis['id']}/file.exe")).status_code == 422


async def test_nobody_sees_what_is_somebody_elses(site):
    owner, stranger = await site.sign_in("owner", 10), await site.sign_in("other", 10)
    resume = (await owner.post("/matcher/v1/resumes", json={"text": papers.ENGLISH})).json()
    body = {"resume": resume["id"], "kind": "match", "jobs": [{"text": papers.JOB}]}
    order = (await owner.post("/matcher/v1/analyses", json=body)).json()["order"]
    (analysis,) = await finished(owner, order)
    followed = (await owner.post("/matcher/v1/applications", json={"analysis": analysis["id"]})).json()
    assert followed["title"] == "Senior Backend-Entwickler (m/w/d)"
    for method, path in (
        ("GET", f"/matcher/v1/resumes/{resume['id']}"),
        ("DELETE", f"/matcher/v1/resumes/{resume['id']}"),
        ("GET", f"/matcher/v1/orders/{order}"),
        ("GET", f"/matcher/v1/analyses/{analysis['id']}"),
        ("GET", f"/matcher/analyses/{analysis['id']}"),
        ("GET", f"/matcher/analyses/{analysis['id']}.pdf"),
        ("GET", f"/matcher/resumes/{resume['id']}"),
        ("PATCH", f"/matcher/v1/applications/{followed['id']}"),
        ("DELETE", f"/matcher/v1/applications/{followed['id']}"),
    ):
        options = {"json": {"state": "offer"}} if method == "PATCH" else {}
        assert (await stranger.request(method, path, **options)).status_code == 404, path
    assert (await stranger.post("/matcher/v1/analyses", json=body)).status_code == 404
    changed = await owner.patch(
        f"/matcher/v1/applications/{followed['id']}", json={"state": "interview", "note": "Tuesday"}
    )
    assert (changed.json()["state"], changed.json()["note"]) == ("interview", "Tuesday")
    assert (
        await owner.patch(f"/matcher/v1/applications/{followed['id']}", json={"state": "hired"})
    ).status_code == 422
    assert (await owner.delete(f"/matcher/v1/resumes/{resume['id']}")).status_code == 204
    (left,) = (await owner.get("/matcher/v1/applications")).json()
    assert left["analysis"] is None


async def test_who_may_call(site):
    nobody = site.client()
    assert (await nobody.get("/matcher/v1/resumes")).status_code == 401
    client = await site.sign_in("careful")
    token = client.headers.pop("X-CSRF-Token")
    assert (await client.post("/matcher/v1/resumes", json={"text": papers.ENGLISH})).status_code == 403
    assert (await client.post("/matcher/resumes", data={"text": papers.ENGLISH})).status_code == 403
    client.headers["X-CSRF-Token"] = token
    program = site.client(authorization=f"Bearer {await site.key('credits:spend')}")
    assert (await program.get("/matcher/v1/resumes")).status_code == 403
    program.headers["X-Act-For"] = "careful"
    made = await program.post("/matcher/v1/resumes", json={"text": papers.ENGLISH})
    assert made.status_code == 201
    assert [one["id"] for one in (await client.get("/matcher/v1/resumes")).json()] == [made.json()["id"]]
    weak = site.client(authorization=f"Bearer {await site.key('credits:read')}")
    weak.headers["X-Act-For"] = "careful"
    assert (await weak.get("/matcher/v1/resumes")).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("resumes", {"text": "I cook"}, 422, "unreadable_document"),
        ("resumes", {"txt": papers.ENGLISH}, 422, "invalid_argument"),
        ("analyses", {"resume": str(uuid4()), "jobs": [{"text": papers.JOB}]}, 404, "not_found"),
        ("analyses", {"resume": str(uuid4()), "jobs": []}, 422, "invalid_argument"),
        ("analyses", {"resume": "x", "jobs": [{"text": "x"}]}, 422, "invalid_argument"),
        (
            "analyses",
            {"resume": str(uuid4()), "kind": "magic", "jobs": [{"text": "x"}]},
            422,
            "invalid_input",
        ),
        ("applications", {"title": " "}, 422, "invalid_input"),
    ],
)
async def test_bad_input_is_a_problem(site, path, body, status, code):
    client = await site.sign_in("clumsy", 10)
    answer = await client.post(f"/matcher/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    await site.credits.spend("clumsy", 10)


async def test_what_no_database_can_hold_is_left_out(site):
    client = await site.sign_in("odd", 10)
    odd = "A\x00B"
    resume = await client.post("/matcher/v1/resumes", json={"text": papers.ENGLISH + odd, "title": odd})
    assert (resume.status_code, resume.json()["title"]) == (201, "AB")
    job = {"text": papers.JOB + odd, "title": odd}
    body = {"resume": resume.json()["id"], "kind": "match", "jobs": [job]}
    order = (await client.post("/matcher/v1/analyses", json=body)).json()["order"]
    (analysis,) = await finished(client, order)
    assert (analysis["state"], analysis["job_title"]) == ("done", "AB")
    followed = await client.post("/matcher/v1/applications", json={"title": odd, "company": odd, "note": odd})
    assert [followed.json()[name] for name in ("title", "company", "note")] == ["AB"] * 3
    half = await client.post(
        "/matcher/v1/applications",
        content=b'{"title": "\\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert half.status_code == 422


async def test_fifty_megabytes_and_too_few_credits_are_refused(site):
    client = await site.sign_in("heavy", 4)
    huge = await client.post(
        "/matcher/v1/resumes/file", files={"file": ("a.pdf", b"%PDF-" + b"0" * 50_000_000)}
    )
    assert huge.status_code == 413
    page = await client.post(
        "/matcher/resumes",
        files={"file": ("a.pdf", b"%PDF-" + b"0" * 13_000_000)},
        headers={"accept": "text/html"},
    )
    assert (page.status_code, "That is too large" in page.text) == (413, True)
    large = await client.post(
        "/matcher/resumes", files={"file": ("a.pdf", b"%PDF-" + b"0" * 11_000_000)}, params={"lang": "de"}
    )
    assert (large.status_code, "Für einen Lebenslauf ist die Datei zu groß." in large.text) == (422, True)
    bomb = await client.post("/matcher/v1/resumes/file", files={"file": ("a.docx", papers.zip_bomb(70))})
    assert (bomb.status_code, bomb.json()["code"]) == (422, "unreadable_document")
    resume = (await client.post("/matcher/v1/resumes", json={"text": papers.ENGLISH})).json()
    body = {"resume": resume["id"], "kind": "match", "jobs": [{"text": papers.JOB}]}
    short = await client.post("/matcher/v1/analyses", json=body)
    assert (short.status_code, short.json()["required"], short.json()["available"]) == (402, 5, 4)
    assert short.json()["top_up"].endswith("/portal/buy")
    assert (await site.credits.balance("heavy")).held == 0
