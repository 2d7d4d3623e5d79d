"""The resumes of a user: add, list, show, delete."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from resume_matcher.errors import InvalidInput, NotFound
from resume_matcher.store import Resume, ResumeVersion
from resume_matcher.texts import kept

RESUMES_MAX = 50
VERSIONS_MAX = 50
TITLE_CHARACTERS_MAX = 120


async def add(
    session: AsyncSession, user: str, read: dict[str, Any], *, file_name: str, title: str = ""
) -> Resume:
    """A new resume out of what the work process read.

    Raises:
        InvalidInput: there are ``RESUMES_MAX`` already.
    """
    count = await session.scalar(select(func.count()).select_from(Resume).where(Resume.user_id == user))
    if (count or 0) >= RESUMES_MAX:
        raise InvalidInput(f"There are {count} resumes; at most {RESUMES_MAX} are kept.", hint="Delete one first.", reason="too_many")  # fmt: skip
    resume = Resume(user_id=user, title=_title(title, read["content"], file_name))
    session.add(resume)
    await session.flush()
    session.add(_version(resume.id, 1, read, file_name))
    await session.flush()
    return await one(session, user, resume.id)


async def add_version(
    session: AsyncSession, user: str, resume_id: UUID, read: dict[str, Any], *, file_name: str
) -> Resume:
    """A newer version of a resume; analyses from now on use it.

    Raises:
        NotFound: no such resume.
        InvalidInput: it has ``VERSIONS_MAX`` already.
    """
    await session.execute(select(Resume.id).where(Resume.id == resume_id).with_for_update())
    resume = await one(session, user, resume_id)
    if len(resume.versions) >= VERSIONS_MAX:
        raise InvalidInput(f"There are {VERSIONS_MAX} versions of it.", hint="Delete the resume and start anew.", reason="too_many")  # fmt: skip
    session.add(_version(resume.id, resume.newest.number + 1, read, file_name))
    await session.flush()
    return await one(session, user, resume_id)


async def all_of(session: AsyncSession, user: str) -> Sequence[Resume]:
    """The resumes of a user, newest first."""
    return (
        await session.scalars(select(Resume).where(Resume.user_id == user).order_by(Resume.created_at.desc()))
    ).all()


async def one(session: AsyncSession, user: str, resume_id: UUID) -> Resume:
    """One resume with its versions.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    statement = (
        select(Resume)
        .where(Resume.id == resume_id, Resume.user_id == user)
        .execution_options(populate_existing=True)
    )
    resume = await session.scalar(statement)
    if resume is None:
        raise NotFound("There is no such resume.")
    return resume


async def remove(session: AsyncSession, user: str, resume_id: UUID) -> None:
    """Delete a resume with its versions and analyses. What was spent on them stays in the account's history.

    Raises:
        NotFound: no such resume.
    """
    await one(session, user, resume_id)
    await session.execute(delete(Resume).where(Resume.id == resume_id))


def _version(resume_id: UUID, number: int, read: dict[str, Any], file_name: str) -> ResumeVersion:
    return ResumeVersion(
        resume_id=resume_id,
        number=number,
        file_name=kept(file_name, TITLE_CHARACTERS_MAX),
        kind=read["kind"],
        text=read["text"],
        content=read["content"],
    )


def _title(title: str, content: dict[str, Any], file_name: str) -> str:
    basics = content.get("basics", {})
    found = (
        kept(title, TITLE_CHARACTERS_MAX)
        or " · ".join(basics[part] for part in ("name", "label") if basics.get(part))
        or file_name
    )
    return kept(found, TITLE_CHARACTERS_MAX) or "Resume"
