"""Everything the application needs, on this machine alone: PostgreSQL, Stripe's stand-in, packs for sale, a worker."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

import stripe_twin
from heller import embedded, schema

PACKS = (
    ("starter-50", "Starter", 50, 499),
    ("plus-200", "Plus", 200, 999),
    ("pro-1000", "Pro", 1_000, 2_499),
)
STOP_SECONDS_MAX = 10
KEY = "sk_test_demo"
_RETRY_SCALE = 1 / 300


@contextmanager
def demonstrated(directory: Path, *, address: str) -> Iterator[None]:
    """Run all of it around the block; the environment says where it is. The data stays in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        server = embedded.start(directory / "postgres")
        stack.callback(server.stop)
        url = server.ensure_database("resume_matcher")
        asyncio.run(schema.apply(url))
        twin = stack.enter_context(
            stripe_twin.running(retry_scale=_RETRY_SCALE, state_path=directory / "stripe.json")
        )
        os.environ |= environment(url, twin, address=address)
        for name, pack, credits, cents in PACKS:
            _sell(name, pack, credits, cents)
        stack.enter_context(_worker())
        sys.stderr.write(
            f"Demo in {directory}. Sign in as any customer; cards are Stripe's stand-in, nothing is paid for real.\n"
        )
        yield


def environment(url: str, twin: stripe_twin.Twin, *, address: str) -> dict[str, str]:
    """What heller reads: the database, the stand-in with a webhook to this address, the sample sign-in."""
    return {
        "DATABASE_URL": url,
        "HELLER_DEVELOPMENT_SIGN_IN": "1",
        "STRIPE_MODE": "test",
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRETS": _endpoint_secret(twin, f"{address}/v1/webhooks/stripe"),
        "STRIPE_API_BASE": twin.url,
    }


def _endpoint_secret(twin: stripe_twin.Twin, url: str) -> str:
    """What signs deliveries to an address; the endpoint of the last time, where the folder was used before."""
    listed = httpx.get(
        f"{twin.url}/v1/webhook_endpoints", params={"limit": 100}, headers={"authorization": f"Bearer {KEY}"}
    ).raise_for_status()
    for known in listed.json()["data"]:
        if known["url"] == url:
            return twin.secrets(known["id"])[-1]
    return str(twin.add_endpoint(url)["secret"])


def _sell(name: str, pack: str, credits: int, cents: int) -> None:
    command = [
        "stripe",
        "prices",
        "add",
        name,
        f"--credits={credits}",
        f"--amount={cents}",
        "--currency=eur",
        f"--pack={pack}",
    ]
    done = _heller(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = done.communicate()
    if done.returncode and b"already" not in output and b"exists" not in output:
        raise RuntimeError(f"heller {' '.join(command)}: {output.decode()}")


@contextmanager
def _worker() -> Iterator[None]:
    process = _heller(["worker"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(STOP_SECONDS_MAX)


def _heller(arguments: list[str], *, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "heller.cli.main", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=stderr)  # noqa: S603  # our own program
