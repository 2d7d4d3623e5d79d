-- What operators look at: figures over all accounts, the steps of a migration as they go, accounts that are frozen.

create table heller.book_figures (
  name text collate "C" not null,
  figures jsonb not null,
  taken_at timestamptz not null,
  milliseconds bigint not null,
  constraint book_figures_pkey primary key (name)
);
comment on table heller.book_figures is 'The last figures over all accounts, kept because counting them reads every row: who looks often sees these.';
comment on column heller.book_figures.milliseconds is 'How long counting took; it is done again after twenty times as long, and not more than once a minute.';

create table heller.migration_steps (
  step_id bigint generated always as identity,
  step text collate "C" not null,
  source_name text not null,
  phase text not null default '',
  done bigint not null default 0,
  total bigint not null default 0,
  phase_since timestamptz not null default clock_timestamp(),
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  result jsonb,
  error text,
  constraint migration_steps_pkey primary key (step_id),
  constraint migration_steps_known check (step in ('audit', 'backup', 'plan', 'copy', 'verify', 'proof')),
  constraint migration_steps_counts_not_negative check (done >= 0 and total >= 0)
);
comment on table heller.migration_steps is 'Each step of a migration from its start to its result, for those who watch; the files in the output folder have every row.';
comment on column heller.migration_steps.phase is 'What the step is at: the table it reads, or the part of its work.';
comment on column heller.migration_steps.total is 'What the phase has to do in all; 0 is not known.';
comment on column heller.migration_steps.seen_at is 'Written every second while the step is alive: an unfinished one that is older was killed.';
comment on column heller.migration_steps.result is 'What the step answered (its --json), with the first rows of long lists.';

create index accounts_frozen on heller.accounts (account_id) where frozen_at is not null;
create index observations_at on heller.observations using brin (at) with (pages_per_range = 16);
