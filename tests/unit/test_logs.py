"""A line of the log has ids, and nothing that names a person or opens a door."""

import json
import logging

import pytest
import structlog

from heller import logs


@pytest.fixture(autouse=True)
def as_before() -> object:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_line_is_json_with_ids_and_no_person(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(terminal=False)
    structlog.contextvars.bind_contextvars(request_id="r1", user="u7", key_id="k3")
    try:
        raise ValueError("nobody is known as ann@example.org at postgresql://heller:hunter2@db/heller")
    except ValueError as error:
        structlog.get_logger("heller").exception(
            "a request failed",
            error=str(error),
            email="ann@example.org",
            secret="whsec_abc",  # noqa: S106 - made up
            hint="use sk_live_12345 or heller_0a1b2c3d4e5f_opens-the-door",
        )
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"], said["request_id"], said["user"], said["key_id"]) == (
        "a request failed", "error", "r1", "u7", "k3",
    )  # fmt: skip
    assert "email" not in said
    assert "secret" not in said
    for word in ("ann@example.org", "hunter2", "sk_live_12345", "opens", "door"):
        assert word not in line
    assert "<e-mail>" in said["error"]
    assert said["exception"][0]["exc_type"] == "ValueError"
    assert said["exception"][0]["frames"][0]["name"] == "test_line_is_json_with_ids_and_no_person"
    assert "locals" not in said["exception"][0]["frames"][0]


def test_library_logs_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # again changes nothing
        logs.configure(terminal=False)
    logging.getLogger("psycopg.pool").warning("no answer of %s", "postgresql://heller:s3cr/et@db/heller")
    logging.getLogger("uvicorn.error").info("not worth a line")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"]) == ("no answer of postgresql://heller:...@db/heller", "warning")
    assert said["logger"] == "psycopg.pool"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://heller::/ter@x@db/heller", "host=db password=hunter2 dbname=heller",
        "password = 'hunter 2'", "heller_0a1b2c3d4e5f_hunter2", "sk_live_hunter2",
    ],
)  # fmt: skip
def test_nothing_that_opens_a_door_is_left(text: str) -> None:
    assert "ter" not in logs.without_secrets(text)
