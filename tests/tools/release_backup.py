"""Keep a backup made by this release: ``tests/integration/test_upgrade.py`` brings it into each later one.

Run once, when a version is released: ``.venv/bin/python tests/tools/release_backup.py``.
"""

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
RELEASES = ROOT / "tests" / "fixtures" / "releases"
sys.path.insert(0, str(ROOT / "tests"))

import console_world  # noqa: E402 - found beside this folder
from heller import Heller, backup, embedded, schema  # noqa: E402 - after it


async def fill(url: str) -> None:
    """Something in most tables: every verb, an account in debt, a frozen one, a team, deliveries in every state."""
    async with Heller.connect(url) as heller:
        await console_world.accounts(heller)
        await heller.grant("ada.lovelace", 100, key="kept-grant", source="purchase", cost=500, currency="eur")
        spent = await heller.spend("ada.lovelace", 7, key="kept-spend", reason="job analysis")
        await heller.refund("ada.lovelace", spent.seq, 2, key="kept-refund")
        hold = await heller.place_hold("ada.lovelace", 9, key="kept-hold")
        await heller.capture("ada.lovelace", hold.hold, 4, key="kept-capture")
        await heller.place_hold("ada.lovelace", 3, key="open-hold")
        await heller.transfer("ada.lovelace", "in-debt", 1, key="kept-transfer")
    await console_world.deliveries(url)


async def main() -> None:
    """Make the backup of the version that is installed; a released one is never made again."""
    folder = RELEASES / version("heller")
    if folder.exists():
        raise SystemExit(f"{folder.relative_to(ROOT)} is there: a release is kept as it was.")
    with embedded.running() as server:
        await schema.apply(server.url)
        await fill(server.url)
        await backup.backup(server.url, folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.relative_to(ROOT)}: {size:,} bytes")


if __name__ == "__main__":
    asyncio.run(main())
