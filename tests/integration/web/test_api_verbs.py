"""Every verb of the ledger over HTTP."""

from datetime import UTC, datetime, timedelta

from fakes.oidc import free_port

AT = "/v1/accounts/user-1"


def soon(days: int = 1) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def test_verbs_change_the_account_as_the_library_does(web) -> None:
    api = web.api
    opened = await api.post(
        "/v1/accounts", json={"account": "user-1", "user": "u1", "metadata": {"plan": "x"}}
    )
    assert (opened.status_code, opened.json()["available"]) == (201, 0)
    given = await api.post(
        f"{AT}/grants", json={"amount": 100, "source": "purchase", "cost": 500, "currency": "eur"}
    )
    assert (given.status_code, given.json()["grant"]) == (201, 1)
    spent = await api.post(f"{AT}/spend", json={"amount": 10, "reason": "analysis", "metadata": {"job": "7"}})
    assert (spent.status_code, spent.json()["balance_after"], spent.json()["seq"]) == (200, 90, 2)
    assert spent.json()["actor"].startswith("key:")
    refunded = await api.post(f"{AT}/refund", json={"seq": 2, "amount": 4})
    assert (refunded.status_code, refunded.json()["balance_after"], refunded.json()["left"]) == (200, 94, 6)
    hold = await api.post(f"{AT}/holds", json={"amount": 20, "seconds": 60})
    assert (hold.status_code, hold.json()["state"], hold.json()["available"]) == (201, "open", 74)
    renewed = await api.post(f"{AT}/holds/{hold.json()['hold']}/renew", json={"seconds": 600})
    assert renewed.json()["expires_at"] > hold.json()["expires_at"]
    captured = await api.post(f"{AT}/holds/{hold.json()['hold']}/capture", json={"amount": 5, "final": False})
    assert (captured.status_code, captured.json()["balance_after"]) == (200, 89)
    released = await api.post(f"{AT}/holds/{hold.json()['hold']}/release", json={})
    assert (released.status_code, released.json()["state"], released.json()["available"]) == (
        200,
        "released",
        89,
    )
    adjusted = await api.post(f"{AT}/adjust", json={"amount": -9, "reason": "a mistake"})
    assert (adjusted.status_code, adjusted.json()["balance_after"]) == (200, 80)
    reversed_ = await api.post(f"{AT}/reverse", json={"seq": adjusted.json()["seq"]})
    assert (reversed_.status_code, reversed_.json()["balance_after"]) == (200, 89)
    await api.post("/v1/accounts", json={"account": "team"})
    moved = await api.post(f"{AT}/transfer", json={"to": "team", "amount": 30})
    assert (moved.json()["balance_after"], moved.json()["to_balance_after"]) == (59, 30)
    taken = await api.post(f"{AT}/clawback", json={"amount": 59})
    again = await api.post(f"{AT}/reinstate", json={"seq": taken.json()["seq"]})
    assert (taken.json()["balance_after"], again.json()["balance_after"]) == (0, 59)
    promotion = await api.post(f"{AT}/grants", json={"amount": 7, "expires_at": soon(), "priority": 1})
    voided = await api.post(f"{AT}/grants/{promotion.json()['grant']}/void", json={"reason": "ended"})
    assert (voided.status_code, voided.json()["balance_after"]) == (200, 59)
    frozen = await api.post(f"{AT}/freeze", json={"reason": "fraud"})
    refused = await api.post(f"{AT}/spend", json={"amount": 1})
    assert (frozen.json()["frozen"], refused.status_code, refused.json()["code"]) == (
        True,
        423,
        "account_frozen",
    )
    assert (await api.post(f"{AT}/unfreeze", json={})).json()["frozen"] is False
    verified = await web.wiring.heller.books(age_max_seconds=0)
    assert verified.difference == 0


