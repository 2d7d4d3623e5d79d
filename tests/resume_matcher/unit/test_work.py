import asyncio
import os

import pytest

import resume_papers as papers
from resume_matcher.errors import UnreadableDocument, WorkFailed, WorkTimedOut
from resume_matcher.work import Workshop, child
from resume_matcher.work.tasks import TASKS


def burn():
    while True:
        pass


@pytest.fixture
async def workshop():
    async with Workshop.open(1, task_seconds_max=20) as opened:
        yield opened


async def test_work_is_done_refused_and_replaced(workshop):
    read = await workshop.do("read_resume", data=papers.word(papers.GERMAN))
    assert read["content"]["basics"]["name"] == "Jana Köhler"

    with pytest.raises(UnreadableDocument) as refusal:
        await workshop.do("read_resume", data=papers.zip_bomb(70))
    assert refusal.value.reason == "zip_bomb"

    with pytest.raises(WorkFailed) as failure:
        await workshop.do("analyse", text="", content={}, job="Python", today="no date")
    assert failure.value.reason == "defect"

    bench = workshop._benches[0]
    os.kill(bench._process.pid, 9)
    with pytest.raises(WorkFailed):
        await workshop.do("read_text", text=papers.ENGLISH)
    assert (await workshop.do("read_text", text=papers.ENGLISH))["kind"] == "text"

    bench._task_seconds_max = 0.001
    with pytest.raises(WorkTimedOut):
        await workshop.do("read_text", text=papers.ENGLISH * 20)
    bench._task_seconds_max = 20
    answers = await asyncio.gather(*(workshop.do("read_text", text=papers.ENGLISH) for _ in range(5)))
    assert len(answers) == 5


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (lambda: bytearray(2 * 1024**3), "memory"),
        (lambda: os.kill(os.getpid(), 15), "crashed"),
        (burn, "time"),
    ],
    ids=["memory", "crash", "time"],
)
def test_a_task_beyond_its_limits_takes_nothing_with_it(task, reason, monkeypatch):
    monkeypatch.setitem(TASKS, "strange", task)
    monkeypatch.setattr(child, "CPU_SECONDS_MAX", 1)
    answer = child.msgspec.msgpack.decode(
        child._in_fork(child.msgspec.msgpack.encode({"task": "strange", "arguments": {}}))[4:]
    )
    assert answer["reason"] == reason
