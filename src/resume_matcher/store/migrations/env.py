"""How Alembic connects: on the URL that ``migrate`` was given, with its books in the application's schema."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from resume_matcher.store.tables import SCHEMA, Base

LOCK_SECONDS_MAX = 5

engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    connection.execute(text(f"set lock_timeout = '{LOCK_SECONDS_MAX}s'"))
    connection.execute(text(f"create schema if not exists {SCHEMA}"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
