"""What holds for every route: keys, problems, versions, limits, headers."""

import asyncio
import gzip
import time

import pytest

from heller.web import limits
from heller.web.principal import SCOPES, Role

AT = "/v1/accounts/user-1"
PROBLEM = "application/problem+json"


async def test_a_key_is_one_effect_and_its_replay_says_so(web) -> None:
    await web.open("user-1", 100)
    for path, body in (
        ("spend", {"amount": 10, "reason": "x"}),
        ("holds", {"amount": 10}),
        ("grants", {"amount": 5}),
        ("adjust", {"amount": -1, "reason": "x"}),
    ):
        key = {"idempotency-key": f"key-{path}"}
        first = await web.api.post(f"{AT}/{path}", json=body, headers=key)
        again = await web.api.post(f"{AT}/{path}", json=body, headers=key)
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        same = {"replayed", "available"}
        assert {k: v for k, v in first.json().items() if k not in same} == {
            k: v for k, v in again.json().items() if k not in same
        }
        other = await web.api.post(f"{AT}/{path}", json=body | {"amount": 2}, headers=key)
        assert (other.status_code, other.json()["code"], other.json()["differs"]) == (
            409, "idempotency_conflict", "amount",
        )  # fmt: skip
    entries = (await web.api.get("/v1/audit-log", params={"target": "user-1"})).json()["items"]
    assert [entry["action"] for entry in entries] == ["credits.adjust", "grant.create"], (
        "a replay is not done again"
    )


async def test_concurrent_duplicates_wait_for_the_first(web) -> None:
    await web.open("user-1", 100)
    for path, body in (("spend", {"amount": 10}), ("adjust", {"amount": -10, "reason": "x"})):
        headers = {"idempotency-key": f"one-{path}"}
        answers = await asyncio.gather(
            *(web.api.post(f"{AT}/{path}", json=body, headers=headers) for _ in range(12))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["seq"] for answer in answers}) == 1
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 11
    assert (await web.api.get(AT)).json()["posted"] == 80


async def test_too_few_credits_says_where_to_buy_some(web) -> None:
    await web.open("user-1", 3)
    refused = await web.api.post(f"{AT}/spend", json={"amount": 10})
    problem = refused.json()
    assert (refused.status_code, refused.headers["content-type"]) == (402, PROBLEM)
    assert problem["type"] == "urn:heller:problem:insufficient_credits"
    assert (problem["required"], problem["available"], problem["held"]) == (10, 3, 0)
    assert problem["top_up"] == "http://127.0.0.1:8000/portal/buy"
    assert problem["request_id"] == refused.headers["x-request-id"]
    other = await web.api.post(f"{AT}/adjust", json={"amount": -10, "reason": "x"})
    assert (other.status_code, other.json()["top_up"]) == (402, problem["top_up"])


async def test_if_match_refuses_what_has_changed(web) -> None:
    await web.open("user-1", 100)
    etag = (await web.api.get(AT)).headers["etag"]
    spend = {"json": {"amount": 1}, "headers": {"if-match": etag}}
    assert (await web.api.post(f"{AT}/spend", **spend)).status_code == 200
    for path, body in (
        ("spend", {"amount": 1}),
        ("holds", {"amount": 1}),
        ("adjust", {"amount": 1, "reason": "x"}),
    ):
        stale = await web.api.post(f"{AT}/{path}", json=body, headers={"if-match": etag})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_version"), path
    for wrong in ("7", '"x"', "*", '"' + "9" * 30 + '"'):
        for path in ("spend", "adjust"):
            answer = await web.api.post(
                f"{AT}/{path}", json={"amount": 1, "reason": "x"}, headers={"if-match": wrong}
            )
            assert answer.status_code == 422, (
                path,
                wrong,
            )


BAD_BODIES = (
    (b"{", 400, "malformed_json"),
    (b"", 400, "malformed_json"),
    (b"\xff", 400, "malformed_json"),
    (b"[]", 422, "invalid_argument"),
    (b'{"amount": "1"}', 422, "invalid_argument"),
    (b'{"amount": 1.0}', 422, "invalid_argument"),
    (b'{"amount": true}', 422, "invalid_argument"),
    (b'{"amount": 0}', 422, "invalid_argument"),
    (b'{"amount": 9223372036854775808}', 422, "invalid_argument"),
    (b'{"amount": 1, "amonut": 2}', 422, "invalid_argument"),
    (b'{"amount": 1, "dry_run": "yes"}', 422, "invalid_argument"),
    (b'{"amount": 1, "unit": ""}', 422, "invalid_argument"),
    (b'{"amount": 1, "reason": "a\\u0000b"}', 422, "invalid_argument"),
    (b'{"amount": 1, "metadata": {"a": NaN}}', None, None),
    (b'{"amount": 1, "metadata": [1]}', 422, "invalid_argument"),
    (b'{"amount": 1, "effective_at": 5}', 422, "invalid_argument"),
    (b'{"amount": 1, "effective_at": "2026-01-01T00:00:00"}', 422, "invalid_argument"),
)


