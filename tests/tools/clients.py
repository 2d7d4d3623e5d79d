"""Write what is made of other files: the synchronous client of the asynchronous one, the TypeScript client of the OpenAPI."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASYNCHRONOUS = ROOT / "src/heller/client/asynchronous.py"
SYNCHRONOUS = ROOT / "src/heller/client/synchronous.py"
WORDS = {
    "AsyncClient": "Client",
    "AsyncHold": "Hold",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncIterator": "Iterator",
    "async def": "def",
    "async with": "with",
    "await ": "",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "asyncio.sleep": "time.sleep",
    "import asyncio": "import time",
}
HEAD = '"""The client for synchronous programs. Made of ``asynchronous.py`` by ``tests/tools/clients.py``; not edited."""'


def synchronous() -> str:
    """The synchronous client."""
    text = ASYNCHRONOUS.read_text(encoding="utf-8")
    text = HEAD + text[text.index("\n") :]
    pattern = re.compile("|".join(re.escape(word) for word in sorted(WORDS, key=len, reverse=True)))
    text = pattern.sub(lambda found: WORDS[found[0]], text)
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(SYNCHRONOUS), "-"],
        input=text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return formatted.stdout


def files() -> dict[Path, str]:
    """Every file and what it must contain."""
    return {SYNCHRONOUS: synchronous()}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
