"""heller over HTTP for Python: ``Client`` and ``AsyncClient``, with the verbs and errors of the library."""

from heller.client.asynchronous import AsyncClient
from heller.client.synchronous import Client

__all__ = ["AsyncClient", "Client"]
