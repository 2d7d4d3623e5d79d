"""The TypeScript client against a running heller, in Node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from heller.database import connect
from heller.web import keys
from heller.web.principal import Role

CLIENT = Path(__file__).parents[3] / "clients" / "typescript"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="there is no Node on this machine")
async def test_typescript_client_in_node(served) -> None:
    async with await connect(served.database) as connection:
        made = await keys.create(connection, "node", role=Role.operator, actor="tests")
    done = subprocess.run(  # noqa: ASYNC221  # nothing else runs meanwhile
        [NODE, "--test", "test/"],
        cwd=CLIENT, env=os.environ | {"HELLER_URL": served.url, "HELLER_KEY": made.secret},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout
