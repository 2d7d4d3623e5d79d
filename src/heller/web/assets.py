"""Files of ours that browsers fetch: their addresses change with their content, so they may be kept for ever."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
KEEP = "public, max-age=31536000, immutable"


def static(path: str) -> str:
    """The URL of a file of ours, new whenever the file is."""
    return f"/static/{path}?v={_digest(path)}"


@lru_cache
def _digest(path: str) -> str:
    return sha256((STATIC / path).read_bytes()).hexdigest()[:12]


class Assets(StaticFiles):
    """The files. One asked for by its versioned address is kept for ever, otherwise it is asked about each time."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, and how long it may be kept."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = KEEP if scope["query_string"].startswith(b"v=") else "no-cache"
        return response
