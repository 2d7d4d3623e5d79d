"""Every address of the application, asked by nobody and by each role."""

import re
import time

import pytest
from fastapi.routing import iter_route_contexts

from fakes.oidc import csrf_of
from heller.web.auth import Known, _digest
from heller.web.principal import ROLE_SCOPES, Principal, Role

PUBLIC = {
    "/", "/health", "/ready", "/v1/openapi.json", "/v1/webhooks/stripe", "/sign-in", "/sign-in/oidc", "/sign-in/callback",
    "/sign-in/portal", "/sign-in/development", "/widget.js",
}  # fmt: skip
HTML = {"accept": "text/html"}
FILLED = {"account": "a1", "user": "u1", "seq": "1"}


def routes(app):
    """Every address and method, with the example of each parameter."""
    return sorted(
        {
            (method, context.path)
            for context in iter_route_contexts(app.routes)
            for method in (context.methods or {"GET"}) - {"HEAD", "OPTIONS"}
        }
    )


def address(path: str) -> str:
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: FILLED.get(found[1], "1"), path)


@pytest.fixture
async def world(serve, heller_database):
    async with serve(heller_database, development_sign_in=True) as web:
        await web.open("a1", 100, user="u1")
        await web.open("b1", 100, user="u2")
        await web.wiring.heller.spend("a1", 1)
        yield web


def known_as(web, role: Role):
    """A client whose bearer token the application has just seen."""
    person = Principal(
        subject=f"auth0|{role.name}", role=role, scopes=ROLE_SCOPES[role], via="bearer",
        user="u1" if role is Role.customer else None,
    )  # fmt: skip
    header = f"Bearer token-of-{role.name}".encode()
    web.wiring.auth._known[_digest(header)] = Known(person, None, time.monotonic() + 600)
    return web.client(f"token-of-{role.name}")


async def browser_as(web, role: Role):
    browser = web.client()
    page = await browser.get("/sign-in", headers=HTML)
    form = {"role": role.name, "user": "u1", "csrf": csrf_of(page.text)}
    assert (await browser.post("/sign-in/development", data=form)).status_code == 303
    return browser


async def test_nobody_gets_nothing_but_the_way_in(world) -> None:
    asked = 0
    async with world.client() as nobody:
        for method, path in routes(world.app):
            if path in PUBLIC or path.startswith("/static"):
                continue
            answer = await nobody.request(method, address(path), headers=HTML)
            asked += 1
            if path.startswith("/v1") or path == "/metrics":
                assert answer.status_code == 401, (method, path)
            elif method == "GET":
                assert (answer.status_code, answer.headers.get("location", "")[:9]) in {
                    (303, "/sign-in?"), (401, ""), (404, ""), (422, ""), (400, ""),
                }, (method, path)  # fmt: skip
            else:
                assert answer.status_code in {303, 401, 403, 404, 422}, (method, path)
                assert "/sign-in" in answer.headers.get("location", "/sign-in"), (method, path)
    assert asked > 100


async def test_the_api_opens_what_the_role_has_and_no_more(world) -> None:
    needed = {
        (method.upper(), path): operation["security"][0]["bearer"][0]
        for path, item in world.app.openapi()["paths"].items()
        for method, operation in item.items()
    }
    for role in Role:
        client = known_as(world, role)
        for (method, path), scope in needed.items():
            body = {} if method in {"POST", "PUT"} else None
            answer = await client.request(method, address(path), json=body)
            if scope not in ROLE_SCOPES[role]:
                assert (answer.status_code, answer.json()["scope"]) == (403, scope), (role, method, path)
                continue
            assert answer.status_code not in {401, 403, 500}, (role, method, path, answer.text)
            if role is Role.customer and "{account}" in path:
                other = await client.request(method, address(path.replace("{account}", "b1")), json=body)
                assert other.status_code in {404, 422}, (method, path, "another's account is not there")


async def test_pages_open_by_role_and_forms_only_with_their_token(world) -> None:
    for role in Role:
        browser = await browser_as(world, role)
        for method, path in routes(world.app):
            if path.startswith(("/v1", "/static", "/metrics", "/sign-in", "/widget")) or path in PUBLIC:
                continue
            if path.endswith("/live"):
                continue  # an endless stream
            answer = await browser.request(method, address(path), headers=HTML)
            assert answer.status_code < 500 or answer.status_code == 501, (
                role,
                method,
                path,
                answer.text[:500],
            )
            if path.startswith("/console") and role is Role.customer:
                assert answer.status_code == 403, (method, path)
            elif method != "GET":
                assert answer.status_code in {403, 404, 405}, (role, method, path, "a form without its token")
            else:
                assert answer.status_code != 401, (role, method, path)
        await browser.aclose()
