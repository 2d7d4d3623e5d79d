"""Files to text. What cannot be read is refused with the reason, never guessed."""

from resume_matcher.documents.reading import FILE_BYTES_MAX, Document, from_text, read

__all__ = ["FILE_BYTES_MAX", "Document", "from_text", "read"]