async def test_reads_answer_what_was_written(web) -> None:
    api = web.api
    await web.open("user-1", 100, user="u1")
    await api.post(f"{AT}/grants", json={"amount": 5, "expires_at": soon()})
    for job in range(3):
        await api.post(f"{AT}/spend", json={"amount": 1, "reason": f"job {job}", "metadata": {"job": job}})
    account = await api.get(AT)
    assert (account.json()["available"], account.headers["etag"]) == (102, f'"{account.json()["version"]}"')
    page = (await api.get(f"{AT}/transactions", params={"limit": 2})).json()
    rest = (await api.get(f"{AT}/transactions", params={"limit": 10, "cursor": page["next"]})).json()
    assert [t["seq"] for t in page["items"] + rest["items"]] == [5, 4, 3, 2, 1]
    assert rest["next"] is None
    for query, expected in (
        ({"kind": ["grant"]}, [2, 1]),
        ({"text": "JOB 1"}, [4]),
        ({"metadata": '{"job":2}'}, [5]),
        ({"since": soon()}, []),
    ):
        found = (await api.get(f"{AT}/transactions", params=query)).json()["items"]
        assert [t["seq"] for t in found] == expected, query
    assert (await api.get(f"{AT}/transactions/3")).json()["reason"] == "job 0"
    assert (await api.get(f"{AT}/transactions/99")).status_code == 404
    assert (await api.get(f"{AT}/transactions/3/grants")).json()["items"] == [{"grant": 2, "amount": 1}]
    assert [g["remaining"] for g in (await api.get(f"{AT}/grants")).json()["items"]] == [2, 100]
    assert (await api.get(f"{AT}/holds")).json() == {"items": [], "next": None}
    assert (await api.get(f"{AT}/balance-at", params={"at": "2020-01-01T00:00:00Z"})).json()["posted"] == 0
    assert [
        g["grant"] for g in (await api.get(f"{AT}/expiring", params={"before": soon(2)})).json()["items"]
    ] == [2]
    period = {"since": "2020-01-01T00:00:00Z", "until": soon()}
    statement = (await api.get(f"{AT}/statement", params=period)).json()
    assert (statement["opening"], statement["closing"], len(statement["lines"])) == (0, 102, 5)
    csv = await api.get(f"{AT}/statement", params=period | {"format": "csv"})
    assert (csv.headers["content-type"], len(csv.text.splitlines())) == ("text/csv; charset=utf-8", 8)
    assert (await api.get("/v1/accounts/nobody/statement", params=period)).status_code == 404
    assert [a["account"] for a in (await api.get("/v1/accounts", params={"text": "us"})).json()["items"]] == [
        "user-1"
    ]


async def test_what_an_account_gets_every_period(web) -> None:
    api = web.api
    await web.open("team", 100)
    at = "/v1/accounts/team/recurring-grants"
    put = await api.put(f"{at}/free", json={"amount": 50, "rollover": 10, "time_zone": "Europe/Berlin"})
    assert (put.status_code, put.json()["period"]) == (200, "month")
    assert (await api.get("/v1/accounts/team")).json()["posted"] == 150
    assert (
        await api.put(f"{at}/free", json={"amount": 50, "rollover": 10, "time_zone": "Europe/Berlin"})
    ).json() == put.json()
    grants = (await api.get("/v1/accounts/team/grants")).json()["items"]
    assert sorted((g["amount"], g["recurring"]) for g in grants if g["recurring"]) == [
        (10, "free"),
        (40, "free"),
    ]
    assert [r["next_at"] for r in (await api.get(at)).json()["items"]] == [put.json()["next_at"]]
    bad = await api.put(f"{at}/free", json={"amount": 50, "time_zone": "Mars"})
    assert (bad.status_code, bad.json()["argument"]) == (422, "time_zone")
    assert (await api.put(f"{at}/free", json={"amount": 50, "anchor": "soon"})).status_code == 422
    assert (await api.delete(f"{at}/free")).json()["next_at"] is None
    assert (await api.get(at)).json()["items"] == []
    assert (await api.delete(f"{at}/other")).status_code == 404


