"""What every request of the application can reach, beside heller's wiring."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from resume_matcher.analyses import Analyses
from resume_matcher.store import Sessions
from resume_matcher.work import Workshop


@dataclass(frozen=True, slots=True)
class Matcher:
    """The parts of one process."""

    sessions: Sessions
    workshop: Workshop
    analyses: Analyses


def matcher_of(request: HTTPConnection) -> Matcher:
    """The parts of the application that serves a request."""
    matcher: Matcher = request.app.state.matcher
    return matcher
