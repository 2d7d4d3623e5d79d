"""Beside a legacy system the API's outcomes are the guardrails' evidence; alone, nothing is recorded."""

import pytest

from heller.errors import SettingsError
from heller.web.settings import load


async def _outcomes(web):
    async with web.wiring.database.connection() as connection:
        query = "select what, account_id, failed, operation_id from heller.observations order by observation"
        return await (await connection.execute(query)).fetchall()


async def test_operations_are_observed_only_beside_a_legacy_system(serve, heller_database, empty_database):
    async with serve(heller_database) as web:
        await web.open("ann", 100)
        assert (await web.api.post("/v1/accounts/ann/spend", json={"amount": 1})).status_code == 200
        assert await _outcomes(web) == []
    async with serve(heller_database, legacy_url=empty_database) as web:
        for _ in range(2):
            spent = await web.api.post(
                "/v1/accounts/ann/spend", json={"amount": 1}, headers={"idempotency-key": "a"}
            )
            assert spent.status_code == 200
        assert (await web.api.post("/v1/accounts/ann/spend", json={"amount": 1_000})).status_code == 402
        await web.api.get("/v1/accounts/ann")
        async with web.wiring.database.connection() as connection:
            await connection.execute(
                "create function broken() returns trigger language plpgsql as $$begin raise 'out of order'; end$$;"
                " create trigger broken before insert on heller.transactions for each row execute function broken()"
            )
        assert (await web.api.post("/v1/accounts/ann/spend", json={"amount": 1})).status_code == 500
        found = await _outcomes(web)
        assert [row[:3] for row in found] == [
            ("spend", "ann", False),
            ("spend", "ann", False),
            ("spend", "ann", True),
        ]
        assert found[0][3] == "spend:ann:a"


def test_legacy_webhook_without_a_secret_refuses_to_start():
    with pytest.raises(SettingsError, match="HELLER_LEGACY_WEBHOOK_SECRET"):
        load(legacy_webhook_url="http://legacy.example.com/hook")
