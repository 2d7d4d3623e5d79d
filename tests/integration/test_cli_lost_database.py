"""A command whose database goes away in the middle says so, without a trace of the code."""

import psycopg
import pytest

from heller.cli import options
from heller.errors import DatabaseUnavailable


def test_a_session_that_is_ended_under_a_command_is_a_database_that_is_away(server_url: str) -> None:
    async def command() -> None:
        async with await psycopg.AsyncConnection.connect(server_url) as connection:
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseUnavailable, match="cannot be reached: terminating connection"):
        options.run(command())
