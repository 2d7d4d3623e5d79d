"""Every released version's data comes into this one, whole and spendable."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from heller import Heller, backup, schema

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]
ROOT = Path(__file__).parents[2]
RELEASES = ROOT / "tests" / "fixtures" / "releases"
KEPT = sorted(folder.name for folder in RELEASES.iterdir() if folder.is_dir())


def test_each_release_in_the_changelog_is_kept() -> None:
    released = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sorted(released) == KEPT, "tests/tools/release_backup.py keeps one"


@pytest.mark.parametrize("release", KEPT)
async def test_its_data_comes_into_this_version(release: str, empty_database: str) -> None:
    result = await backup.restore(RELEASES / release, empty_database)
    assert result.is_ok, result.as_json()
    assert await schema.verify(empty_database) == []
    async with Heller.connect(empty_database) as heller:
        before = await heller.balance(
            "ada.lovelace"
        )  # what has expired since the release is settled by the next verb
        spent = await heller.spend("ada.lovelace", 7, key="kept-spend", reason="job analysis")
        assert spent.replayed
        assert (await heller.place_hold("ada.lovelace", 3, key="open-hold")).replayed
        assert (await heller.balance("ada.lovelace")).available == before.available
        await heller.grant("ada.lovelace", 5)
        assert (await heller.spend("ada.lovelace", 5)).available == before.available
