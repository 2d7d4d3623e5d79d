"""A database that cannot be opened is told in a sentence that has nothing of the password in it."""

import psycopg
import pytest

from heller.database import connect
from heller.errors import DatabaseUnavailable, InvalidArgument


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://u:s3cret@[bad", InvalidArgument),
        ("postgresql://u:s3cr/et@127.0.0.1/x", DatabaseUnavailable),
        ("postgres:/u:s3cret@127.0.0.1/x password=s3cret", InvalidArgument),
        ("host=127.0.0.1 password=pass s3cret", InvalidArgument),
        ("postgresql://u:s3cret@127.0.0.1:1/x", DatabaseUnavailable),
        ("postgresql://u:x@s3cret/x@127.0.0.1:1/x", DatabaseUnavailable),
    ],
)
async def test_a_wrong_url_is_told_without_its_password(url: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        await connect(url)
    assert isinstance(caught.value.__cause__, psycopg.Error)
    assert "s3cr" not in str(caught.value)


async def test_what_is_no_secret_is_told() -> None:
    with pytest.raises(InvalidArgument, match='after "nonsense"'):
        await connect("nonsense")
    with pytest.raises(DatabaseUnavailable, match='port number: "99999"'):
        await connect("postgresql://u:s3cret@127.0.0.1:99999/x")
