"""All pages of the application."""

from fastapi import APIRouter

from resume_matcher.web import analysis_pages, application_pages, front_pages, resume_pages

router = APIRouter(include_in_schema=False)
for part in (front_pages, resume_pages, analysis_pages, application_pages):
    router.include_router(part.router)
