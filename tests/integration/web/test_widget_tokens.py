"""Tokens for the balance widget, asked for over the API."""

import re

from heller.web.principal import Role


async def test_a_token_shows_the_balance_it_was_made_for_and_nothing_else(web) -> None:
    await web.open("ann", 70)
    async with web.client(await web.key("portal:write")) as client:
        made = (await client.post("/v1/widget-tokens", json={"account": "ann"})).json()
        assert made["script"].endswith("/widget.js")
        shown = await client.post("/widget/balance?lang=en", content=made["token"])
        assert (shown.json()["available"], shown.json()["label"]) == (70, "credits available")
        assert (
            await client.post(
                "/v1/accounts/ann/spend",
                json={"amount": 1},
                headers={"authorization": f"Bearer {made['token']}"},
            )
        ).status_code == 401
        script = (await client.get("/widget.js")).text
        assert not re.search(r"https?://(?!credits\.example)", script)


async def test_tokens_are_made_by_who_may_and_for_accounts_that_are_there(web) -> None:
    await web.open("ann", 70)
    async with web.client(await web.key("credits:read")) as client:
        assert (await client.post("/v1/widget-tokens", json={"account": "ann"})).status_code == 403
    async with web.client(await web.key("portal:write", role=Role.operator)) as client:
        assert (await client.post("/v1/widget-tokens", json={"account": "bob"})).status_code == 404
        assert (
            await client.post("/v1/widget-tokens", json={"account": "ann", "seconds": 1})
        ).status_code == 422
