"""An alias file: more skills than the own list has, by the names that others give them.

``RESUME_MATCHER_ALIASES`` names it; ``heller-resume-matcher esco`` makes one out of ESCO's published CSV files.
"""

import os
from pathlib import Path
from typing import Annotated

import msgspec

from resume_matcher.errors import InvalidInput

VARIABLE = "RESUME_MATCHER_ALIASES"
FILE_BYTES_MAX = 64 * 1024 * 1024
SKILLS_MAX = 50_000
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Aliases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``skills``: each with its other names; ``exact``: names that count only in capitals or in this very spelling."""

    source: str
    skills: Annotated[dict[Name, list[Name]], msgspec.Meta(max_length=SKILLS_MAX)]
    exact: list[Name] = []


def named() -> Aliases | None:
    """The file that the environment names, if any.

    Raises:
        InvalidInput: it cannot be read, or is no alias file.
    """
    path = os.environ.get(VARIABLE)
    return read(Path(path)) if path else None


def read(path: Path) -> Aliases:
    """An alias file.

    Raises:
        InvalidInput: it cannot be read, or is no alias file.
    """
    try:
        if (size := path.stat().st_size) > FILE_BYTES_MAX:
            raise InvalidInput(
                f"{path} has {size:,} bytes; at most {FILE_BYTES_MAX:,} are read.", reason="aliases"
            )
        return msgspec.json.decode(path.read_bytes(), type=Aliases)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.", hint=f"{VARIABLE} names it.", reason="aliases"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} is no alias file: {error}.",
            hint="Make one by 'heller-resume-matcher esco skills_en.csv skills_de.csv --to FILE'.",
            reason="aliases",
        ) from None


def write(aliases: Aliases, path: Path) -> None:
    """Write an alias file, whole or not at all.

    Raises:
        InvalidInput: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(aliases), indent=1) + b"\n")
        unfinished.replace(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.", reason="aliases") from None
