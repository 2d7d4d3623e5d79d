"""The application's own tables, in the schema ``resume_matcher`` of the same database as heller's."""

from resume_matcher.store.database import Sessions, migrate, opened
from resume_matcher.store.tables import Analysis, Application, Base, Resume, ResumeVersion

__all__ = [
    "Analysis",
    "Application",
    "Base",
    "Resume",
    "ResumeVersion",
    "Sessions",
    "migrate",
    "opened",
]
