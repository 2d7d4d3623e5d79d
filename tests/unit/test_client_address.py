"""The address a client is given."""

import pytest

from heller.client import AsyncClient, Client
from heller.errors import InvalidArgument


@pytest.mark.parametrize(
    "url",
    ["", "credits.example.org", "127.0.0.1:8000", "ftp://a", "https://", "https://a/v1", "https://a/v1/"],
)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_what_is_no_address_is_refused_at_once(client: type[Client] | type[AsyncClient], url: str) -> None:
    with pytest.raises(InvalidArgument, match="not the address of a heller serve"):
        client(url, key="heller_x")


def test_an_address_may_have_a_path_of_a_proxy() -> None:
    for url in ("http://127.0.0.1:8000", "https://example.org/credits/"):
        Client(url, key="heller_x").close()
