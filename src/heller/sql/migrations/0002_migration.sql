-- What was migrated, when, by which decisions, and what became of the rows that are no transaction of their own.

create table heller.migration_runs (
  run_id bigint generated always as identity,
  source_system text collate "C" not null,
  source_name text not null,
  truth text collate "C" not null,
  decisions jsonb not null,
  plan_digest text not null,
  snapshot_at timestamptz not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  summary jsonb,
  constraint migration_runs_pkey primary key (run_id),
  constraint migration_runs_truth_known check (truth in ('balance', 'transactions', 'ledger'))
);
comment on table heller.migration_runs is 'Each copy from a legacy database: by which truth and decisions, from which snapshot, with which result.';
comment on column heller.migration_runs.finished_at is 'Null while it runs, and for a run that was killed.';

create table heller.migration_outcomes (
  source_system text collate "C" not null,
  source_table text collate "C" not null,
  source_id text collate "C" not null,
  outcome text collate "C" not null,
  reason text not null,
  account_id text collate "C",
  into_table text collate "C",
  into_id text collate "C",
  run_id bigint not null,
  constraint migration_outcomes_pkey primary key (source_system, source_table, source_id, outcome),
  constraint migration_outcomes_known check (outcome in ('merged', 'quarantined'))
);
comment on table heller.migration_outcomes is
  'Source rows that are no row of their own here: merged into another row (the same business event), or quarantined with the reason.';
comment on column heller.migration_outcomes.into_id is 'For merged: the source row whose transaction it is part of.';
