"""Signing in, and what an address that is wrong shows."""

import pytest
from playwright.async_api import expect

from ui_site import serious_issues

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_sign_in_page_says_that_it_is_for_development(as_role) -> None:
    page = await as_role(None)
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_role("complementary", name="For development")).to_contain_text(
        "Development sign-in"
    )
    assert await serious_issues(page) == []


async def test_a_wrong_address_is_a_page_in_the_readers_language(as_role) -> None:
    page = await as_role(None, locale="de-DE")
    response = await page.goto("/nowhere")
    assert response.status == 404
    await expect(page.get_by_role("heading", name="Hier ist nichts")).to_be_visible()
    assert await serious_issues(page) == []
