"""Resume Matcher: a person uploads a resume, pastes a job, and buys analyses with heller's credits."""
