"""Nobody pays for an analysis that failed; each that is done is paid once."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

import resume_papers as papers
from heller import verify
from heller.errors import InsufficientCredits
from resume_matcher import resumes
from resume_matcher.analyses import JobText, history, one
from resume_matcher.errors import InvalidInput, NotFound, UnusableJob, WorkTimedOut
from resume_matcher.store import Analysis, Base

pytestmark = pytest.mark.asyncio(loop_scope="session")
JOB = JobText(papers.JOB)


async def test_several_jobs_are_ranked_and_each_is_charged_once(world):
    person = await world.person("ranked")
    resume = await world.resume(person)
    bakery = JobText(
        "Pastry chef\n\nRequirements\n- 5 years of experience as a pastry chef\n- French pastry\n- HACCP"
    )
    order_id = uuid4()
    twice = await asyncio.gather(
        *(
            world.analyses.order(
                person, resume_id=resume.id, kind="analysis", jobs=[bakery, JOB], order_id=order_id
            )
            for _ in range(3)
        )
    )
    assert set(twice) == {order_id}
    best, worst = await world.finished(person, order_id)
    assert best.job_title == "Senior Backend-Entwickler (m/w/d)"
    assert best.match_score > 60
    assert worst.match_score < 20
    assert best.credits_used == worst.credits_used == 10
    account = await world.credits.balance(person.account)
    assert (account.posted, account.held) == (80, 0)
    spends = await world.credits.history(person.account, kinds=["spend"])
    assert {spend.metadata["analysis"] for spend in spends} == {str(best.id), str(worst.id)}
    assert {spend.reason for spend in spends} == {"resume analysis"}


@pytest.mark.parametrize(("kind", "price"), [("match", 5), ("analysis", 10), ("improvement", 15)])
async def test_each_kind_has_its_price(world, kind, price):
    person = await world.person(f"priced-{kind}")
    resume = await world.resume(person)
    (done,) = await world.finished(
        person, await world.analyses.order(person, resume_id=resume.id, kind=kind, jobs=[JOB])
    )
    assert done.credits_used == price
    assert (await world.credits.balance(person.account)).posted == 100 - price
    assert ("suggestions" in done.result) == (kind == "improvement")


async def test_too_few_credits_order_nothing(world):
    person = await world.person("poor", credits=15)
    resume = await world.resume(person)
    with pytest.raises(InsufficientCredits):
        await world.analyses.order(person, resume_id=resume.id, kind="analysis", jobs=[JOB, JOB])
    async with world.sessions() as session:
        assert await history(session, person.user) == []
    account = await world.credits.balance(person.account)
    assert (account.posted, account.held) == (15, 0)


async def test_a_job_without_requirements_costs_nothing(world):
    person = await world.person("hopeful")
    resume = await world.resume(person)
    order_id = await world.analyses.order(
        person, resume_id=resume.id, kind="analysis", jobs=[JobText("We need you!")]
    )
    (failed,) = await world.finished(person, order_id)
    assert (failed.state, failed.error_reason, failed.credits_used) == ("failed", "no_requirements", 0)
    await world.analyses.settle()
    account = await world.credits.balance(person.account)
    assert (account.posted, account.held) == (100, 0)


async def test_a_timeout_costs_nothing(world, monkeypatch):
    async def never(*_arguments, **_named):
        raise WorkTimedOut("too long", reason="time")

    person = await world.person("slow")
    resume = await world.resume(person)
    monkeypatch.setattr(world.workshop, "do", never)
    (failed,) = await world.finished(
        person, await world.analyses.order(person, resume_id=resume.id, kind="match", jobs=[JOB])
    )
    assert failed.error_reason == "time"
    await world.analyses.settle()
    assert (await world.credits.balance(person.account)).available == 100


async def test_a_hold_that_expired_meanwhile_is_not_charged(world, monkeypatch):
    person = await world.person("expired")
    resume = await world.resume(person)
    work = world.workshop.do

    async def released_under_way(*arguments, **named):
        for hold in await world.credits.holds(person.account):
            await world.credits.release(person.account, hold.hold)
        return await work(*arguments, **named)

    monkeypatch.setattr(world.workshop, "do", released_under_way)
    (failed,) = await world.finished(
        person, await world.analyses.order(person, resume_id=resume.id, kind="match", jobs=[JOB])
    )
    assert (failed.error_reason, failed.result, failed.credits_used) == ("hold_not_open", None, 0)
    assert (await world.credits.balance(person.account)).posted == 100


async def test_deleting_the_resume_under_way_costs_nothing(world, monkeypatch):
    person = await world.person("leaving")
    resume = await world.resume(person)
    work = world.workshop.do

    async def deleted_under_way(*arguments, **named):
        async with world.sessions.begin() as session:
            await resumes.remove(session, person.user, resume.id)
        return await work(*arguments, **named)

    monkeypatch.setattr(world.workshop, "do", deleted_under_way)
    await world.analyses.order(person, resume_id=resume.id, kind="match", jobs=[JOB])
    await world.analyses.settle()
    account = await world.credits.balance(person.account)
    assert (account.posted, account.held) == (100, 0)


async def test_what_is_past_its_deadline_is_closed(world):
    person = await world.person("crashed")
    resume = await world.resume(person)
    (done,) = await world.finished(
        person, await world.analyses.order(person, resume_id=resume.id, kind="match", jobs=[JOB])
    )
    async with world.sessions.begin() as session:
        lost = Analysis(
            user_id=person.user, account_id=person.account, order_id=uuid4(), position=0, resume_id=resume.id,
            version_id=resume.newest.id, kind="match", job_title="", job_text="x", state="working", hold=999,
            deadline_at=done.deadline_at - timedelta(hours=1),
        )  # fmt: skip
        session.add(lost)
    assert await world.analyses.sweep() == 1
    async with world.sessions() as session:
        assert (await one(session, person.user, lost.id)).error_reason == "interrupted"


async def test_fifty_at_once_are_each_done_and_charged(world):
    people = [await world.person(f"crowd-{number}") for number in range(5)]
    works = [await world.resume(person) for person in people]
    orders = await asyncio.gather(
        *(
            world.analyses.order(person, resume_id=resume.id, kind="analysis", jobs=[JOB] * 10)
            for person, resume in zip(people, works, strict=True)
        )
    )
    for person, order_id in zip(people, orders, strict=True):
        found = await world.finished(person, order_id)
        assert [analysis.state for analysis in found] == ["done"] * 10
        account = await world.credits.balance(person.account)
        assert (account.posted, account.held) == (0, 0)
    assert (await verify(world.url)).is_ok


async def test_what_cannot_be_ordered_is_refused(world):
    person, stranger = await world.person("orderly"), await world.person("stranger")
    resume = await world.resume(person)
    order = world.analyses.order
    with pytest.raises(InvalidInput):
        await order(person, resume_id=resume.id, kind="miracle", jobs=[JOB])
    with pytest.raises(UnusableJob):
        await order(person, resume_id=resume.id, kind="match", jobs=[])
    with pytest.raises(UnusableJob):
        await order(person, resume_id=resume.id, kind="match", jobs=[JobText("x" * 60_000)])
    with pytest.raises(InvalidInput):
        await order(person, resume_id=resume.id, kind="match", jobs=[JOB] * 11)
    with pytest.raises(NotFound):
        await order(stranger, resume_id=resume.id, kind="match", jobs=[JOB])
    assert (await world.credits.balance(stranger.account)).held == 0


async def test_versions_and_deletion(world, monkeypatch):
    person = await world.person("versions")
    resume = await world.resume(person)
    read = await world.workshop.do("read_text", text=papers.ENGLISH)
    async with world.sessions.begin() as session:
        newer = await resumes.add_version(session, person.user, resume.id, read, file_name="b.txt")
    assert [version.number for version in newer.versions] == [2, 1]
    (done,) = await world.finished(
        person, await world.analyses.order(person, resume_id=resume.id, kind="match", jobs=[JOB])
    )
    assert done.version.number == 2
    async with world.sessions.begin() as session:
        await resumes.remove(session, person.user, resume.id)
    async with world.sessions() as session:
        for table, column, value in (
            ("resumes", "id", resume.id),
            ("resume_versions", "resume_id", resume.id),
            ("job_analyses", "user_id", person.user),
        ):
            statement = text(f"select count(*) from resume_matcher.{table} where {column} = :value")
            assert await session.scalar(statement, {"value": value}) == 0
    monkeypatch.setattr(resumes, "RESUMES_MAX", 1)
    await world.resume(person)
    with pytest.raises(InvalidInput):
        await world.resume(person)


async def test_the_tables_are_what_the_models_say(world):
    def differences(session):
        from alembic.autogenerate import compare_metadata  # noqa: PLC0415
        from alembic.migration import MigrationContext  # noqa: PLC0415

        def ours(name, kind, _parents):
            return kind != "schema" or name == "resume_matcher"

        options = {"include_schemas": True, "include_name": ours, "version_table_schema": "resume_matcher"}
        return compare_metadata(MigrationContext.configure(session.connection(), opts=options), Base.metadata)

    async with world.sessions() as session:
        assert await session.run_sync(differences) == []


async def test_a_second_order_waits_its_turn_no_longer_than_its_hold(world, monkeypatch):
    monkeypatch.setattr(world.analyses, "_margin_seconds", 61)
    person = await world.person("late")
    resume = await world.resume(person)
    (failed,) = await world.finished(
        person, await world.analyses.order(person, resume_id=resume.id, kind="match", jobs=[JOB])
    )
    assert failed.error_reason == "time"
