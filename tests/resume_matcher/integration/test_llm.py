"""An improvement with a language model, over real HTTP: worded when it answers, made without it when it does not."""

import importlib.util
import json
import os
import sys

import httpx
import pytest
import pytest_asyncio

import resume_papers as papers
from fakes import litellm as stand_in
from fakes.llm import Model
from heller.errors import SettingsError
from resume_matcher.analyses import Analyses, JobText
from resume_matcher.llm import LanguageModel
from resume_matcher.web.site import create_site

pytestmark = pytest.mark.asyncio(loop_scope="session")
JOB = JobText(papers.JOB)
QUOTE = "Kubernetes-Cluster betreut und um 40 % günstiger gemacht"
LINE = "Kubernetes-Cluster mit Docker betreut, 40 % günstiger"


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch, Model.running() as running:
        if importlib.util.find_spec("litellm") is None:
            patch.setitem(sys.modules, "litellm", stand_in)
        patch.setenv("OPENAI_BASE_URL", running.url)
        patch.setenv("OPENAI_API_KEY", "a-key")
        yield running


@pytest.fixture(scope="module")
def llm(model):
    return LanguageModel("openai/small", seconds_max=20)


def good(request):
    asked = json.loads(request["messages"][-1]["content"])["suggestions"]
    number = {item["asked"]: item["number"] for item in asked}
    lines = [
        (number["Docker"], LINE),
        (number["Terraform"], "Terraform seit 1999"),
        (number["Terraform"], LINE),
    ]
    return json.dumps({"lines": [{"number": n, "line": line, "quote": QUOTE} for n, line in lines]})


async def improved(world, llm, name, kind="improvement"):
    person = await world.person(name)
    resume = await world.resume(person)
    analyses = Analyses(world.sessions, world.workshop, hold_seconds=60, size=2, llm=llm)
    (done,) = await world.finished(
        person, await analyses.order(person, resume_id=resume.id, kind=kind, jobs=[JOB])
    )
    await analyses.settle()
    assert done.state == "done"
    return done


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def without(world):
    return (await improved(world, None, "llm-without")).result


async def test_lines_are_worded_and_the_score_is_the_same(world, model, llm, without):
    model.scenario = good
    done = await improved(world, llm, "llm-good")
    assert done.result["llm"] == {"model": "openai/small", "reason": ""}
    assert [item["line"] for item in done.result["suggestions"] if "line" in item] == [LINE]
    assert done.credits_used == 15
    for part in ("score", "requirements", "gains", "confidence"):
        assert done.result[part] == without[part]
    sent = model.requests[-1]
    assert (sent["path"], sent["key"], sent["model"]) == ("/v1/chat/completions", "Bearer a-key", "small")
    assert "Köhler" not in json.dumps(sent, ensure_ascii=False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: 500, "llm_failed"),
        (lambda _: "Gladly! Here are some ideas.", "llm_shape"),
        (lambda _: " ".join(map(str, range(20_000))), "llm_too_long"),
        (lambda _: None, "llm_time"),
    ],
    ids=["refused", "talk", "flood", "silence"],
)
async def test_whatever_goes_wrong_the_suggestions_stand(world, model, llm, without, answer, reason, monkeypatch):  # fmt: skip
    model.scenario = answer
    monkeypatch.setattr(llm, "_seconds_max", 0.5 if reason == "llm_time" else 20)
    done = await improved(world, llm, f"llm-{reason}")
    assert done.result["llm"] == {"model": "openai/small", "reason": reason}
    assert done.result["suggestions"] == without["suggestions"]
    assert (done.match_score, done.credits_used) == (without["score"], 15)


async def test_nothing_is_sent_for_other_kinds_or_without_a_model(world, model, llm):
    before = len(model.requests)
    assert "llm" not in (await improved(world, llm, "llm-analysis", "analysis")).result
    assert "llm" not in (await improved(world, llm, "llm-match", "match")).result
    assert "llm" not in (await improved(world, None, "llm-none")).result
    assert len(model.requests) == before


async def test_pages_say_which_model_reads_and_what_came_of_it(matcher_database, model, monkeypatch):
    for name, value in {
        "DATABASE_URL": matcher_database,
        "HELLER_DEVELOPMENT_SIGN_IN": "1",
        "RESUME_MATCHER_WORK_PROCESSES": "1",
        "RESUME_MATCHER_LLM_MODEL": "openai/small",
    }.items():
        monkeypatch.setenv(name, value)
    app = create_site()
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40_000))
    async with (
        app.ours.router.lifespan_context(app.ours),
        httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000", follow_redirects=True
        ) as client,
    ):
        assert "the language model openai/small reads your resume" in (await client.get("/")).text
        token = _token((await client.get("/sign-in?next=/matcher")).text)
        data = {"role": "customer", "user": "llm-pages", "next": "/matcher", "csrf": token}
        await client.post("/sign-in/development", data=data)
        client.headers["X-CSRF-Token"] = _token((await client.get("/matcher/resumes")).text)
        await app.ours.state.wiring.heller.grant("llm-pages", 100, source="purchase")
        resume = (await client.post("/matcher/v1/resumes", json={"text": papers.GERMAN})).json()["id"]
        assert "the language model openai/small reads the resume" in (await client.get("/matcher/new")).text
        model.scenario = good
        page = await _result(app, client, resume)
        assert LINE in page
        assert "openai/small read the resume and the job" in page
        model.scenario = lambda _: 500
        page = await _result(app, client, resume)
        assert LINE not in page
        assert "Everything here was made without it" in page


async def _result(app, client, resume):
    body = {"resume": resume, "kind": "improvement", "jobs": [{"text": papers.JOB}]}
    order = (await client.post("/matcher/v1/analyses", json=body)).json()
    await app.ours.state.matcher.analyses.settle()
    (analysis,) = (await client.get(f"/matcher/v1/orders/{order['order']}")).json()["analyses"]
    path = f"/matcher/analyses/{analysis['id']}"
    assert (await client.get(f"{path}.pdf")).content.startswith(b"%PDF")
    return (await client.get(path)).text


def _token(page):
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]


async def test_a_model_without_litellm_stops_the_start(monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(SettingsError, match=r"(?s)LiteLLM is not installed.*llm"):
        LanguageModel("openai/small", seconds_max=20)
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
