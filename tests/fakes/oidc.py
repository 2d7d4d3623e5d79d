"""An OpenID provider in a process of its own (oidc-provider-mock), with people of the tests."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

import httpx

START_SECONDS_MAX = 20
ROLE = "https://heller/role"
PEOPLE = (
    {"sub": "auth0|anna", "name": "Anna", "email": "anna@example.org", "email_verified": True},
    {"sub": "auth0|ben", "name": "Ben", "email": "Anna@example.org", "email_verified": True},
    {"sub": "auth0|eve", "name": "Eve", "email": "anna@example.org", "email_verified": False},
    {"sub": "auth0|olga", "name": "Olga", "email": "olga@example.org", ROLE: ["operator"]},
    {"sub": "auth0|adam", "name": "Adam", "email": "adam@example.org", ROLE: "admin support"},
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def provider(port: int) -> Iterator[str]:
    """The issuer's URL; the keys are new at each start."""
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    for person in PEOPLE:
        command += ["--user-claims", json.dumps(person)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"NO_COLOR": "1"})
    issuer = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{issuer}/.well-known/openid-configuration").is_success:
                    break
            assert time.monotonic() < deadline, "the provider did not start"
            assert process.poll() is None, "the provider ended"
            time.sleep(0.05)
        yield issuer
    finally:
        process.terminate()
        process.wait()


@lru_cache
def token(issuer: str, subject: str, *, client: str = "heller") -> str:
    """An RS256 token of a person for a client, got by the code flow."""
    query = {
        "client_id": client,
        "redirect_uri": "http://127.0.0.1/x",
        "response_type": "code",
        "scope": "openid profile email",
    }
    back = httpx.post(f"{issuer}/oauth2/authorize", params=query, data={"sub": subject})
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": query["redirect_uri"],
        "client_id": client,
    }
    answer = httpx.post(f"{issuer}/oauth2/token", data=form, auth=(client, "any")).json()
    return str(answer["id_token"])


def agree(url: str, subject: str) -> str:
    """Sign in at the provider; where it sends the browser back to."""
    return httpx.post(url, data={"sub": subject}).headers["location"]


def csrf_of(page: str) -> str:
    """The token of a page's form."""
    return re.search(r'name="csrf" value="([^"]+)"', page)[1]
