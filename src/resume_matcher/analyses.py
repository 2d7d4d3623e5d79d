"""Analyses: held for, worked on, charged when done. Nobody pays for one that failed; a crash lets go by itself.

Ordering is one transaction: the rows and their holds, or nothing. Finishing is one: the result and the capture of the
hold, or nothing. Between them is work in another process; if this process dies there, the hold expires at
``deadline_at`` and the row is found and closed by ``sweep``.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

import heller
from heller.errors import HellerError
from resume_matcher.errors import InvalidInput, MatcherError, NotFound, UnusableJob, WorkTimedOut
from resume_matcher.llm import LanguageModel
from resume_matcher.people import Person
from resume_matcher.prices import PRICES
from resume_matcher.resumes import one as one_resume
from resume_matcher.store import Analysis, Sessions
from resume_matcher.texts import kept
from resume_matcher.work import Workshop

JOBS_MAX = 10
JOB_CHARACTERS_MAX = 50_000
OPEN_MAX = 20
PAGE_MAX = 100
TITLE_CHARACTERS_MAX = 200
SWEEP_SECONDS = 5.0
MARGIN_SHARE = 0.1  # of the hold: what is left for writing the result down
SETTLE_SECONDS = 5.0

log = structlog.get_logger("resume_matcher.analyses")


@dataclass(frozen=True, slots=True)
class JobText:
    """A posting as it was pasted; without a title the posting's own is taken."""

    text: str
    title: str = ""


