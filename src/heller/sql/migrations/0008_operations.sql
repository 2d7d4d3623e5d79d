-- Running it: what each periodic job last did and who does it now, what was shown to work, who was erased.

create table heller.jobs (
  job text collate "C" not null,
  worker text not null,
  lease_until timestamptz,
  started_at timestamptz not null,
  finished_at timestamptz,
  succeeded_at timestamptz,
  seconds double precision,
  runs bigint not null default 0,
  failures bigint not null default 0,
  error text,
  answer jsonb,
  constraint jobs_pkey primary key (job),
  constraint jobs_counts_not_negative check (runs >= 0 and failures >= 0)
);
comment on table heller.jobs is 'Each periodic job of the workers: who does it now, under a lease, and what came of it last.';
comment on column heller.jobs.lease_until is 'Until when no other worker takes it; null while nobody does it.';
comment on column heller.jobs.error is 'What went wrong in the last run; null when it went well.';
comment on column heller.jobs.answer is 'What the last run that went well said.';

create table heller.evidence (
  evidence_id bigint generated always as identity,
  kind text collate "C" not null,
  ok boolean not null,
  actor text not null,
  detail jsonb not null default '{}',
  at timestamptz not null default clock_timestamp(),
  constraint evidence_pkey primary key (evidence_id),
  constraint evidence_kind_format check (kind ~ '^[a-z][a-z_]{0,39}$')
);
create index evidence_kind on heller.evidence (kind, evidence_id);
comment on table heller.evidence is 'What was done to show that something works (a backup restored, an alert sent, a rollback rehearsed), written where it happened.';

alter table heller.users
  add column erased_at timestamptz,
  add column erased_by text,
  add constraint users_erased_by_somebody check ((erased_at is null) = (erased_by is null));
comment on column heller.users.erased_at is 'When the person''s names were erased; the ledger is kept.';

-- a top-up pauses in one place: the account's rule
drop function if exists heller.stripe_resume_top_up(text, text);
drop function if exists heller.stripe_begin_top_up(text, text, text, bigint, boolean, text, integer, bigint, integer, integer, integer, integer, text);
delete from heller.schema_objects where path = 'functions/stripe_resume_top_up.sql';
delete from heller.stripe_marks where name like 'top\_up\_resumed:%';
