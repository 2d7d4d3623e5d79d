"""kill -9 in the middle of an analysis: nobody pays, and what was held is free again."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

import resume_papers as papers
from resume_site import Visitor, free_port, matcher_process

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOLD_SECONDS = 5


async def test_kill_in_the_middle_of_an_analysis_gives_the_credits_back(world):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"HELLER_DEVELOPMENT_SIGN_IN": "1", "RESUME_MATCHER_WORK_PROCESSES": "1"}
    short = settings | {"RESUME_MATCHER_HOLD_SECONDS": str(HOLD_SECONDS)}
    with matcher_process(world.url, port, **short) as process, Visitor.signed_in(url, "unlucky") as person:
        await world.credits.grant("unlucky", 50, source="purchase")
        resume = person.post("/matcher/v1/resumes", json={"text": papers.GERMAN}).raise_for_status().json()
        worker = _child(process.pid)
        os.kill(worker, signal.SIGSTOP)  # the work begins and does not end
        body = {"resume": resume["id"], "kind": "analysis", "jobs": [{"text": papers.JOB}]}
        order = person.post("/matcher/v1/analyses", json=body).raise_for_status().json()["order"]
        account = await world.credits.balance("unlucky")
        assert (account.posted, account.held) == (50, 10)
        process.kill()
        process.wait()
        assert not _lives(worker)  # the work dies with the application, even stopped
    await _until(world, "unlucky", held=0)
    assert (await world.credits.balance("unlucky")).available == 50
    with matcher_process(world.url, port, **settings), Visitor.signed_in(url, "unlucky") as person:
        analysis = person.finished(order)
        assert (analysis["state"], analysis["error"], analysis["credits_used"]) == (
            "failed",
            "interrupted",
            0,
        )
        again = person.post("/matcher/v1/analyses", json=body).raise_for_status().json()["order"]
        assert person.finished(again)["state"] == "done"
    assert (await world.credits.balance("unlucky")).posted == 40


async def _until(world, account, *, held):
    until = time.monotonic() + HOLD_SECONDS + 5
    while (await world.credits.balance(account)).held != held:
        assert time.monotonic() < until, "the hold does not end"
        await asyncio.sleep(0.1)


def _child(pid):
    """The work process of an application."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and b"resume_matcher.work.child" in (folder / "cmdline").read_bytes():
                return int(folder.name)
    raise AssertionError("no work process")


def _lives(pid):
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
    return True
