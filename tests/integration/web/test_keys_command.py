"""``heller keys``: made, listed without its secret, revoked; each noted."""

import json
from datetime import UTC, datetime, timedelta

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


def test_a_key_is_followed_by_another_like_it(heller_database: str) -> None:
    options = ("--scope", "credits:read", "--role", "support", "--rate", "60", "--json")
    old = json.loads(heller(heller_database, "create", "shop", *options).stdout)["api_key"]
    made = heller(heller_database, "rotate", old["key_id"], "--overlap", "36h", "--json")
    new = json.loads(made.stdout)
    same = ("name", "role", "scopes", "rate_per_minute")
    assert [new["api_key"][field] for field in same] == [old[field] for field in same]
    left = datetime.fromisoformat(new["followed"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=35, minutes=59) < left <= timedelta(hours=36)
    assert (new["followed"]["is_valid"], new["api_key"]["expires_at"]) == (True, None)
    with psycopg.connect(heller_database) as connection:
        used = connection.execute(
            "select heller.use_api_key(%s, sha256(%s)) ->> 'key_id'",
            [new["api_key"]["key_id"], new["secret"].split("_", 2)[2].encode()],
        ).fetchone()
        log = connection.execute(
            "select target, detail ->> 'new' from heller.audit_log where action = 'key.rotate'"
        ).fetchall()
    assert used == (new["api_key"]["key_id"],)
    assert log == [(old["key_id"], new["api_key"]["key_id"])]
    at_once = heller(heller_database, "rotate", new["api_key"]["key_id"], "--overlap", "0")
    assert at_once.stdout.startswith("heller_")
    assert f"{new['api_key']['key_id']} has ended" in at_once.stderr
    valid = {key["key_id"] for key in json.loads(heller(heller_database, "list", "--json").stdout)}
    assert valid == {old["key_id"], at_once.stdout.split("_")[1]}


def test_a_rotation_that_cannot_be_changes_nothing(heller_database: str) -> None:
    lasting = json.loads(heller(heller_database, "create", "shop", "--json").stdout)["api_key"]["key_id"]
    ending = json.loads(
        heller(heller_database, "create", "shop", "--expires-at", "2199-01-01", "--json").stdout
    )["api_key"]["key_id"]
    gone = json.loads(heller(heller_database, "create", "shop", "--json").stdout)["api_key"]["key_id"]
    heller(heller_database, "revoke", gone)
    before = heller(heller_database, "list", "--all", "--json").stdout
    for line, said in (
        (("nothing",), "no key nothing"),
        ((f"heller_{lasting}_{'s' * 43}",), "by its id"),  # and nothing is told of the secret
        ((gone,), "has ended"),
        ((ending,), "say when"),
        ((lasting, "--overlap", "91d"), "90 days"),
        ((lasting, "--overlap", "soon"), "no length of time"),
        ((lasting, "--expires-at", "2020-01-01"), "not ahead"),
    ):
        refused = heller(heller_database, "rotate", *line)
        assert isinstance(refused.exception, InvalidArgument), line
        assert said in str(refused.exception)
    assert heller(heller_database, "list", "--all", "--json").stdout == before
    followed = heller(heller_database, "rotate", ending, "--expires-at", "2199-06-01", "--json")
    assert json.loads(followed.stdout)["api_key"]["expires_at"].startswith("2199-06-01")
