"""List the licence of everything we depend on at run time; end with 1 where one is not on the list we accept.

Reads what is installed, so it needs no network. A licence nobody has looked at yet is a failure, not a guess.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
ACCEPTED = (
    r"\bMIT\b|\bBSD\b|BSD-[0-3]|\b0BSD\b|Apache|\bISC\b|PSF|Python Software Foundation|MPL|Mozilla Public|\bZlib\b"
    r"|Unlicense|\bCC0\b|MIT-CMU|HPND|PostgreSQL|LGPL|GNU Lesser"
)
LOOKED_AT: dict[str, str] = {}
"""Packages whose metadata names no licence, and what their own licence file says."""


def packages() -> list[str]:
    """The names in the locked files of what users install."""
    texts = [
        (ROOT / "requirements" / name).read_text(encoding="utf-8")
        for name in ("runtime.txt", "resume-matcher.txt")
    ]
    return sorted(
        {name for text in texts for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE)}
    )


def licence_of(found: Distribution) -> str:
    """What the package says of itself, the most exact first."""
    said = found.metadata
    classifiers = [
        c.rpartition(" :: ")[2] for c in said.get_all("Classifier") or [] if c.startswith("License ::")
    ]
    expression = said.get("License-Expression") or " / ".join(classifiers)
    return (
        expression or (said.get("License") or "").strip().splitlines()[0][:80]
        if (expression or said.get("License"))
        else ""
    )


def main() -> int:
    """Print the table."""
    unknown = []
    for name in packages():
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # for another system or Python
        licence = LOOKED_AT.get(name) or licence_of(found)
        is_accepted = bool(re.search(ACCEPTED, licence, flags=re.IGNORECASE)) and not re.search(
            r"\bA?GPL", re.sub(r"LGPL", "", licence)
        )
        sys.stdout.write(
            f"{name} {found.version}: {licence or 'says nothing'}{'' if is_accepted else '   <-- look at it'}\n"
        )
        unknown += [] if is_accepted else [name]
    if unknown:
        sys.stderr.write(f"Not on the list of tests/tools/licences.py: {', '.join(unknown)}\n")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