class Analyses:
    """Orders analyses and works on them in this process's workshop."""

    def __init__(
        self,
        sessions: Sessions,
        workshop: Workshop,
        *,
        hold_seconds: int,
        size: int,
        llm: LanguageModel | None = None,
    ) -> None:
        self._sessions = sessions
        self._workshop = workshop
        self._hold_seconds = hold_seconds
        self._margin_seconds = hold_seconds * MARGIN_SHARE
        self._turns = asyncio.Semaphore(size)
        self._llm = llm
        self._running: set[asyncio.Task[None]] = set()

    async def order(
        self,
        person: Person,
        *,
        resume_id: UUID,
        kind: str,
        jobs: Sequence[JobText],
        order_id: UUID | None = None,
    ) -> UUID:
        """Order one analysis a job, all or none, and start them; the same ``order_id`` again is the same order.

        Raises:
            InvalidInput, UnusableJob: no job, too many, too long, or no such kind.
            NotFound: no such resume.
            heller.errors.InsufficientCredits: nothing was ordered or held.
        """
        self._check(kind, jobs)
        order_id = order_id or uuid4()
        try:
            async with self._sessions.begin() as session:
                if await self._known(session, person, order_id):
                    return order_id
                ids = await self._place(
                    session, person, resume_id=resume_id, kind=kind, jobs=jobs, order_id=order_id
                )
        except IntegrityError:  # the same order from a second click, a moment ago
            async with self._sessions() as session:
                if await self._known(session, person, order_id):
                    return order_id
            raise
        for analysis_id in ids:
            task = asyncio.create_task(self._run(analysis_id))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return order_id

    @staticmethod
    def _check(kind: str, jobs: Sequence[JobText]) -> None:
        if kind not in PRICES:
            raise InvalidInput(
                f"There is no analysis {kind}.", hint=f"Known are {', '.join(PRICES)}.", reason="kind"
            )
        if not jobs:
            raise UnusableJob("There is no job.", hint="Paste the text of the posting.", reason="empty")
        if len(jobs) > JOBS_MAX:
            raise InvalidInput(f"{len(jobs)} jobs; at most {JOBS_MAX} at once.", reason="too_many")
        for job in jobs:
            if len(job.text) > JOB_CHARACTERS_MAX:
                raise UnusableJob(
                    f"A job has {len(job.text):,} characters; at most {JOB_CHARACTERS_MAX:,} are read.",
                    hint="Paste the posting only.",
                    reason="too_long",
                )

    @staticmethod
    async def _known(session: AsyncSession, person: Person, order_id: UUID) -> bool:
        statement = (
            select(Analysis.id).where(Analysis.user_id == person.user, Analysis.order_id == order_id).limit(1)
        )
        return await session.scalar(statement) is not None

    async def _place(
        self,
        session: AsyncSession,
        person: Person,
        *,
        resume_id: UUID,
        kind: str,
        jobs: Sequence[JobText],
        order_id: UUID,
    ) -> list[UUID]:
        """The rows and their holds, inside the caller's transaction."""
        resume = await one_resume(session, person.user, resume_id)
        waiting = await session.scalar(
            select(func.count())
            .select_from(Analysis)
            .where(Analysis.user_id == person.user, Analysis.state.in_(("queued", "working")))
        )
        if (waiting or 0) + len(jobs) > OPEN_MAX:
            raise InvalidInput(f"{waiting} analyses are under way; at most {OPEN_MAX} at once.", hint="Wait for them.", reason="busy")  # fmt: skip
        price = PRICES[kind]
        credits = heller.within(session)
        ids = []
        for position, job in enumerate(jobs):
            analysis_id = uuid4()
            hold = await credits.place_hold(
                person.account,
                price.credits,
                seconds=self._hold_seconds,
                key=f"analysis:{analysis_id}:hold",
                reason=price.reason,
                actor=f"user:{person.user}",
                metadata={"analysis": str(analysis_id)},
            )
            session.add(
                Analysis(
                    id=analysis_id,
                    user_id=person.user,
                    account_id=person.account,
                    order_id=order_id,
                    position=position,
                    resume_id=resume.id,
                    version_id=resume.newest.id,
                    kind=kind,
                    job_title=kept(job.title, TITLE_CHARACTERS_MAX),
                    job_text=kept(job.text, JOB_CHARACTERS_MAX),
                    hold=hold.hold,
                    deadline_at=hold.expires_at,
                )
            )
            ids.append(analysis_id)
        await session.flush()
        return ids

    async def _run(self, analysis_id: UUID) -> None:
        """Work on one and settle it, whatever comes."""
        try:
            async with self._turns:
                analysis = await self._begin(analysis_id)
                if analysis is None:
                    return
                try:
                    result = await self._work(analysis)
                    await self._finish(analysis, await self._worded(analysis, result))
                except MatcherError as error:
                    await self._fail(analysis, error.reason or error.code, str(error))
                except (
                    HellerError
                ) as error:  # the hold was gone, the account frozen: the result was not kept either
                    await self._fail(analysis, error.code, error.message)
        except (
            SQLAlchemyError,
            HellerError,
            OSError,
        ) as error:  # the database is away: the hold ends by itself
            log.warning("an analysis was left to its deadline", analysis=str(analysis_id), error=str(error))

    async def _begin(self, analysis_id: UUID) -> Analysis | None:
        async with self._sessions.begin() as session:
            claimed = await session.scalar(
                update(Analysis)
                .where(Analysis.id == analysis_id, Analysis.state == "queued")
                .values(state="working")
                .returning(Analysis.id)
            )
            return None if claimed is None else await session.get(Analysis, analysis_id)

    async def _work(self, analysis: Analysis) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._seconds_left(analysis)):
                result: dict[str, Any] = await self._workshop.do(
                    PRICES[analysis.kind].task,
                    text=analysis.version.text,
                    content=analysis.version.content,
                    job=analysis.job_text,
                    today=datetime.now(UTC).date().isoformat(),
                )
        except TimeoutError as error:
            raise WorkTimedOut(
                "The analysis did not finish in time.", hint="Try again.", reason="time"
            ) from error
        return result

    async def _worded(self, analysis: Analysis, result: dict[str, Any]) -> dict[str, Any]:
        """The result with the language model's lines, where one is named and there is something to word."""
        if self._llm is None or not result.get("suggestions"):
            return result
        return await self._llm.word(
            self._workshop,
            result,
            text=analysis.version.text,
            content=analysis.version.content,
            job=analysis.job_text,
            seconds=self._seconds_left(analysis),
        )

    def _seconds_left(self, analysis: Analysis) -> float:
        """Until the hold's end, less what is kept for writing the result down."""
        left = (analysis.deadline_at - datetime.now(UTC)).total_seconds() - self._margin_seconds
        return max(0.0, left)

    async def _finish(self, analysis: Analysis, result: dict[str, Any]) -> None:
        """The result and its price, or neither."""
        async with self._sessions.begin() as session:
            spent = await heller.within(session).capture(
                analysis.account_id,
                analysis.hold,
                key=f"analysis:{analysis.id}",
                reason=PRICES[analysis.kind].reason,
                actor=f"user:{analysis.user_id}",
                metadata={"analysis": str(analysis.id)},
            )
            changed = await session.scalar(
                update(Analysis)
                .where(Analysis.id == analysis.id, Analysis.state == "working")
                .values(
                    state="done",
                    result=result,
                    match_score=result["score"],
                    credits_used=-spent.delta,
                    job_title=analysis.job_title or result["title"][:TITLE_CHARACTERS_MAX],
                    finished_at=func.clock_timestamp(),
                )
                .returning(Analysis.id)
            )
            if changed is None:  # deleted, or closed at its deadline meanwhile: roll the capture back
                raise NotFound("The analysis is gone.", reason="gone")

    async def _fail(self, analysis: Analysis, reason: str, message: str) -> None:
        """Close it and let go of the credits."""
        async with self._sessions.begin() as session:
            await session.execute(
                update(Analysis)
                .where(Analysis.id == analysis.id, Analysis.state.in_(("queued", "working")))
                .values(
                    state="failed",
                    error_reason=reason,
                    error_message=message,
                    finished_at=func.clock_timestamp(),
                )
            )
        async with self._sessions.begin() as session:
            try:
                await heller.within(session).release(analysis.account_id, analysis.hold)
            except HellerError as error:  # expired or captured: there is nothing left to let go of
                log.info("no hold to release", analysis=str(analysis.id), error=error.message)

    async def sweep(self) -> int:
        """Close what is past its deadline: its process died, and its hold has expired or does so now."""
        async with self._sessions() as session:
            overdue = (
                await session.scalars(
                    select(Analysis)
                    .where(
                        Analysis.state.in_(("queued", "working")),
                        Analysis.deadline_at < func.clock_timestamp(),
                    )
                    .limit(PAGE_MAX)
                )
            ).all()
        for analysis in overdue:
            await self._fail(analysis, "interrupted", "The analysis was interrupted. Nothing was charged.")
        return len(overdue)

    async def sweep_until(self, stop: asyncio.Event) -> None:
        """``sweep`` every few seconds."""
        while not stop.is_set():
            try:
                await self.sweep()
            except (SQLAlchemyError, HellerError, OSError) as error:
                log.warning("the sweep failed", error=str(error))
            try:
                await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)
            except TimeoutError:
                continue

    async def settle(self) -> None:
        """Wait for what is under way, at the end of the process."""
        if self._running:
            await asyncio.wait(self._running, timeout=SETTLE_SECONDS)


