"""Lists come in pages whose cursors lose nothing and repeat nothing, also where many rows are of one instant."""

import psycopg
import pytest

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
LISTS = {
    "/v1/payments": lambda row: row["payment_key"],
    "/v1/accounts/ann/orders": lambda row: row["order_id"],
    "/v1/rollout/log": lambda row: row["stage"],
    "/v1/migration/runs": lambda row: row["source_name"],
}


async def test_every_page_goes_on_where_the_one_before_ended(web, heller_database: str) -> None:
    await web.open("ann", user="ann")
    with psycopg.connect(heller_database, autocommit=True) as connection:
        for statement in ROWS:
            connection.execute(statement)  # type: ignore[arg-type]
    for path, name in LISTS.items():
        whole = [name(row) for row in (await web.api.get(path)).json()["items"]]
        assert len(set(whole)) == 7
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


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_of_another_list_is_refused(web, path: str) -> None:
    await web.open("ann", user="ann")
    for cursor in ("WyJ4Il0", "IiI", "bm9uc2Vuc2U"):  # ["x"], "", nonsense
        answer = await web.api.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
