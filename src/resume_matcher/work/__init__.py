"""The work that reads files of strangers: in processes of its own, with limits on memory and time."""

from resume_matcher.work.workshop import TASK_SECONDS_MAX, Workshop

__all__ = ["TASK_SECONDS_MAX", "Workshop"]
