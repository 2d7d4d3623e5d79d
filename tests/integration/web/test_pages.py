"""Pages about what went wrong, for people and for programs."""

import pytest

from fakes.oidc import csrf_of
from heller.web import session

PAGE = {"accept": "text/html"}


async def test_a_defect_is_a_page_for_people_and_a_problem_for_programs(
    web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: str | None) -> str:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(session, "safe_next", broken)
    async with web.client() as client:
        page = await client.get("/sign-in", headers=PAGE | {"accept-language": "de"})
        assert page.status_code == 500
        assert "Hier ist etwas schiefgegangen" in page.text
        assert page.headers["x-request-id"] in page.text
        assert "content-security-policy" in page.headers
        problem = await client.get("/sign-in")
        assert problem.json()["code"] == "internal"
        assert "secret of the inside" not in page.text + problem.text


async def test_a_page_that_cannot_be_made_still_answers(web, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_request: object) -> str:
        raise RuntimeError("no language either")

    monkeypatch.setattr("heller.web.pages.language", broken)
    async with web.client() as client:
        answer = await client.get("/sign-in", headers=PAGE)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")


async def test_languages_are_negotiated(web) -> None:
    async with web.client() as client:
        for header, lang in (
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("fr-FR,fr;q=0.9", "en"),
            ("en-US", "en"),
            ("", "en"),
            ("*", "en"),
            ("de" * 5_000, "en"),
        ):
            page = await client.get("/sign-in", headers=PAGE | {"accept-language": header})
            assert (header[:20], f'<html lang="{lang}"' in page.text) == (header[:20], True)
        chosen = await client.get("/sign-in?lang=de", headers=PAGE)
        assert '<html lang="de"' in chosen.text
        assert '<html lang="de"' in (await client.get("/sign-in", headers=PAGE)).text
        odd = await client.get("/sign-in?lang=xx&theme=<script>", headers=PAGE)
        assert "<script>" not in odd.text.replace("<script src", "")


async def test_files_are_kept_by_their_versioned_address_only(web) -> None:
    async with web.client() as client:
        kept = await client.get("/static/heller.css?v=1")
        asked = await client.get("/static/heller.css")
        assert "immutable" in kept.headers["cache-control"]
        assert asked.headers["cache-control"] == "no-cache"
        assert (await client.get("/static/../app.py")).status_code == 404


async def test_usage_that_takes_too_long_to_count_says_so(serve, heller_database: str, connect) -> None:
    admin = await connect(heller_database)
    await admin.execute(
        "create or replace function heller.usage_report(p_from timestamptz, p_until timestamptz, p_by text default 'feature',"
        " p_per text default null, p_unit text default 'credit', p_zone text default 'UTC', p_names integer default 100)"
        " returns setof jsonb language plpgsql as $$ begin raise exception 'too long' using errcode = '57014'; end $$"
    )
    async with serve(heller_database, development_sign_in=True) as web, web.client() as browser:
        form = {"role": "support", "csrf": csrf_of((await browser.get("/sign-in", headers=PAGE)).text)}
        assert (await browser.post("/sign-in/development", data=form)).status_code == 303
        page = await browser.get("/console/usage", headers=PAGE)
        assert page.status_code == 200
        assert "Counting this takes too long for a page." in page.text
        assert "<canvas" not in page.text
