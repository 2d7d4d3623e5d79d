"""People sign in with an OpenID provider, by a link of an application, or by a click for development."""

import time
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fakes import oidc
from heller.errors import SettingsError
from heller.web import oidc as ours
from heller.web import session
from heller.web.settings import load


@pytest.fixture(scope="module")
def issuer():
    with oidc.provider(oidc.free_port()) as url:
        yield url


@pytest.fixture
async def signed(serve, heller_database, issuer):
    async with serve(
        heller_database,
        oidc_issuer=issuer,
        oidc_client_id="heller",
        oidc_client_secret="any",  # noqa: S106  # the provider of the tests takes any
        oidc_audience="heller",
    ) as web:
        await web.open("a1", 7, user="u-anna")
        await web.open("b1", 9, user="u-ben")
        await web.wiring.heller.add_identity("u-anna", "email", "anna@example.org")
        yield web


async def test_bearer_tokens_name_customers_and_operators(signed, issuer) -> None:
    anna = signed.client(oidc.token(issuer, "auth0|anna"))
    assert (await anna.get("/v1/me")).json()["user"] == "u-anna"
    assert (await anna.get("/v1/accounts/a1")).json()["available"] == 7
    assert (await anna.get("/v1/accounts/b1")).status_code == 404
    assert (await anna.get("/v1/accounts/b1/transactions")).json()["code"] == "unknown_account"
    assert (await anna.post("/v1/accounts/a1/spend", json={"amount": 1})).status_code == 403
    assert (await anna.get("/v1/accounts")).status_code == 403
    await signed.wiring.heller.put_member("b1", "u-anna")
    assert (await anna.get("/v1/accounts/b1")).status_code == 200
    eve = signed.client(oidc.token(issuer, "auth0|eve"))
    assert (await eve.get("/v1/me")).json()["user"] is None, "an e-mail that nobody verified proves nothing"
    assert (await eve.get("/v1/accounts/a1")).status_code == 404
    olga = signed.client(oidc.token(issuer, "auth0|olga"))
    spent = await olga.post("/v1/accounts/a1/spend", json={"amount": 1})
    assert (spent.status_code, spent.json()["actor"]) == (200, "user:auth0|olga")
    assert (await olga.get("/v1/keys")).status_code == 403
    adam = signed.client(oidc.token(issuer, "auth0|adam"))
    assert (await adam.get("/v1/keys")).status_code == 200


async def test_a_subject_wins_over_an_email(signed, issuer) -> None:
    await signed.wiring.heller.add_identity("u-ben", "auth0", "auth0|ben")
    ben = signed.client(oidc.token(issuer, "auth0|ben"))
    assert (await ben.get("/v1/me")).json()["user"] == "u-ben"
    anna = signed.client(oidc.token(issuer, "auth0|anna"))
    await signed.wiring.heller.open_account("x", user="auth0|anna")
    assert (await anna.get("/v1/me")).json()["user"] == "u-anna", (
        "a user id that looks like a subject is no identity"
    )


