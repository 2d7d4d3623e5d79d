"""The application without its pages: a database with both schemas, one workshop for all tests of a worker."""

import asyncio
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

import resume_papers as papers
from heller import Heller
from resume_matcher import resumes, store
from resume_matcher.analyses import Analyses
from resume_matcher.people import person_of
from resume_matcher.work import Workshop


@pytest.fixture(scope="session")
def matcher_template(server_url, heller_template):
    """The name of a database with the schemas of heller and of the application."""
    name = f"template_matcher_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(heller_template)
            )
        )
    url = _named(server_url, name)
    store.migrate(url)
    store.migrate(url)  # again changes nothing
    yield name
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def matcher_database(server_url, matcher_template):
    name = f"matcher_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(matcher_template)
            )
        )
    yield _named(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _named(url, name):
    old = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    return url.replace(f"/{old}?", f"/{name}?", 1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def workshop():
    async with Workshop.open() as opened:
        yield opened


class World:
    """A person with a resume and credits, and what can be asked of the application."""

    def __init__(self, url, sessions, credits, analyses, workshop):
        self.url, self.sessions, self.credits, self.analyses, self.workshop = (
            url,
            sessions,
            credits,
            analyses,
            workshop,
        )

    async def person(self, name, credits=100):
        person = await person_of(self.credits, user=None, subject=name, email=f"{name}@example.org")
        if credits:
            await self.credits.grant(person.account, credits, source="purchase")
        return person

    async def resume(self, person, text=papers.GERMAN):
        read = await self.workshop.do("read_text", text=text)
        async with self.sessions.begin() as session:
            return await resumes.add(session, person.user, read, file_name="resume.txt")

    async def finished(self, person, order_id):
        from resume_matcher.analyses import of_order  # noqa: PLC0415

        for _ in range(600):
            async with self.sessions() as session:
                found = await of_order(session, person.user, order_id)
            if all(analysis.is_finished for analysis in found):
                return found
            await asyncio.sleep(0.02)
        raise AssertionError("it does not end")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(matcher_database, workshop):
    async with store.opened(matcher_database) as sessions, Heller.connect(matcher_database) as credits:
        analyses = Analyses(sessions, workshop, hold_seconds=60, size=2)
        yield World(matcher_database, sessions, credits, analyses, workshop)
        await analyses.settle()
