"""Text to a structured resume in the JSON Resume schema."""

from resume_matcher.resume.language import Languages, languages_of
from resume_matcher.resume.parse import parse

__all__ = ["Languages", "languages_of", "parse"]
