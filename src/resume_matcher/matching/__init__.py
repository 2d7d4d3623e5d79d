"""How well a resume fits a job, and why."""

from resume_matcher.matching.match import Match, match
from resume_matcher.matching.suggestions import suggestions

__all__ = ["Match", "match", "suggestions"]