async def test_what_surrounds_an_account(web) -> None:
    api = web.api
    await web.open("team", 100)
    member = await api.put("/v1/accounts/team/members/anna", json={"cap": 10, "period": "month"})
    assert (member.status_code, member.json()["left"]) == (200, 10)
    spend = {"amount": 8, "reason": "x"}
    assert (await api.post("/v1/accounts/team/members/anna/spend", json=spend)).json()["balance_after"] == 92
    refused = await api.post("/v1/accounts/team/members/anna/spend", json=spend)
    assert (refused.status_code, refused.json()["limit"]) == (409, "member_cap")
    assert (await api.get("/v1/accounts/team/spending")).json()["items"][0]["spent"] == 8
    assert [m["member"] for m in (await api.get("/v1/accounts/team/members")).json()["items"]] == ["anna"]
    assert (await api.delete("/v1/accounts/team/members/anna")).json()["left_at"] is not None
    assert (await api.put("/v1/accounts/team/alerts/20", json={"rearm_at": 30})).json()["armed"] is True
    assert len((await api.get("/v1/accounts/team/alerts")).json()["items"]) == 1
    assert (await api.delete("/v1/accounts/team/alerts/20")).json() == {"removed": True}
    price = {
        "price": "pack",
        "product": "Credits",
        "pack": "100",
        "credits": 100,
        "currency": "eur",
        "amount": 500,
    }
    assert (await api.post("/v1/prices", json=price)).status_code == 201
    rule = await api.put("/v1/accounts/team/top-up-rule", json={"threshold": 50, "price": "pack"})
    assert (rule.status_code, rule.json()["threshold"]) == (200, 50)
    assert (await api.get("/v1/accounts/team/top-up-rule")).json()["price"] == "pack"
    assert (await api.post("/v1/accounts/team/top-up-rule/resume", json={})).status_code == 200
    assert (await api.delete("/v1/accounts/team/top-up-rule")).json() == {"removed": True}
    assert (await api.get("/v1/accounts/team/top-up-rule")).status_code == 404
    assert [p["price"] for p in (await api.get("/v1/prices")).json()["items"]] == ["pack"]
    assert (await api.delete("/v1/prices/pack")).json()["active"] is False


async def test_batch_answers_each_operation_in_its_place(web) -> None:
    await web.open("user-1", 10)
    operations = [
        {"verb": "spend", "account": "user-1", "amount": 4, "key": "a"},
        {"verb": "spend", "account": "user-1", "amount": 40},
        {"verb": "hold", "account": "user-1", "amount": 6},
        {"verb": "open_account", "account": "user-2"},
    ]
    answer = (await web.api.post("/v1/batch", json={"operations": operations})).json()["outcomes"]
    assert [o["result"] and o["result"].get("available") for o in answer] == [6, None, 0, 0]
    assert answer[1]["problem"]["required"] == 40
    atomic = await web.api.post(
        "/v1/batch",
        json={"operations": [operations[3] | {"account": "user-3"}, operations[1]], "atomic": True},
    )
    assert atomic.status_code == 402
    assert (await web.api.get("/v1/accounts/user-3")).status_code == 404
    spender = web.client(await web.key("credits:spend"))
    assert (await spender.post("/v1/batch", json={"operations": operations[:1]})).status_code == 200
    assert (await spender.post("/v1/batch", json={"operations": operations[3:]})).status_code == 403


