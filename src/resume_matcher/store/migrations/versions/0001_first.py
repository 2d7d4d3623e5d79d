"""Resumes with versions, job analyses, applications."""

from alembic import op

revision = "0001"
down_revision = None

_UP = """
create table resume_matcher.resumes (
  id uuid not null default gen_random_uuid() constraint resumes_pkey primary key,
  user_id text not null,
  title text not null,
  created_at timestamptz not null default clock_timestamp()
);
create index resumes_user_id_created_at_idx on resume_matcher.resumes (user_id, created_at);
comment on table resume_matcher.resumes is 'A resume of a user, under a title.';

create table resume_matcher.resume_versions (
  id uuid not null default gen_random_uuid() constraint resume_versions_pkey primary key,
  resume_id uuid not null constraint resume_versions_resume_id_fkey references resume_matcher.resumes on delete cascade,
  number integer not null,
  file_name text not null,
  kind text not null,
  text text not null,
  content jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint resume_versions_resume_id_number_key unique (resume_id, number)
);
comment on table resume_matcher.resume_versions is 'One upload: its text, and its content as JSON Resume.';

create table resume_matcher.job_analyses (
  id uuid not null default gen_random_uuid() constraint job_analyses_pkey primary key,
  user_id text not null,
  account_id text not null,
  order_id uuid not null,
  position integer not null,
  resume_id uuid not null constraint job_analyses_resume_id_fkey references resume_matcher.resumes on delete cascade,
  version_id uuid not null constraint job_analyses_version_id_fkey references resume_matcher.resume_versions on delete cascade,
  kind text not null,
  job_title text not null,
  job_text text not null,
  state text not null default 'queued',
  hold bigint not null,
  deadline_at timestamptz not null,
  credits_used integer not null default 0,
  match_score double precision,
  result jsonb,
  error_reason text,
  error_message text,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  constraint job_analyses_state_known check (state in ('queued', 'working', 'done', 'failed')),
  constraint job_analyses_match_score_bounded check (match_score between 0 and 100),
  constraint job_analyses_charged_when_done check (credits_used >= 0 and (credits_used = 0 or state = 'done')),
  constraint job_analyses_user_id_order_id_position_key unique (user_id, order_id, position)
);
create index job_analyses_user_id_created_at_idx on resume_matcher.job_analyses (user_id, created_at);
create index job_analyses_resume_id_idx on resume_matcher.job_analyses (resume_id);
create index job_analyses_deadline_at_idx on resume_matcher.job_analyses (deadline_at) where state in ('queued', 'working');
comment on table resume_matcher.job_analyses is 'A resume held against one job; hold is heller''s, credits_used what was captured of it.';

create table resume_matcher.applications (
  id uuid not null default gen_random_uuid() constraint applications_pkey primary key,
  user_id text not null,
  analysis_id uuid constraint applications_analysis_id_fkey references resume_matcher.job_analyses on delete set null,
  title text not null,
  company text not null default '',
  state text not null default 'saved',
  note text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint applications_state_known
    check (state in ('saved', 'applied', 'interview', 'offer', 'accepted', 'rejected', 'withdrawn'))
);
create index applications_user_id_updated_at_idx on resume_matcher.applications (user_id, updated_at);
comment on table resume_matcher.applications is 'A job somebody applies for, and how far that has come.';
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(_UP)


def downgrade() -> None:
    """Drop them with what is in them."""
    op.execute(
        "drop table resume_matcher.applications, resume_matcher.job_analyses,"
        " resume_matcher.resume_versions, resume_matcher.resumes"
    )
