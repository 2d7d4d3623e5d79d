"""The OpenAPI document says what the API does: Schemathesis asks all of it and finds nothing."""

import re
import subprocess
import sys
from pathlib import Path

from heller.database import connect
from heller.web import keys
from heller.web.app import create_app
from heller.web.principal import SCOPES, Role
from heller.web.settings import load

SEED = "20261125"


async def test_schemathesis_finds_nothing(served, tmp_path) -> None:
    async with await connect(served.database) as connection:
        made = await keys.create(connection, "fuzz", role=Role.admin, actor="tests")
    done = subprocess.run(  # noqa: ASYNC221  # as above
        [
            Path(sys.executable).parent / "st", "--config-file", str(Path(__file__).parent / "schemathesis.toml"),
            "run", f"{served.url}/v1/openapi.json", "--header", f"Authorization: Bearer {made.secret}",
            "--phases", "fuzzing", "--max-examples", "3", "--seed", SEED, "--no-shrink", "--warnings", "off",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr
    tested = int(re.search(r"Tested: (\d+)", done.stdout)[1])
    assert tested == sum(len(item) for item in document()["paths"].values())


def document() -> dict:
    return create_app(load(), url="postgresql://nowhere").openapi()


def test_every_operation_says_who_may_and_what_can_go_wrong() -> None:
    whole = document()
    paths = whole["paths"]
    operations = {
        (method, path): operation for path, item in paths.items() for method, operation in item.items()
    }
    assert len(operations) > 80
    names = [operation["operationId"] for operation in operations.values()]
    assert len(names) == len(set(names))
    for place, operation in operations.items():
        (scope,) = operation["security"][0]["bearer"]
        assert scope in SCOPES, place
        assert operation["description"], place
        answers = operation["responses"]
        assert {"401", "403", "422", "429", "503"} <= answers.keys(), place
        for status, answer in answers.items():
            if status >= "4":
                problems = whole["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
                assert problems["content"]["application/problem+json"]["examples"], (place, status)
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= answers.keys(), place
    used = {operation["security"][0]["bearer"][0] for operation in operations.values()}
    assert used == SCOPES.keys(), "a scope that opens nothing"