async def test_users_events_endpoints_and_reports(web) -> None:
    api = web.api
    await web.open("user-1", 10, user="u1")
    assert (await api.post("/v1/users/u1/identities", json={"kind": "email", "name": "Anna@x.org"})).json()[
        "name"
    ] == "anna@x.org"
    taken = await api.post("/v1/users/u2/identities", json={"kind": "email", "name": "anna@x.org"})
    assert (taken.status_code, taken.json()["user"]) == (409, "u1")
    assert (await api.get("/v1/users", params={"name": "ANNA@x.org"})).json()["items"][0]["user"] == "u1"
    assert (await api.get("/v1/users/u1")).json()["accounts"][0]["account"] == "user-1"
    assert (await api.get("/v1/users/nobody")).status_code == 404
    assert (await api.get("/v1/users/anna@x.org/route")).json() == {
        "user": "anna@x.org", "account": "user-1", "home": "heller", "epoch": None,
    }  # fmt: skip
    assert (await api.get("/v1/users/nobody/route")).json()["home"] == "unknown"
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # of the Standard Webhooks documentation
    put = await api.put("/v1/endpoints/main", json={"url": "https://example.org/x", "secret": secret})
    assert (put.status_code, secret in put.text) == (200, False)
    assert [e["endpoint"] for e in (await api.get("/v1/endpoints")).json()["items"]] == ["main"]
    moved = await api.put("/v1/endpoints/main", json={"url": "https://example.org/y"})
    assert (moved.status_code, moved.json()["url"]) == (200, "https://example.org/y")
    refused = await api.put("/v1/endpoints/new", json={"url": "https://example.org/y"})
    assert (refused.status_code, refused.json()["argument"]) == (422, "secret"), "there is none to keep"
    assert (await api.get("/v1/endpoints/main/attempts")).json() == {"items": [], "next": None}
    assert (await api.get("/v1/endpoints/other/attempts")).status_code == 404
    put = await api.put(
        "/v1/endpoints/main", json={"url": f"http://127.0.0.1:{free_port()}/", "secret": secret}
    )
    tried = await api.post("/v1/endpoints/main/test")
    assert (tried.status_code, tried.json()["error"][:12]) == (200, "ConnectError")
    assert (await api.post("/v1/endpoints/other/test")).status_code == 404
    (entry,) = (await api.get("/v1/audit-log", params={"action": "endpoint.test"})).json()["items"]
    assert (entry["target"], entry["detail"]["event"]) == ("main", tried.json()["event"])
    assert (await api.delete("/v1/endpoints/main")).json() == {"removed": True}
    events = (await api.get("/v1/events")).json()
    assert (
        await api.get("/v1/events", params={"cursor": events["next"]} if events["next"] else {})
    ).status_code == 200
    period = {"since": "2020-01-01T00:00:00Z", "until": soon()}
    assert (await api.get("/v1/reports/revenue", params=period)).status_code == 200
    assert (await api.get("/v1/reports/books")).json()["difference"] == 0
    assert (await api.get("/v1/reports/usage", params=period | {"by": "colour"})).status_code == 422
    assert (await api.get("/v1/reports/expiring", params={"before": soon()})).json()["items"] == []
    for path in ("homes", "steps", "runs", "outcomes"):
        assert (await api.get(f"/v1/migration/{path}")).status_code == 200, path
    assert (await api.get("/v1/migration/steps/1")).status_code == 404


async def test_rollout_steps_are_signed_by_the_caller(web) -> None:
    api = web.api
    assert (await api.get("/v1/rollout")).status_code == 404
    started = await api.post("/v1/rollout", json={"reason": "go", "stages": [10, 100], "soak_seconds": 0})
    assert (started.status_code, started.json()["state"], started.json()["actor"][:4]) == (
        201,
        "running",
        "key:",
    )
    refused = await api.post("/v1/rollout/promote", json={"reason": "now"})
    assert (refused.status_code, refused.json()["code"]) == (409, "gate_not_passed")
    stale = await api.post("/v1/rollout/halt", json={"reason": "wait", "version": 99})
    assert stale.status_code == 412
    for step, state in (
        ("halt", "halted"), ("resume", "running"), ("fallback", "running"), ("fallback/end", "running"), ("rollback", "rolling_back"),
    ):  # fmt: skip
        assert (await api.post(f"/v1/rollout/{step}", json={"reason": "test"})).json()["state"] == state, step
    log = (await api.get("/v1/rollout/log")).json()["items"]
    assert [entry["event"] for entry in log] == [
        "rollback",
        "fallback_off",
        "fallback_on",
        "resume",
        "halt",
        "start",
    ]
