"""The legacy credit system as a sample: its schemas, and a generator of clean and messy databases.

Stands alone: it needs psycopg and a PostgreSQL, nothing of heller. What each planted finding means in
terms of rows is defined in README.md in this folder.
"""

from legacy_sample.export import LIVE_EXPORT, load_export
from legacy_sample.model import SHAPES, Credits, LegacySampleError, Summary
from legacy_sample.sample import build

__all__ = ["LIVE_EXPORT", "SHAPES", "Credits", "LegacySampleError", "Summary", "build", "load_export"]