async def of_order(session: AsyncSession, user: str, order_id: UUID) -> Sequence[Analysis]:
    """The analyses of an order, best score first.

    Raises:
        NotFound: no such order of this user.
    """
    statement = (
        select(Analysis)
        .where(Analysis.user_id == user, Analysis.order_id == order_id)
        .order_by(Analysis.match_score.desc().nulls_last(), Analysis.position)
    )
    found = (await session.scalars(statement)).all()
    if not found:
        raise NotFound("There is no such order.")
    return found


async def one(session: AsyncSession, user: str, analysis_id: UUID) -> Analysis:
    """One analysis.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    found = await session.scalar(select(Analysis).where(Analysis.id == analysis_id, Analysis.user_id == user))
    if found is None:
        raise NotFound("There is no such analysis.")
    return found


async def history(
    session: AsyncSession, user: str, *, before: datetime | None = None, limit: int = PAGE_MAX
) -> Sequence[Analysis]:
    """The analyses of a user, newest first; the next page is ``before`` the last one's ``created_at``."""
    statement = select(Analysis).where(Analysis.user_id == user)
    if before is not None:
        statement = statement.where(Analysis.created_at < before)
    return (
        await session.scalars(statement.order_by(Analysis.created_at.desc()).limit(min(limit, PAGE_MAX)))
    ).all()
