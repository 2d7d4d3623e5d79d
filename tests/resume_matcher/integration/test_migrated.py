"""Users of the legacy application arrive by migration, find their credits, and use them."""

import pytest

import legacy_sample
import resume_papers as papers
from heller import migration
from heller.database import Database
from heller.web.auth import principal_of
from heller.web.settings import load
from resume_matcher.analyses import JobText
from resume_matcher.people import person_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_migrated_user_signs_in_by_email_and_spends_what_was_there(world, empty_database, tmp_path):
    await legacy_sample.build(
        empty_database, shape="production", users=60, seed=3, truth=tmp_path / "truth.json"
    )
    await migration.run(empty_database, world.url, tmp_path / "out", decide="recommended")
    database = await Database.open(world.url)
    try:
        async with database.connection() as connection:
            rows = await connection.execute(
                "select a.account_id, a.posted, i.name from heller.accounts a"
                " join heller.identities i on i.user_id = a.user_id and i.kind = 'email'"
                " where a.posted between 20 and 5000 order by a.account_id limit 3"
            )
            migrated = await rows.fetchall()
        assert len(migrated) == 3
        for account, posted, email in migrated:
            claims = {"sub": f"auth0|new-{account}", "email": email, "email_verified": True}
            principal = await principal_of(database, load(), claims, via="session")
            person = await person_of(
                world.credits, user=principal.user, subject=principal.subject, email=email
            )
            assert person.account == account
            resume = await world.resume(person)
            order = await world.analyses.order(
                person, resume_id=resume.id, kind="analysis", jobs=[JobText(papers.JOB)]
            )
            (done,) = await world.finished(person, order)
            assert (done.state, done.credits_used) == ("done", 10)
            assert (await world.credits.balance(account)).posted == posted - 10
    finally:
        await database.close()
