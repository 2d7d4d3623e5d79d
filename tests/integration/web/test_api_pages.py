"""Lists come in pages whose cursors lose nothing and repeat nothing, also where many rows are of one instant."""

import base64
import html
import re

import httpx
import psycopg

from heller.client import AsyncClient

BASE = "http://127.0.0.1:8000"
INSTANT = "2026-01-31 12:00:00+00"
ROWS = (
    (
        "insert into heller.payments (payment_key, account_id, credits, state, created_at)"
        f" select 'p' || n, 'ann', 10, 'settled', timestamptz '{INSTANT}' + n / 3 * interval '1 second' from generate_series(1, 7) n"
    ),
    (
        "insert into heller.orders (order_id, account_id, unit, items, credits, amount, currency, livemode, expires_at, placed_at)"
        " select 'o' || n, 'ann', 'credit', '[]', 10, 100, 'eur', false, now(),"
        f" timestamptz '{INSTANT}' + n / 3 * interval '1 second' from generate_series(1, 7) n"
    ),
    (
        "insert into heller.rollout_log (rollout, event, state, stage, reason, actor)"
        " select 'home', 'halt', 'halted', n, 'a test', 'tests' from generate_series(1, 7) n"
    ),
    (
        "insert into heller.migration_runs (source_system, source_name, truth, decisions, plan_digest, snapshot_at)"
        " select 's', 'n' || n, 'balance', '{}', 'd', now() from generate_series(1, 7) n"
    ),
)
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
LEDGER = """
select heller.grant('ann', n, p_priority => n % 3, p_expires_at => now() + interval '9 days') from generate_series(1, 7) n;
select heller.hold('ann', 1) from generate_series(1, 7);
select heller.put_member('ann', 'm' || n) from generate_series(1, 7) n;
select heller.put_alert('ann', -n) from generate_series(1, 7) n;
select heller.put_webhook_endpoint('e' || n, 'http://127.0.0.1/', '{secret}') from generate_series(1, 7) n;
select heller.create_api_key('key' || n, 'a test', sha256(n::text::bytea), 'support', '{{credits:read}}', 'tests') from generate_series(1, 6) n;
"""
LISTS = {
    "/v1/payments": lambda row: row["payment_key"],
    "/v1/accounts/ann/orders": lambda row: row["order_id"],
    "/v1/rollout/log": lambda row: row["stage"],
    "/v1/migration/runs": lambda row: row["source_name"],
    "/v1/accounts/ann/grants": lambda row: row["grant"],
    "/v1/accounts/ann/holds": lambda row: row["hold"],
    "/v1/accounts/ann/members": lambda row: row["member"],
    "/v1/accounts/ann/alerts": lambda row: row["threshold"],
    "/v1/accounts/ann/transactions": lambda row: row["seq"],
    "/v1/endpoints": lambda row: row["endpoint"],
    "/v1/keys": lambda row: row["key_id"],
}


async def test_every_page_goes_on_where_the_one_before_ended(web, heller_database: str) -> None:
    await web.open("ann", user="ann")
    with psycopg.connect(heller_database, autocommit=True) as connection:
        for statement in ROWS:
            connection.execute(statement)  # type: ignore[arg-type]
        connection.execute(LEDGER.format(secret=SECRET).encode())
    for path, name in LISTS.items():
        whole = [name(row) for row in (await web.api.get(path)).json()["items"]]
        assert len(set(whole)) == len(whole) == 7, path
        for limit in (1, 2, 3, 7):
            found, cursor = [], None
            while True:
                asked = {"limit": limit} | ({"cursor": cursor} if cursor else {})
                page = (await web.api.get(path, params=asked)).json()
                found += [name(row) for row in page["items"]]
                if (cursor := page["next"]) is None:
                    break
            assert found == whole, (path, limit)


async def test_the_portals_payments_go_on_where_the_page_before_ended(web, heller_database: str) -> None:
    await web.open("ann", user="ann")
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute(ROWS[0])  # type: ignore[arg-type]
        query = "select p ->> 'payment' from heller.payments_of('ann', p_before => %s, p_limit => %s) p"
        whole = [name for (name,) in connection.execute(query, [None, 100])]
        assert len(whole) == 7
        for limit in (1, 2, 3):
            found: list[str] = []
            while page := connection.execute(query, [found[-1] if found else None, limit]).fetchall():
                found += [name for (name,) in page]
            assert found == whole


async def test_what_is_no_cursor_is_refused(web) -> None:
    await web.open("ann", user="ann")
    for path in LISTS:
        for cursor in ("WyJ4Il0", "e30", "bm9uc2Vuc2U"):  # ["x"], {}, nonsense
            answer = await web.api.get(path, params={"cursor": cursor})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument"), path


async def test_a_cursor_belongs_to_one_list_of_one_account(web) -> None:
    for name in ("ann", "bob"):
        await web.open(name, user=name)
        for _ in range(3):
            await web.api.post(f"/v1/accounts/{name}/grants", json={"amount": 5})
    grants = (await web.api.get("/v1/accounts/ann/grants", params={"limit": 2})).json()
    for path in ("/v1/accounts/bob/grants", "/v1/accounts/ann/holds", "/v1/accounts/ann/transactions"):
        answer = await web.api.get(path, params={"cursor": grants["next"]})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
        assert "another list" in answer.json()["detail"]
    # those of version 0.1.0 did not say whose they are
    of_an_older_version = base64.urlsafe_b64encode(b"2").decode().rstrip("=")
    answer = await web.api.get("/v1/accounts/ann/transactions", params={"cursor": of_an_older_version})
    assert [row["seq"] for row in answer.json()["items"]] == [1]
    beyond = base64.urlsafe_b64encode(b"9999999999999999999").decode().rstrip("=")
    answer = await web.api.get("/v1/accounts/ann/transactions", params={"cursor": beyond})
    assert answer.status_code == 422


async def test_the_client_turns_the_pages_of_a_long_list(web, heller_database: str) -> None:
    await web.open("ann", user="ann")
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute("select heller.put_member('ann', 'm' || n) from generate_series(1, 1001) n")
    transport = httpx.ASGITransport(web.app)
    async with AsyncClient("http://127.0.0.1:8000", key=await web.key(), transport=transport) as client:
        members = await client.members("ann")
    assert len({member.member for member in members}) == 1_001


async def test_the_portals_grants_go_on_where_the_page_before_ended(web, heller_database: str) -> None:
    await web.open("ann", user="ann")
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute(
            "select heller.grant('ann', n, p_reason => 'gift ' || n) from generate_series(1, 201) n"
        )
    made = await web.api.post("/v1/portal-sessions", json={"user": "ann", "path": "/portal/grants"})
    async with web.client() as browser:
        browser.follow_redirects = True
        url, shown, pages = made.json()["url"].removeprefix(BASE), "", 0
        while url:
            page = (await browser.get(url)).text
            shown, pages = shown + page, pages + 1
            following = re.search(r'href="([^"]*after=[^"]*)" rel="next"', page)
            url = html.unescape(following[1]) if following else ""
        assert (await browser.get("/portal/grants", params={"after": 999})).status_code == 422
    assert pages == 2
    assert set(re.findall(r"gift (\d+)", shown)) == {str(n) for n in range(1, 202)}
