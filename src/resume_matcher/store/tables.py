"""What the application remembers. Credits are not among it: they are heller's."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SCHEMA = "resume_matcher"
STATES = ("queued", "working", "done", "failed")
APPLICATION_STATES = ("saved", "applied", "interview", "offer", "accepted", "rejected", "withdrawn")
_NOW = func.clock_timestamp()
_ID = text("gen_random_uuid()")


class Base(DeclarativeBase):
    """All tables; constraints have names."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        },
    )
    type_annotation_map = {  # noqa: RUF012  # read by SQLAlchemy
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        str: Text,
        int: Integer,
        float: Double,
    }


class Resume(Base):
    """A resume of a user, under a title; what it says is in its versions."""

    __tablename__ = "resumes"
    __table_args__ = (
        Index(None, "user_id", "created_at"),
        {"comment": "A resume of a user, under a title."},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_ID)
    user_id: Mapped[str]
    title: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    versions: Mapped[list["ResumeVersion"]] = relationship(
        order_by="ResumeVersion.number.desc()", passive_deletes=True, lazy="selectin"
    )

    @property
    def newest(self) -> "ResumeVersion":
        """The version that analyses use."""
        return self.versions[0]


class ResumeVersion(Base):
    """One upload: its text, and its content as JSON Resume."""

    __tablename__ = "resume_versions"
    __table_args__ = (
        UniqueConstraint("resume_id", "number"),
        {"comment": "One upload: its text, and its content as JSON Resume."},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_ID)
    resume_id: Mapped[UUID] = mapped_column(ForeignKey(f"{SCHEMA}.resumes.id", ondelete="CASCADE"))
    number: Mapped[int]
    file_name: Mapped[str]
    kind: Mapped[str]
    text: Mapped[str]
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class Analysis(Base):
    """A resume held against one job: ordered, held for, worked on, charged when done."""

    __tablename__ = "job_analyses"
    __table_args__ = (
        CheckConstraint("state in ('queued', 'working', 'done', 'failed')", name="state_known"),
        CheckConstraint("match_score between 0 and 100", name="match_score_bounded"),
        CheckConstraint(
            "credits_used >= 0 and (credits_used = 0 or state = 'done')", name="charged_when_done"
        ),
        UniqueConstraint("user_id", "order_id", "position"),
        Index(None, "user_id", "created_at"),
        Index(None, "deadline_at", postgresql_where=text("state in ('queued', 'working')")),
        {"comment": "A resume held against one job; hold is heller's, credits_used what was captured of it."},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_ID)
    user_id: Mapped[str]
    account_id: Mapped[str]
    order_id: Mapped[UUID]
    position: Mapped[int]
    resume_id: Mapped[UUID] = mapped_column(
        ForeignKey(f"{SCHEMA}.resumes.id", ondelete="CASCADE"), index=True
    )
    version_id: Mapped[UUID] = mapped_column(ForeignKey(f"{SCHEMA}.resume_versions.id", ondelete="CASCADE"))
    kind: Mapped[str]
    job_title: Mapped[str]
    job_text: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    hold: Mapped[int] = mapped_column(BigInteger)
    deadline_at: Mapped[datetime]
    credits_used: Mapped[int] = mapped_column(server_default="0")
    match_score: Mapped[float | None]
    result: Mapped[dict[str, Any] | None]
    error_reason: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    finished_at: Mapped[datetime | None]
    version: Mapped[ResumeVersion] = relationship(lazy="joined")
    resume: Mapped[Resume] = relationship(lazy="joined")

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {"done", "failed"}


class Application(Base):
    """A job somebody applies for, and how far that has come."""

    __tablename__ = "applications"
    __table_args__ = (
        CheckConstraint(
            f"state in ({', '.join(repr(state) for state in APPLICATION_STATES)})", name="state_known"
        ),
        Index(None, "user_id", "updated_at"),
        {"comment": "A job somebody applies for, and how far that has come."},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_ID)
    user_id: Mapped[str]
    analysis_id: Mapped[UUID | None] = mapped_column(
        ForeignKey(f"{SCHEMA}.job_analyses.id", ondelete="SET NULL")
    )
    title: Mapped[str]
    company: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="saved")
    note: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    analysis: Mapped[Analysis | None] = relationship(lazy="joined")
