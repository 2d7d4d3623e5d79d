"""What is in the tree and what it depends on: no secret, no licence that nobody looked at, every file locked."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRETS = {
    "a live Stripe key": r"\b[sr]k_live_[0-9A-Za-z]{16,}",
    "a test Stripe key": r"\b[sr]k_test_[0-9A-Za-z]{24,}",
    "a webhook's signing secret": r"\bwhsec_[0-9A-Za-z+/=]{32,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{32,}",
    "an AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "a GitHub token": r"\bgh[pousr]_[0-9A-Za-z]{36}",
    "a Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{20,}",
    "a Google key": r"\bAIza[0-9A-Za-z_-]{35}",
    "an API key of heller": r"\bheller_[0-9a-f]{12}_[0-9A-Za-z_-]{43}",
    "a password in an address": r"\b(?:postgres(?:ql)?|redis|amqp)://[^\s:/@\"'<>{}$]+:(?!secret@|change-me@|password@|x@|y@|pw@|\.\.\.@|wrong@|hunter2@|s3cret@|s3cr/et@)[^\s@\"'<>{}$*]{6,}@",
}
PUBLISHED = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",)  # the example of the Standard Webhooks documentation
BYTES_MAX = 2_000_000


def found_in(text: str) -> list[str]:
    for known in PUBLISHED:
        text = text.replace(known, "")
    return [what for what, pattern in SECRETS.items() if re.search(pattern, text)]


def tree() -> list[Path]:
    """What is committed; in an unpacked release, where git knows nothing, what a release brings."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        parts = ("src", "tests", "docs", "deploy", "benchmarks", "requirements", "clients")
        found = [
            path for part in parts for path in (ROOT / part).rglob("*") if "__pycache__" not in path.parts
        ]
    return [path for path in found if path.is_file()]


def test_no_file_of_the_tree_holds_a_secret() -> None:
    files = [path for path in tree() if path.stat().st_size < BYTES_MAX]
    assert len(files) > 300
    found = {
        str(path.relative_to(ROOT)): found_in(path.read_text(encoding="utf-8", errors="ignore"))
        for path in files
    }
    assert {path: what for path, what in found.items() if what} == {}


def test_the_scan_sees_each_kind_of_secret() -> None:
    letters = "0123456789abcdefABCDEF0123456789abcdefABCDEF"
    samples = {
        "a live Stripe key": "sk_" + "live_" + letters[:24],
        "a test Stripe key": "rk_" + "test_" + letters[:30],
        "a webhook's signing secret": "whsec" + "_" + letters[:32],
        "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + letters,
        "an AWS key": "AKIA" + "ABCDEFGHIJKLMNOP",
        "a GitHub token": "ghp" + "_" + letters[:36],
        "a Slack token": "xoxb" + "-" + letters[:24],
        "a Google key": "AIza" + letters[:35],
        "an API key of heller": "heller_" + "0391080ab116_" + letters[:43],
        "a password in an address": "postgresql://heller:" + "S3cretS3cret@db.example.com/heller",
    }
    assert samples.keys() == SECRETS.keys()
    for what, sample in samples.items():
        assert what in found_in(f"key = '{sample}'"), what
    assert found_in("postgresql://heller_web:change-me@127.0.0.1/heller sk_test_... whsec_new") == []


def test_every_licence_is_one_that_we_accept() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "tools" / "licences.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "psycopg" in done.stdout


def test_every_locked_version_has_hashes_and_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        pins = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert len(pins) > 30
        for pin in pins:
            assert "==" in pin, pin
            assert "--hash=sha256:" in pin, pin
        assert not re.search(r"https?://|--index|--find-links", text)


def test_everything_that_is_named_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8").lower()
    for requirement in project["dependencies"]:
        name = re.split(r"[\[<>=!;~ ]", requirement)[0].lower()
        assert re.search(rf"^{re.escape(name)}==", locked, flags=re.MULTILINE), name