@pytest.mark.parametrize("path", ["spend", "grants"])
async def test_bad_bodies_change_nothing(web, path) -> None:
    await web.open("user-1", 100)
    for body, status, code in BAD_BODIES:
        answer = await web.api.post(
            f"{AT}/{path}", content=body, headers={"content-type": "application/json"}
        )
        assert answer.headers["content-type"] == PROBLEM, body
        assert 400 <= answer.status_code < 500, body
        assert status is None or answer.status_code == status, (body, answer.text)
        assert code is None or answer.json()["code"] == code, (body, answer.text)
    plain = await web.api.post(
        f"{AT}/{path}", content=b'{"amount": 1}', headers={"content-type": "text/plain"}
    )
    assert (plain.status_code, plain.json()["code"]) == (415, "unsupported_media_type")
    missing = await web.api.post(f"{AT}/{path}", content=b'{"amount": 1}')
    assert missing.status_code == 415
    assert (await web.api.get(AT)).json()["transactions"] == 1


async def test_mistyped_queries_and_paths_are_refused(web) -> None:
    await web.open("user-1", 1)
    for path in (
        f"{AT}?units=x", f"{AT}/transactions?limt=3", f"{AT}/transactions?limit=0", f"{AT}/transactions?cursor=x",
        f"{AT}/transactions?cursor=%F0%9F%98%80", f"{AT}/transactions?kind=gift", f"{AT}/transactions/x",
        f"{AT}/transactions?metadata=x", f"{AT}/transactions?text=%00", f"{AT}?unit=", f"{AT}/holds/1/capture?x=1",
        f"{AT}/balance-at", "/v1/prices?x=1", "/v1/accounts?text=%00",
    ):  # fmt: skip
        method = "POST" if "capture" in path else "GET"
        answer = await web.api.request(method, path, json={} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument"), path
        assert answer.json()["argument"], path
    assert (await web.api.get("/v1/nothing")).json()["code"] == "not_found"
    wrong = await web.api.delete(AT)
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


async def test_requests_without_a_name_or_a_scope_are_refused(web) -> None:
    await web.open("user-1", 10)
    nobody = web.client()
    for path in (AT, f"{AT}/transactions", "/v1/events", "/metrics"):
        answer = await nobody.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
    for token in ("x", "heller_x", "heller_0123456789ab_" + "a" * 43):
        assert (await web.client(token).get(AT)).status_code == 401, token
    for header in ("Basic eDp5", "Bearer", "Bearer "):
        assert (await nobody.get(AT, headers={"authorization": header})).status_code == 401, header
    reader = web.client(await web.key("credits:read"))
    assert (await reader.get(AT)).status_code == 200
    refused = await reader.post(f"{AT}/spend", json={"amount": 1})
    assert (refused.status_code, refused.json()["scope"]) == (403, "credits:spend")
    assert (await reader.post(f"{AT}/adjust", json={"amount": 1, "reason": "x"})).json()[
        "scope"
    ] == "credits:write"


async def test_keys_are_made_listed_and_revoked(web) -> None:
    made = (
        await web.api.post("/v1/keys", json={"name": "shop", "scopes": ["credits:read"], "role": "support"})
    ).json()
    shop = web.client(made["secret"])
    me = (await shop.get("/v1/me")).json()
    assert (me["scopes"], me["role"], me["actor"]) == (
        ["credits:read"],
        "support",
        f"key:{made['api_key']['key_id']}",
    )
    listed = await web.api.get("/v1/keys")
    assert made["secret"] not in listed.text
    assert {key["name"] for key in listed.json()["items"]} == {"shop", "test"}
    beyond = await web.api.post(
        "/v1/keys", json={"name": "x", "scopes": ["credits:write"], "role": "support"}
    )
    assert (beyond.status_code, beyond.json()["argument"]) == (422, "scopes")
    past = await web.api.post("/v1/keys", json={"name": "x", "expires_at": "2020-01-01T00:00:00Z"})
    assert past.status_code == 422
    at = f"/v1/keys/{made['api_key']['key_id']}"
    followed = (await web.api.post(f"{at}/rotate", json={"overlap_seconds": 600})).json()
    assert (await web.client(followed["secret"]).get("/v1/me")).json()["scopes"] == ["credits:read"]
    assert (await web.api.post(f"{at}/rotate", json={})).json()["argument"] == "expires_at"
    assert (await web.api.post("/v1/keys/nothing/rotate", json={})).status_code == 404
    gone = await web.api.delete(at)
    assert gone.json()["revoked_by"].startswith("key:")
    web.wiring.auth._known.clear()  # ten seconds later
    assert (await shop.get("/v1/me")).status_code == 401
    assert (await web.api.delete("/v1/keys/nothing")).status_code == 404
    log = (await web.api.get("/v1/audit-log", params={"action": "key"})).json()["items"]
    assert [entry["action"] for entry in log] == ["key.revoke", "key.rotate", "key.create"]
    operator = web.client(await web.key(role=Role.operator))
    assert (await operator.post("/v1/keys", json={"name": "x"})).status_code == 403
    assert set(me["scopes"]) <= SCOPES.keys()


async def test_the_audit_log_is_append_only(web, connect, heller_database) -> None:
    await web.api.post("/v1/accounts", json={"account": "user-1"})
    connection = await connect(heller_database)
    for statement in (
        "update heller.audit_log set actor = 'x'",
        "delete from heller.audit_log",
        "truncate heller.audit_log",
    ):
        with pytest.raises(Exception, match="never changed"):
            await connection.execute(statement)
    (entry,) = (await web.api.get("/v1/audit-log")).json()["items"]
    assert (entry["action"], entry["target"], entry["via"]) == ("account.open", "user-1", "api_key")
    assert entry["actor"].startswith("key:")


async def test_a_refusal_leaves_no_entry(web) -> None:
    await web.open("user-1", 1)
    assert (await web.api.post(f"{AT}/adjust", json={"amount": -5, "reason": "x"})).status_code == 402
    tried = await web.api.post(f"{AT}/adjust", json={"amount": 5, "reason": "x", "dry_run": True})
    assert tried.json()["dry_run"] is True
    assert (await web.api.get("/v1/audit-log")).json()["items"] == []


async def test_rate_limits_are_shared_said_and_kept(web, serve, heller_database) -> None:
    await web.open("user-1", 100)
    secret = await web.key("credits:read", "credits:spend", rate_per_minute=30)
    async with serve(heller_database) as second:
        began = time.monotonic()
        answers = [await process.client(secret).get(AT) for _ in range(20) for process in (web, second)]
        refilled = (time.monotonic() - began) / 2
    allowed = sum(answer.status_code == 200 for answer in answers)
    assert 29 <= allowed <= 31 + refilled, "a bucket of 30 that refills by one in two seconds"
    first, refused = answers[0], next(answer for answer in answers if answer.status_code == 429)
    assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("30", "29")
    assert (refused.json()["code"], int(refused.headers["retry-after"]) >= 1) == ("too_many_requests", True)
    assert (await web.client(secret).get(f"{AT}/transactions")).status_code == 429, (
        "the same bucket on every route"
    )


async def test_guessing_is_slowed_down(web, monkeypatch) -> None:
    monkeypatch.setattr(limits, "FAILURES_PER_MINUTE", 5)
    codes = [(await web.client(f"heller_{n}").get(AT)).status_code for n in range(8)]
    assert (codes[:5], codes[-1]) == ([401] * 5, 429)
    assert (await web.client("heller_x", address="10.0.0.1").get(AT)).status_code == 401, "others are not"


async def test_headers_sizes_and_compression(web) -> None:
    await web.open("user-1", 1000)
    answer = await web.api.get(AT, headers={"x-request-id": "my-request-1"})
    assert answer.headers["x-request-id"] == "my-request-1"
    assert (await web.api.get(AT, headers={"x-request-id": "bad id\t"})).headers["x-request-id"] != "bad id\t"
    for name, value in (
        ("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("cache-control", "no-store"),
    ):  # fmt: skip
        assert answer.headers[name] == value
    for path in ("spend", "grants"):
        big = await web.api.post(
            f"{AT}/{path}", content=b" " * 5_000_000, headers={"content-type": "application/json"}
        )
        assert (big.status_code, big.json()["code"]) == (413, "too_large")

        async def endless():
            for _ in range(6):
                yield b" " * 1_000_000

        streamed = await web.api.post(
            f"{AT}/{path}", content=endless(), headers={"content-type": "application/json"}
        )
        assert streamed.status_code == 413, path
    for amount in range(1, 15):
        await web.api.post(f"{AT}/spend", json={"amount": amount})
    async with web.api.stream("GET", f"{AT}/transactions", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert len(raw) < len(gzip.decompress(raw)) / 3


async def test_other_origins_are_let_in_by_setting(serve, heller_database) -> None:
    ask = {"origin": "https://app.example.org", "access-control-request-method": "POST"}
    async with serve(heller_database, cors_origins="https://app.example.org, https://b.example.org") as web:
        preflight = await web.client().options(f"{AT}/spend", headers=ask)
        assert preflight.headers["access-control-allow-origin"] == "https://app.example.org"
        other = await web.client().options(f"{AT}/spend", headers=ask | {"origin": "https://evil.org"})
        assert "access-control-allow-origin" not in other.headers
        plain = await web.api.get(AT, headers={"origin": "https://app.example.org"})
        assert "etag" in plain.headers["access-control-expose-headers"].lower()
        assert "access-control-allow-credentials" not in plain.headers


async def test_a_defect_is_a_problem_with_its_id(web, monkeypatch) -> None:
    async def broken(*_args, **_named):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(web.wiring.heller, "balance", broken)
    monkeypatch.setattr(web.wiring.heller, "grants", broken)
    for path in (AT, f"{AT}/grants"):
        answer = await web.api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal"), path
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "secret detail" not in answer.text
