"""The application tracker: jobs somebody applies for, with their state."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from resume_matcher.errors import InvalidInput, NotFound
from resume_matcher.store import Analysis, Application
from resume_matcher.store.tables import APPLICATION_STATES
from resume_matcher.texts import kept

APPLICATIONS_MAX = 500
TEXT_CHARACTERS_MAX = 2_000
TITLE_CHARACTERS_MAX = 200


async def all_of(session: AsyncSession, user: str) -> Sequence[Application]:
    """The applications of a user, last touched first."""
    statement = select(Application).where(Application.user_id == user).order_by(Application.updated_at.desc())
    return (await session.scalars(statement.limit(APPLICATIONS_MAX))).all()


async def add(
    session: AsyncSession,
    user: str,
    *,
    title: str,
    company: str = "",
    note: str = "",
    analysis: Analysis | None = None,
) -> Application:
    """Follow a job; one analysis is followed once.

    Raises:
        InvalidInput: it has no title, or there are too many.
    """
    if analysis is not None:
        known = await session.scalar(
            select(Application).where(Application.user_id == user, Application.analysis_id == analysis.id)
        )
        if known is not None:
            return known
    if not kept(title, TITLE_CHARACTERS_MAX):
        raise InvalidInput("An application needs a title.", reason="title")
    count = await session.scalar(
        select(func.count()).select_from(Application).where(Application.user_id == user)
    )
    if (count or 0) >= APPLICATIONS_MAX:
        raise InvalidInput(
            f"There are {count} applications; at most {APPLICATIONS_MAX} are kept.", reason="too_many"
        )
    application = Application(
        user_id=user,
        analysis_id=analysis.id if analysis else None,
        title=kept(title, TITLE_CHARACTERS_MAX),
        company=kept(company, TITLE_CHARACTERS_MAX),
        note=kept(note, TEXT_CHARACTERS_MAX),
    )
    session.add(application)
    await session.flush()
    return await one(session, user, application.id)


async def one(session: AsyncSession, user: str, application_id: UUID) -> Application:
    """One application.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    statement = select(Application).where(Application.id == application_id, Application.user_id == user)
    found = await session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such application.")
    return found


async def change(
    session: AsyncSession,
    user: str,
    application_id: UUID,
    *,
    state: str | None = None,
    note: str | None = None,
) -> Application:
    """Move an application on, or note something.

    Raises:
        NotFound: no such application.
        InvalidInput: no such state.
    """
    if state is not None and state not in APPLICATION_STATES:
        raise InvalidInput(
            f"There is no state {state}.", hint=f"Known are {', '.join(APPLICATION_STATES)}.", reason="state"
        )
    found = await one(session, user, application_id)
    if state is not None:
        found.state = state
    if note is not None:
        found.note = kept(note, TEXT_CHARACTERS_MAX)
    found.updated_at = func.clock_timestamp()
    await session.flush()
    return await one(session, user, application_id)


async def remove(session: AsyncSession, user: str, application_id: UUID) -> None:
    """Follow it no more.

    Raises:
        NotFound: no such application.
    """
    await session.delete(await one(session, user, application_id))
