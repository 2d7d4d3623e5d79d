"""The balance widget on a page of another origin."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from playwright.async_api import expect

from heller.web import widget

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextlib.contextmanager
def another_site(html, policy):
    """A page of somebody else, on a port of its own, that allows scripts and requests only as ``policy`` says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = html.encode() if self.path == "/" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def embedding(site, token, **data):
    given = "".join(f' data-{name}="{value}"' for name, value in data.items())
    return f'<!doctype html><title>shop</title><p>Hello</p><script src="{site.url}/widget.js" data-token="{token}"{given} async></script>'


async def test_one_script_tag_shows_the_balance_on_another_origin(site, as_role) -> None:
    await site.heller.open_account("widget-1", user="widget-1")
    await site.heller.grant("widget-1", 1_234)
    token = widget.sign(site.environment["HELLER_SECRET_KEY"], "widget-1", "credit", seconds=600)
    page = await as_role(None)
    policy = (
        f"default-src 'none'; script-src {site.url}; connect-src {site.url}"  # not even styles of its own
    )
    with another_site(embedding(site, token, lang="de"), policy) as address:
        await page.goto(address)
        shown = page.locator("heller-balance")
        await expect(shown).to_contain_text("1.234")
        await expect(shown).to_contain_text("Credits verfügbar")
        await expect(shown.get_by_role("link", name="Mehr kaufen")).to_have_attribute(
            "href", f"{site.url}/portal/buy"
        )
        await site.heller.spend("widget-1", 34)
        await page.evaluate("dispatchEvent(new Event('heller:refresh'))")
        await expect(shown).to_contain_text("1.200")


async def test_a_token_that_is_over_or_forged_shows_nothing(site) -> None:
    await site.heller.open_account("widget-2", user="widget-2")
    secret = site.environment["HELLER_SECRET_KEY"]
    good = widget.sign(secret, "widget-2", "credit", seconds=600)
    tokens = {
        "over": widget.sign(secret, "widget-2", "credit", seconds=-1),
        "of another secret": widget.sign(
            "another secret of some length, long enough", "widget-2", "credit", seconds=600
        ),
        "cut": good[:-2],
        "empty": "",
        "not one": "\x00\xff",
    }
    async with httpx.AsyncClient(base_url=site.url) as client:
        for name, token in tokens.items():
            answer = await client.post("/widget/balance", content=token.encode())
            assert (name, answer.status_code, "available" in answer.json()) == (name, 401, False)
            assert answer.headers["access-control-allow-origin"] == "*"
        huge = await client.post("/widget/balance", content=b"x" * 2_000)
        assert huge.status_code == 413
        assert (await client.post("/widget/balance", content=good)).json()["available"] == 0
        assert "set-cookie" not in (await client.get("/widget.js")).headers
