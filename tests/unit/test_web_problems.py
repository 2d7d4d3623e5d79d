"""Every error of heller as a problem: a stable type, a status of its own kind, its data, no surprise."""

from collections.abc import Iterator

import msgspec
import pytest

from heller import errors
from heller.web import problems


def tree(kind: type[errors.HellerError]) -> Iterator[type[errors.HellerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


KINDS = [kind for kind in tree(errors.HellerError) if kind.__module__ in {errors.__name__, problems.__name__}]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_a_problem(kind: type[errors.HellerError]) -> None:
    answer = problems.answer(kind("what happened", hint="what to do"), request_id="abc")
    document = msgspec.json.decode(answer.body)
    assert (document["type"], document["code"]) == (f"urn:heller:problem:{kind.code}", kind.code)
    assert (document["status"], document["detail"], document["hint"]) == (
        answer.status_code,
        "what happened",
        "what to do",
    )
    assert 400 <= answer.status_code < 600
    assert document["title"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in KINDS if "code" in vars(kind)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (errors.InsufficientCredits("x"), 402, None),
        (errors.UnknownAccount("x"), 404, None),
        (errors.AccountFrozen("x"), 423, None),
        (errors.AccountAway("x", home="legacy"), 409, None),
        (errors.AccountAway("x", home="moving"), 503, "1"),
        (errors.IdempotencyConflict("x"), 409, None),
        (errors.StaleVersion("x"), 412, None),
        (errors.Busy("x"), 503, "1"),
        (errors.DatabaseUnavailable("x"), 503, "1"),
        (errors.ProviderError("x"), 502, None),
        (errors.IntegrityError("x"), 500, None),
        (problems.TooManyRequests("x", retry_after=7), 429, "7"),
        (problems.NotSetUp("x"), 501, None),
    ],
)  # fmt: skip
def test_statuses_say_what_to_do(error: errors.HellerError, status: int, retry_after: str | None) -> None:
    answer = problems.answer(error)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
