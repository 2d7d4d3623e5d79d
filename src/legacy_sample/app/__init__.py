"""The legacy application, running: FastAPI and SQLAlchemy on the "production" tables, in the manner they were used.

Stands alone: it imports nothing of heller and knows of it only that a change may be refused with SQLSTATE MG001.
"""

from legacy_sample.app.faults import Fault, faults_of
from legacy_sample.app.web import Settings, create_app

__all__ = ["Fault", "Settings", "create_app", "faults_of"]
