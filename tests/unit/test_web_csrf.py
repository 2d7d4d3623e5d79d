"""The tokens of forms: many faces, one secret."""

import base64
from types import SimpleNamespace

import pytest

from heller.web import csrf
from heller.web.problems import Forbidden


def asked(session: dict, given: str | None):
    return SimpleNamespace(session=session, headers={} if given is None else {csrf.HEADER: given}, form=None)


async def test_every_token_of_a_session_is_taken_and_none_repeats() -> None:
    session: dict = {}
    tokens = {csrf.token(asked(session, None)) for _ in range(50)}
    assert len(tokens) == 50
    for token in tokens:
        await csrf.protect(asked(session, token))


@pytest.mark.parametrize(
    "change", ["", "x", "ü", "AAAA", base64.urlsafe_b64encode(bytes(48)).decode(), "another"]
)
async def test_what_is_no_token_of_the_session_is_refused(change: str) -> None:
    session: dict = {}
    csrf.token(asked(session, None))
    given = csrf.token(asked({}, None)) if change == "another" else change
    with pytest.raises(Forbidden):
        await csrf.protect(asked(session, given))


async def test_a_session_without_a_secret_takes_nothing() -> None:
    with pytest.raises(Forbidden):
        await csrf.protect(asked({}, csrf.token(asked({}, None))))
