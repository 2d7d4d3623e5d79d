"""``heller keys``: made, listed without its secret, revoked; each noted."""

import json

import psycopg
from typer.testing import CliRunner

from heller.cli.keys import app
from heller.errors import InvalidArgument


def heller(database: str, *arguments: str):
    return CliRunner().invoke(app, [*arguments, "--database", database], env={"USER": "ann"})


def test_keys_are_made_listed_and_revoked(heller_database: str) -> None:
    made = heller(
        heller_database, "create", "shop", "--scope", "credits:read", "--role", "support", "--rate", "60"
    )
    secret = made.stdout.strip()
    key_id = secret.split("_")[1]
    listed = heller(heller_database, "list", "--json")
    (key,) = json.loads(listed.stdout)
    assert (key["key_id"], key["scopes"], key["created_by"], key["rate_per_minute"]) == (
        key_id,
        ["credits:read"],
        "ann",
        60,
    )
    assert secret.rsplit("_", 1)[1] not in listed.stdout
    assert "revoked by ann" in heller(heller_database, "revoke", key_id).stdout
    assert json.loads(heller(heller_database, "list", "--json").stdout) == []
    assert len(json.loads(heller(heller_database, "list", "--all", "--json").stdout)) == 1
    with psycopg.connect(heller_database) as connection:
        log = connection.execute(
            "select action, actor, via, target from heller.audit_log order by entry"
        ).fetchall()
        kept = connection.execute("select k::text from heller.api_keys k").fetchone()
    assert log == [
        ("key.create", "user:ann", "command_line", key_id),
        ("key.revoke", "user:ann", "command_line", key_id),
    ]
    assert secret.rsplit("_", 1)[1] not in kept[0]


def test_a_scope_that_the_role_has_not_is_refused(heller_database: str) -> None:
    refused = heller(heller_database, "create", "shop", "--scope", "keys:write", "--role", "support")
    assert isinstance(refused.exception, InvalidArgument)
    assert isinstance(heller(heller_database, "revoke", "nothing").exception, InvalidArgument)
