"""Every command on the ledger, run once as its program is: what it prints as JSON, its exit code, its refusals."""

import contextlib
import csv
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heller.cli import main

Ask = Callable[..., Any]
LOOKS_MAX = 200


@pytest.fixture
def ask(heller_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command in this process; its JSON, or its text with ``as_json=False``."""
    monkeypatch.setenv("DATABASE_URL", heller_database)

    def run(line: str, *more: str, code: int = 0, as_json: bool = True) -> Any:
        monkeypatch.setattr(sys, "argv", ["heller", *line.split(), *more, *(["--json"] if as_json else [])])
        ended = 0
        try:
            main.run()
        except SystemExit as end:
            ended = int(end.code or 0)
        said = capsys.readouterr()
        assert ended == code, (line, said.out, said.err)
        return json.loads(said.out) if as_json else said.out

    return run


@contextlib.contextmanager
def taken() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that takes what is sent to it, and its address."""
    bodies: list[dict[str, Any]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", bodies
        finally:
            server.shutdown()


@pytest.fixture
def ledger(ask: Ask) -> Ask:
    ask("account open u1 --email ada@example.org")
    ask("account open u2")
    ask("account grant u1 100 --reason welcome --cost 500 --currency eur --payment order-1")
    return ask


def test_options_of_a_spend(ledger: Ask) -> None:
    metadata = ("--reason", "job analysis", "--metadata", '{"job": 42}')
    spent = ledger("account spend u1 10 --actor ada --effective-at 2026-01-31T12:00", *metadata)
    assert (spent["delta"], spent["actor"], spent["metadata"]) == (-10, "ada", {"job": 42})
    assert spent["effective_at"].startswith("2026-01-31T12:00:00")
    would = ledger("account spend u1 10 --dry-run --reason x")
    assert (would["dry_run"], would["balance_after"]) == (True, 80)
    back = ledger("account refund u1 2 --amount 4 --effective-at 2026-02-01T00:00 --reason half")
    assert back["effective_at"].startswith("2026-02-01T00:00:00")
    ledger("account spend u1 4 --reason again")
    assert ledger("account open u3 --dry-run")["dry_run"]
    assert ledger("account show u3", code=1)["error"] == "unknown_account"
    changed = ledger("account change u1 --overdraft-limit 5 --reason invoice")
    assert (changed["overdraft_limit"], changed["available"]) == (5, 95)
    ledger("account change u1 --overdraft-limit 0 --reason undone")
    part = ledger("account hold u1 900 --allow-partial --min-available-after 40 --reason work")
    assert (part["amount"], part["available"]) == (50, 40)
    ledger(f"account release u1 {part['hold']}")
    kept = ledger("account spend u1 500 --allow-partial --min-available-after 30 --reason x")
    assert (kept["delta"], kept["balance_after"]) == (-60, 30)
    empty = ledger("account spend u1 1 --reason", " ", code=2)
    assert (empty["error"], empty["argument"]) == ("invalid_argument", "reason")
    version = ledger("account show u1")["version"]
    ledger(f"account spend u1 1 --reason x --if-version {version}")
    stale = ledger(f"account spend u1 1 --reason x --if-version {version}", code=5)
    assert (stale["error"], stale["expected"]) == ("stale_version", version)
    assert ledger("account spend u1 1 --reason x --metadata 7", code=2)["error"] == "invalid_argument"
    assert ledger("account spend u1 1 --reason x --effective-at soon", code=2)["error"] == "invalid_argument"
    assert ledger("account show u1")["posted"] == 29


def test_what_people_wrote_is_shown_as_they_wrote_it(ledger: Ask) -> None:
    ledger("account spend u1 1", "--reason", "[/red] [bold]so[/bold] :warning: \x1b[2Jgone")
    for reading in ("account show u1", "account history u1"):
        assert "[/red] [bold]so[/bold] :warning: \\x1b[2Jgone" in ledger(reading, as_json=False)
    opened = ledger("account open", "[/b]", as_json=False)
    assert "[/b]" in opened
    assert ledger("account show", "[/b]", as_json=False).startswith("[/b]  posted 0")


def test_undoing(ledger: Ask) -> None:
    ledger("account spend u1 40 --reason analysis")
    assert ledger("account refund u1 2 --amount 10 --reason poor")["left"] == 30
    assert ledger("account reverse u1 2 --reason wrong")["delta"] == 30
    assert ledger("account reverse u1 2 --reason again", code=1)["error"] == "exceeds_original"
    taken = ledger("account clawback u1 25 --payment order-1 --policy clamp --reason chargeback")
    assert (taken["delta"], taken["shortfall"]) == (-25, 0)
    assert ledger(f"account reinstate u1 {taken['seq']} --amount 5 --reason won")["left"] == 20
    given = ledger("account grant u1 9 --reason promotion --priority 1")
    assert ledger(f"account void u1 {given['grant']} --reason mistake")["voided"] == 9
    sent = ledger("account transfer u1 15 --to u2 --reason gift")
    assert ledger(f"account reverse u1 {sent['seq']} --reason back")["balance_after"] == 80
    assert ledger("account void u1 99 --reason x", code=1)["error"] == "unknown_grant"
    assert ledger("account reverse u1 99 --reason x", code=1)["error"] == "unknown_transaction"
    assert ledger("verify --jobs 3")["ok"] is True


def test_holds(ledger: Ask) -> None:
    held = ledger("account hold u1 30 --reason improvement --seconds 60 --overrun-limit 5")
    assert (held["state"], held["available"]) == ("open", 70)
    assert ledger("account capture u1 1 --amount 10 --keep-open")["captured"] == 10
    assert ledger("account renew u1 1 --seconds 600")["expires_at"] > held["expires_at"]
    assert ledger("account release u1 1 --dry-run")["dry_run"] is True
    assert [h["state"] for h in ledger("account holds u1")] == ["open"]
    assert ledger("account release u1 1")["state"] == "released"
    assert ledger("account capture u1 1", code=1)["error"] == "hold_not_open"
    assert ledger("account holds u1") == []
    assert [h["captured"] for h in ledger("account holds u1 --all")] == [10]


def test_reading(ledger: Ask) -> None:
    ledger("account grant u1 7 --reason promotion --expires-at 2999-01-01 --priority 1")
    ledger('account spend u1 10 --metadata {"job":42} --reason', "=job analysis")
    lines = ledger('account history u1 --kind spend --text JOB --metadata {"job":42} --since 1h')
    assert [(t["seq"], t["delta"]) for t in lines] == [(3, -10)]
    assert [t["seq"] for t in ledger("account history u1 --before 3 --limit 1")] == [2]
    assert [g["remaining"] for g in ledger("account grants u1")] == [97]
    assert [(a["account"], a["available"]) for a in ledger("account find")] == [("u1", 97), ("u2", 0)]
    assert [a["matched"] for a in ledger("account find ADA@")] == ["email: ada@example.org"]
    assert [a["account"] for a in ledger("account find --after u1 --limit 1")] == ["u2"]
    assert ledger("account find --state frozen") == []
    assert "ada@example.org" in ledger("account find ada", as_json=False)
    assert ledger("account find --state asleep", code=2)["error"] == "invalid_argument"
    assert len(ledger("account grants u1 --all")) == 2
    assert ledger("account expiring --days 30") == []
    period = ledger("account statement ada@example.org --from 1h")
    assert (period["opening"], period["closing"], [t["balance"] for t in period["lines"]]) == (
        0,
        97,
        [100, 107, 97],
    )
    rows = list(csv.reader(io.StringIO(ledger("account statement u1 --from 1h --csv", as_json=False))))
    assert (rows[1][2], rows[-1][2], rows[-1][4], rows[4][5]) == (
        "opening",
        "closing",
        "97",
        "'=job analysis",
    )
    assert "opening" in ledger("account statement u1 --from 1h", as_json=False)
    assert ledger("account statement u1 --from 1h --csv", code=2)["error"] == "invalid_argument"
    (used,) = ledger("account usage u1 --from 1h --zone UTC")
    assert (used["feature"], used["spent"], used["count"]) == ("=job analysis", 10, 1)
    (line,) = ledger("report usage --from 1h --by account")
    assert (line["name"], line["spent"], line["refunded"], line["accounts"]) == ("u1", 10, 0, 1)
    (_, shown) = csv.reader(io.StringIO(ledger("report usage --from 1h --csv", as_json=False)))
    assert shown == ["", "'=job analysis", "10", "0", "1", "1"]
    assert "=job analysis" in ledger("report usage", as_json=False)
    assert ledger("report usage --per hour", code=2)["argument"] == "per"
    assert ledger("report usage --csv", code=2)["error"] == "invalid_argument"
    (revenue,) = ledger("report revenue --from 1h --to 2999-01-01")
    assert (revenue["sold"], revenue["recognised"], revenue["deferred_after"]) == (500, 15, 485)


def test_recurring_grants(ledger: Ask) -> None:
    assert ledger("recurring put u2 free 50 --rollover 10 --dry-run")["dry_run"]
    assert ledger("recurring list u2") == []
    put = ledger("recurring put u2 free 50 --anchor 2026-01-01T00:00+01:00 --time-zone europe/berlin")
    assert (put["time_zone"], put["anchor"]) == ("Europe/Berlin", "2025-12-31T23:00:00+00:00")
    assert ledger("recurring put u2 free 50 --anchor 2026-01-01T00:00+01:00 --time-zone Europe/Berlin") == put
    (grant,) = ledger("account show u2")["grants"]
    assert (grant["recurring"], grant["remaining"], grant["expires_at"]) == ("free", 50, put["next_at"])
    assert [(r["name"], r["amount"]) for r in ledger("recurring list u2")] == [("free", 50)]
    assert ledger("recurring put u2 pro 5 --rollover 2 --no-expiry", code=2)["argument"] == "expires"
    assert "next_at" not in ledger("recurring remove u2 free"), "no further period"
    assert ledger("recurring remove u2 pro", code=1)["error"] == "unknown_grant"
    assert "expires" in ledger("recurring list u2 --all", as_json=False)


def test_team(ledger: Ask) -> None:
    assert ledger("team put u1 ada --cap 20")["left"] == 20
    ledger("team put u1 bob")
    assert ledger("team spend u1 ada 15 --reason analysis")["balance_after"] == 85
    refused = ledger("team spend u1 ada 6 --reason analysis", code=1)
    assert (refused["error"], refused["limit"]) == ("limit_exceeded", "member_cap")
    assert ledger("team spend u1 eve 1 --reason x", code=1)["error"] == "unknown_member"
    assert [(m["member"], m["spent"]) for m in ledger("team members u1")] == [("ada", 15), ("bob", 0)]
    assert ledger("team spending u1 --since 1h")[0] == {
        "member": "ada",
        "spent": 15,
        "refunded": 0,
        "count": 1,
    }
    ledger("team remove u1 bob")
    assert len(ledger("team members u1")) == 1
    assert "former" in ledger("team members u1 --all", as_json=False)


def test_alerts_and_top_up_rules(ledger: Ask) -> None:
    assert ledger("alerts put u1 50 --rearm-at 60")["armed"] is True
    assert [a["threshold"] for a in ledger("alerts list u1")] == [50]
    assert ledger("alerts remove u1 50") == {"removed": True}
    assert ledger("alerts remove u1 50") == {"removed": False}
    assert ledger("top-up show u1") is None
    assert "on sale" in ledger("top-up put u1 --threshold 200 --price pack", code=2)["message"]
    ledger("stripe prices add pack --credits 100 --amount 500 --currency eur")
    assert ledger("top-up put u1 --threshold 200 --price pack --ceiling 5000")["ceiling"] == 5000
    assert [r["account"] for r in ledger("top-up due")] == ["u1"]
    assert ledger("top-up show u1")["threshold"] == 200
    assert ledger("top-up resume u1")["failures"] == 0
    assert ledger("top-up put u1 --threshold 0 --price pack", code=2)["error"] == "invalid_argument"
    assert ledger("top-up remove u1") == {"removed": True}
    assert ledger("top-up resume u1", code=2)["error"] == "invalid_argument"


def test_events_are_read_by_cursor_and_endpoints_kept(ledger: Ask, heller_database: str) -> None:
    ledger("events list")  # the first look sets the horizon that later ones see past
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute("update heller.event_horizons set at = at - interval '1 hour'")
    ledger("account spend u1 1 --reason x")
    with psycopg.connect(heller_database, autocommit=True) as connection:  # as if some seconds had passed
        connection.execute(
            "create or replace function heller._clock() returns timestamptz language sql volatile"
            " as $$ select clock_timestamp() + interval '10 seconds' $$"
        )
    for _look in range(LOOKS_MAX):  # a transaction open in any database of the server holds the horizon back
        if len(ledger("events list")["events"]) == 2:
            break
        time.sleep(0.05)
    page = ledger("events list --limit 1")
    assert [e["type"] for e in page["events"]] == ["transaction.grant"]
    rest = ledger(f"events list --after {page['cursor']} --kind spend")
    assert [(e["seq"], e["delta"]) for e in rest["events"]] == [(2, -1)]
    assert ledger("events list --after nonsense", code=2)["error"] == "invalid_argument"
    added = ledger("events endpoints add mine https://example.org/hook --kind spend")
    assert added["secret"].startswith("whsec_")
    (listed,) = ledger("events endpoints list")
    assert (listed["endpoint"], listed["kinds"], "secret" in listed) == ("mine", ["spend"], False)
    with psycopg.connect(heller_database) as connection:
        sent = {
            "at": "2026-01-31T12:00:00Z",
            "event": "u1:credit:2",
            "status_code": 500,
            "error": "HTTP 500",
            "milliseconds": 7,
        }
        connection.execute("update heller.webhook_endpoints set attempts = %s", [json.dumps([sent])])
    (attempt,) = ledger("events endpoints attempts mine")
    assert (attempt["event"], attempt["status_code"], attempt["error"]) == ("u1:credit:2", 500, "HTTP 500")
    assert "2026-01-31 12:00" in ledger("events endpoints attempts mine", as_json=False)
    assert ledger("events endpoints attempts other", code=2)["error"] == "invalid_argument"
    assert ledger("events endpoints remove mine") == {"removed": True}


def test_an_endpoint_keeps_its_secret_until_another_is_asked_for(
    ledger: Ask, heller_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept() -> str:
        with psycopg.connect(heller_database) as connection:
            row = connection.execute("select secret from heller.webhook_endpoints").fetchone()
        assert row is not None
        return str(row[0])

    first = ledger("events endpoints add mine https://example.org/1")["secret"]
    assert kept() == first
    again = ledger("events endpoints add mine https://example.org/2 --kind spend")
    assert (again["url"], "secret" in again, kept()) == ("https://example.org/2", False, first)
    assert first not in ledger("events endpoints add mine https://example.org/2", as_json=False)
    new = ledger("events endpoints add mine https://example.org/2 --new-secret")["secret"]
    assert (kept() == new, new == first) == (True, False)
    assert "secret" not in ledger(f"events endpoints add mine https://example.org/2 --secret {first}")
    assert kept() == first
    monkeypatch.setenv("HELLER_ENDPOINT_SECRET", new)
    refused = ledger("events endpoints add mine https://example.org/3 --new-secret", code=2)
    assert (refused["error"], refused["argument"], kept()) == ("invalid_argument", "new-secret", first)


def test_an_endpoint_is_tested(ledger: Ask) -> None:
    with taken() as (url, bodies):
        ledger("events endpoints add mine", url)
        tried = ledger("events endpoints test mine")
        assert (tried["status_code"], "error" in tried, [b["type"] for b in bodies]) == (
            204, False, ["heller.test"],
        )  # fmt: skip
        assert "Taken: HTTP 204 after " in ledger("events endpoints test mine", as_json=False)
    tried = ledger("events endpoints test mine", code=1)
    assert ("status_code" in tried, tried["error"].split(":")[0]) == (False, "ConnectError")
    assert "Not taken: ConnectError" in ledger("events endpoints test mine", as_json=False, code=1)
    (listed,) = ledger("events endpoints list")
    assert (listed["failures"], listed["disabled"]) == (0, False)
    assert ledger("events endpoints test other", code=2)["error"] == "invalid_argument"


def test_anchors_and_the_incremental_verify(ledger: Ask, heller_database: str, tmp_path: Path) -> None:
    taken = ledger("anchors take")
    file = tmp_path / "anchor.json"
    assert ledger("anchors export --to", str(file)) == json.loads(file.read_text())
    assert [a["digest"] for a in ledger("anchors list")] == [taken["digest"]]
    assert ledger("anchors check", str(file))["ok"] is True
    ledger("account spend u1 5 --reason x")
    ledger("account adjust u2 5 --reason x")
    since = ledger("verify --jobs 2 --since", str(file))
    assert (since["ok"], since["accounts"]) == (True, 2)
    assert ledger("verify --since newest")["ok"] is True
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute("alter table heller.transactions disable trigger transactions_append_only")
        connection.execute(
            "update heller.transactions set delta = delta - 1 where account_id = 'u1' and seq = 2"
        )
    wrong = ledger("verify --since", str(file), code=3)
    assert {row["account"] for row in wrong["broken"]} == {"u1"}
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(taken | {"digest": "00"}))
    assert ledger("anchors check", str(forged), code=3)["ok"] is False
    assert ledger("anchors check", str(tmp_path / "nothing.json"), code=2)["error"] == "invalid_argument"


def test_the_audit_log_is_listed_and_filtered(ledger: Ask) -> None:
    ledger("account freeze u1 --actor ann --reason", "card stolen")
    ledger("keys create shop --actor ben --scope credits:read")
    ledger("account unfreeze u1 --actor ben --reason", "a mistake")
    entries = ledger("audit-log list")
    assert [(e["action"], e["actor"]) for e in entries] == [
        ("account.unfreeze", "ben"), ("key.create", "user:ben"), ("account.freeze", "ann"),
    ]  # fmt: skip
    newest, middle, oldest = entries
    for options, found in (
        ("--limit 1", [newest]),
        (f"--before {newest['entry']}", [middle, oldest]),
        ("--target u1", [newest, oldest]),
        ("--actor ann", [oldest]),
        ("--action key", [middle]),
        ("--action account.freeze", [oldest]),
        (f"--since {middle['at']}", [newest, middle]),
        (f"--until {middle['at']}", [oldest]),
        ("--actor nobody", []),
    ):
        assert ledger(f"audit-log list {options}") == found, options
    assert "card stolen" in ledger("audit-log list --actor ann", as_json=False)
    assert ledger("audit-log list --since soon", code=2)["error"] == "invalid_argument"


def test_lists_are_printed_by_pages(ledger: Ask, heller_database: str) -> None:
    with psycopg.connect(heller_database, autocommit=True) as connection:
        connection.execute(
            "select heller.grant('u1', n, p_priority => n % 2), heller.hold('u1', 1), heller.put_member('u1', 'm' || n),"
            " heller.put_webhook_endpoint('e' || n, 'http://127.0.0.1/', 'whsec_' || repeat('c2VjcmV0', 4)),"
            " heller.create_api_key('key' || n, 'a test', sha256(n::text::bytea), 'support', '{credits:read}', 'tests')"
            " from generate_series(1, 4) n"
        )
        connection.execute(
            "insert into heller.anchors (at, accounts, transactions, digest, taken_at)"
            " select clock_timestamp() - n * interval '1 day', 1, 1, 'd', now() from generate_series(1, 4) n"
        )
        connection.execute(
            "insert into heller.rollout_log (rollout, event, state, stage, reason, actor)"
            " select 'home', 'halt', 'halted', n, 'a test', 'tests' from generate_series(1, 4) n"
        )
    for line, option, name in (
        ("account grants u1", "--after", "grant"),
        ("account holds u1", "--after", "hold"),
        ("team members u1", "--after", "member"),
        ("events endpoints list", "--after", "endpoint"),
        ("keys list", "--before", "key_id"),
        ("anchors list", "--before", "at"),
        ("rollout log", "--before", "entry"),
        ("account history u1", "--before", "seq"),
    ):
        whole = [row[name] for row in ledger(line)]
        found: list[Any] = []
        while page := ledger(f"{line} --limit 2", *((option, str(found[-1])) if found else ())):
            found += [row[name] for row in page]
        assert found == whole, line
        assert len(whole) >= 4, line