async def test_tokens_that_are_not_ours_are_refused(signed, issuer) -> None:
    good = oidc.token(issuer, "auth0|olga")
    claims = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    now = int(time.time())
    bad = {
        "another audience": oidc.token(issuer, "auth0|olga", client="other"),
        "a changed payload": good[: len(good) // 2]
        + ("A" if good[len(good) // 2] != "A" else "B")
        + good[len(good) // 2 + 1 :],
        "another's signature": jwt.encode(claims, stranger, "RS256", headers={"kid": header.get("kid", "")}),
        "no key of one that publishes": jwt.encode(claims, stranger, "RS256"),
        "a key nobody published": jwt.encode(claims, stranger, "RS256", headers={"kid": "unknown"}),
        "no signature": jwt.encode(claims, None, "none"),
        "a shared secret": jwt.encode(claims, "x" * 32, "HS256", headers={"kid": header.get("kid", "")}),
        "an expired one": jwt.encode(claims | {"exp": now - 3_600}, stranger, "RS256"),
        "rubbish": "a.b.c",
        "a long one": "x" * 9_000,
    }
    for what, token in bad.items():
        answer = await signed.client(token).get("/v1/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), what
        assert answer.headers["www-authenticate"].startswith("Bearer"), what


async def test_new_keys_of_the_issuer_are_fetched_once(signed, issuer, monkeypatch) -> None:
    token = oidc.token(issuer, "auth0|olga")
    assert (await signed.client(token).get("/v1/me")).status_code == 200
    provider = signed.wiring.auth._provider
    known = provider._keys.by_id
    monkeypatch.setattr(ours, "REFETCH_SECONDS", 0.0)
    provider._keys = ours._Keys(
        {"gone": next(iter(known.values())), "older": next(iter(known.values()))}, time.monotonic()
    )
    signed.wiring.auth._known.clear()
    assert (await signed.client(token).get("/v1/me")).status_code == 200, "an unknown key id makes one look"
    assert provider._keys.by_id.keys() == known.keys()
    provider._issuer, provider._keys = f"http://127.0.0.1:{oidc.free_port()}", ours._Keys({}, float("-inf"))
    signed.wiring.auth._known.clear()
    answer = await signed.client(token).get("/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (503, "sign_in_unavailable")


async def test_the_code_flow_ends_in_a_session(signed, issuer) -> None:
    async with signed.client() as browser:
        page = await browser.get("/portal", headers={"accept": "text/html"})
        assert page.headers["location"] == "/sign-in?next=%2Fportal"
        away = await browser.get("/sign-in/oidc", params={"next": "/portal/transactions"})
        assert away.headers["location"].startswith(f"{issuer}/oauth2/authorize")
        assert "code_challenge_method=S256" in away.headers["location"]
        back = oidc.agree(away.headers["location"], "auth0|anna")
        callback = urlsplit(back)
        home = await browser.get(f"{callback.path}?{callback.query}")
        assert home.headers["location"] == "/portal/transactions", home.text
        cookie = home.headers["set-cookie"]
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
        assert (await browser.get("/")).headers["location"] == "/portal"
        again = await browser.get(f"{callback.path}?{callback.query}", headers={"accept": "text/html"})
        assert again.status_code == 400, "a code works once"
        assert (await browser.get("/console", headers={"accept": "text/html"})).status_code == 403
        assert (await browser.get("/v1/me")).status_code == 401, "the API takes no cookie"
        form = {"csrf": oidc.csrf_of((await browser.get("/portal", headers={"accept": "text/html"})).text)}
        assert (await browser.post("/sign-out")).status_code == 403
        out = await browser.post("/sign-out", data=form)
        assert out.headers["location"].startswith(f"{issuer}/oauth2/end_session")
        assert (await browser.get("/")).headers["location"] == "/sign-in"


async def test_a_refused_sign_in_is_a_page(signed) -> None:
    async with signed.client() as browser:
        answer = await browser.get("/sign-in/callback?error=access_denied", headers={"accept": "text/html"})
        assert (answer.status_code, "access_denied" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.org",
        "https://evil.org",
        "/\\evil.org",
        "javascript:alert(1)",
        "",
        "/a\r\nb",
        "evil",
        "/\tb",
        None,
    ],
)
def test_sign_in_goes_on_only_within_the_site(path) -> None:
    assert session.safe_next(path) == "/"
    assert session.safe_next("/portal?tab=1") == "/portal?tab=1"


async def test_a_portal_link_works_once(web) -> None:
    await web.open("a1", 5, user="u1")
    assert (await web.api.post("/v1/portal-sessions", json={"user": "nobody"})).status_code == 404
    made = await web.api.post("/v1/portal-sessions", json={"user": "u1", "path": "/portal/transactions"})
    assert made.status_code == 201
    link = urlsplit(made.json()["url"])
    async with web.client() as browser:
        first = await browser.get(f"{link.path}?{link.query}")
        assert first.headers["location"] == "/portal/transactions"
        assert (await browser.get("/")).headers["location"] == "/portal"
    async with web.client() as another:
        assert (await another.get(f"{link.path}?{link.query}")).status_code == 400
    stored = await web.api.get("/v1/audit-log", params={"action": "portal_session"})
    assert [e["target"] for e in stored.json()["items"]] == ["u1"]
    assert link.query.removeprefix("secret=") not in stored.text


def test_development_sign_in_refuses_to_be_reached_from_outside() -> None:
    with pytest.raises(SettingsError, match="works only bound to"):
        load(development_sign_in=True, host="0.0.0.0")  # noqa: S104  # the point of the test


async def test_development_sign_in_is_for_this_machine_only(serve, heller_database) -> None:
    async with serve(heller_database, development_sign_in=True) as web:
        for options, expected in (
            ({}, 303), ({"address": "10.0.0.9"}, 404), ({"base_url": "http://evil.example:8000"}, 404),
        ):  # fmt: skip
            async with web.client(**options) as browser:
                page = await browser.get("/sign-in", headers={"accept": "text/html"})
                form = {"role": "operator", "csrf": oidc.csrf_of(page.text)}
                assert (await browser.post("/sign-in/development", data=form)).status_code == expected, (
                    options
                )
                assert (
                    await browser.post("/sign-in/development", data=form | {"csrf": "x"})
                ).status_code == 403
        async with web.client() as browser:
            page = await browser.get("/sign-in", headers={"accept": "text/html"})
            for user in ("a\x00b", "a\nb", " "):
                form = {"role": "customer", "user": user, "csrf": oidc.csrf_of(page.text)}
                assert (await browser.post("/sign-in/development", data=form)).status_code == 422
    async with serve(heller_database) as web, web.client() as browser:
        page = await browser.get("/sign-in", headers={"accept": "text/html"})
        assert 'action="/sign-in/development"' not in page.text
        form = {"role": "admin", "csrf": "x"}
        assert (await browser.post("/sign-in/development", data=form)).status_code == 403


async def test_a_development_session_ends_with_the_development_sign_in(serve, heller_database) -> None:
    async with serve(heller_database, development_sign_in=True) as web, web.client() as browser:
        page = await browser.get("/sign-in", headers={"accept": "text/html"})
        await browser.post("/sign-in/development", data={"role": "admin", "csrf": oidc.csrf_of(page.text)})
        assert (await browser.get("/")).headers["location"] == "/console"
        cookies = dict(browser.cookies)
    async with serve(heller_database) as web, web.client() as browser:
        browser.cookies.update(cookies)
        assert (await browser.get("/")).headers["location"] == "/sign-in"


@pytest.fixture(scope="module")
def signers():
    """An RSA and an elliptic key of an issuer of our own, and what it publishes."""
    private = {
        "RS256": rsa.generate_private_key(public_exponent=65_537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
    }
    published = {
        alg: jwt.PyJWK(
            {
                **jwt.get_algorithm_by_name(alg).to_jwk(key.public_key(), as_dict=True),
                "kid": alg,
                "use": "sig",
            }
        )
        for alg, key in private.items()
    }
    return private, published


@pytest.fixture
async def own_issuer(serve, heller_database, signers):
    """An application whose issuer's keys are ours, so that tokens can say anything."""
    settings = {
        "oidc_issuer": "https://id.example.org/",
        "oidc_audience": "heller",
        "oidc_leeway_seconds": 30,
    }
    async with serve(heller_database, **settings) as web:
        private, published = signers
        web.wiring.auth._provider._keys = ours._Keys(dict(published), time.monotonic())

        def ask(alg: str = "ES256", **claims):
            whole = {
                "iss": "https://id.example.org/",
                "aud": ["other", "heller"],
                "sub": "auth0|x",
                "exp": time.time() + 60,
            } | claims
            whole = {name: value for name, value in whole.items() if value is not None}
            return web.client(jwt.encode(whole, private[alg], alg, headers={"kid": alg})).get("/v1/me")

        yield web, ask


async def test_both_kinds_of_keys_and_a_little_skew_are_taken(own_issuer) -> None:
    _, ask = own_issuer
    now = time.time()
    for answer, status in (
        (await ask("RS256"), 200), (await ask("ES256"), 200),
        (await ask(exp=now - 10), 200), (await ask(exp=now - 60), 401),
        (await ask(nbf=now + 10), 200), (await ask(nbf=now + 90), 401),
        (await ask(iss="https://id.example.org"), 401), (await ask(aud="other"), 401),
        (await ask(sub=None), 401), (await ask(exp=None), 401), (await ask(aud=None), 401),
    ):  # fmt: skip
        assert answer.status_code == status, answer.text


async def test_scopes_narrow_a_person_and_make_a_program(own_issuer) -> None:
    _, ask = own_issuer
    person = (await ask(scope="openid credits:read keys:write", **{oidc.ROLE: "operator"})).json()
    assert (person["role"], person["scopes"]) == ("operator", ["credits:read"]), "keys:write is no operator's"
    whole = (await ask(scope="openid profile", **{oidc.ROLE: ["admin", "unheard of"]})).json()
    assert (whole["role"], "keys:write" in whole["scopes"]) == ("admin", True)
    greedy = (await ask(scope="credits:read credits:spend stripe:read")).json()
    assert (greedy["role"], greedy["scopes"]) == ("customer", ["credits:read"])
    program = (
        await ask(sub="job@clients", azp="job", gty="client-credentials", scope="credits:read credits:spend")
    ).json()
    assert (program["role"], program["scopes"]) == ("operator", ["credits:read", "credits:spend"])
    nothing = await ask(sub="job", client_id="job", permissions=[])
    assert nothing.status_code == 403
