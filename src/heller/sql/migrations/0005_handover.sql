-- Two systems alive: which home an account has, what was sealed and received, the rollout and what it watches.

alter table heller.accounts add column epoch bigint;
alter table heller.accounts add column draining_since timestamptz;
alter table heller.accounts add constraint accounts_epoch_not_negative check (epoch >= 0);
create index accounts_epoch on heller.accounts (account_id) where epoch is not null;
comment on column heller.accounts.epoch is
  'Moves of this account''s home, counted on this side: odd is at home here, even is at home in the legacy database; null never had another home.';
comment on column heller.accounts.draining_since is 'Set while a return waits for open holds: no new ones are placed.';

create table heller.homes (
  account_id text collate "C" not null,
  source_system text collate "C" not null,
  legacy_balance bigint,
  our_balance bigint,
  seen_seq bigint not null default 0,
  quarantined_at timestamptz,
  quarantine_reason text,
  returned_at timestamptz,
  changed_at timestamptz not null default clock_timestamp(),
  constraint homes_pkey primary key (account_id),
  constraint homes_balances_together check ((legacy_balance is null) = (our_balance is null)),
  constraint homes_quarantined_with_reason check ((quarantined_at is null) = (quarantine_reason is null))
);
create index homes_quarantined on heller.homes (account_id) where quarantined_at is not null;
comment on table heller.homes is 'Accounts that have, or had, a home in a legacy database.';
comment on column heller.homes.legacy_balance is 'What the legacy database said when its balance and posted were last known to be the same credits.';
comment on column heller.homes.our_balance is 'posted at that instant; differs from legacy_balance by what decisions of the migration added or took.';
comment on column heller.homes.seen_seq is 'Transactions up to this seq are in the legacy history as well: they came from there, or were carried back.';
comment on column heller.homes.returned_at is 'When the legacy database had received the last return; null while one is under way.';

create table heller.statements (
  account_id text collate "C" not null,
  epoch bigint not null,
  balance bigint not null,
  transactions bigint not null,
  sum bigint not null,
  digest text not null,
  body jsonb not null,
  sealed_at timestamptz not null default clock_timestamp(),
  constraint statements_pkey primary key (account_id, epoch),
  constraint statements_epoch_even check (epoch % 2 = 0)
);
comment on table heller.statements is 'What was sealed here for a return: the closing balance and every transaction the legacy database has not seen.';
comment on column heller.statements.digest is 'SHA-256 of body as text.';

create table heller.receipts (
  account_id text collate "C" not null,
  epoch bigint not null,
  outcome text collate "C" not null,
  balance bigint not null,
  rows bigint not null,
  sum bigint not null,
  digest text not null,
  received_at timestamptz not null default clock_timestamp(),
  constraint receipts_pkey primary key (account_id, epoch),
  constraint receipts_outcome_known check (outcome in ('activated', 'refused'))
);
comment on table heller.receipts is 'That a statement of the legacy database was received here, and what it said.';

create table heller.rollouts (
  rollout text collate "C" not null default 'home',
  state text collate "C" not null,
  stages integer[] not null,
  stage integer not null default 0,
  bucketing text collate "C" not null default 'keyed',
  salt text not null,
  legacy_fallback boolean not null default false,
  soak_seconds integer not null default 86400,
  settings jsonb not null default '{}',
  verdict jsonb not null default '{}',
  breach jsonb,
  reason text not null,
  actor text not null,
  started_at timestamptz not null default clock_timestamp(),
  stage_since timestamptz not null default clock_timestamp(),
  gate_passed_at timestamptz,
  evaluated_at timestamptz,
  changed_at timestamptz not null default clock_timestamp(),
  version bigint not null default 0,
  constraint rollouts_pkey primary key (rollout),
  constraint rollouts_state_known check (state in ('running', 'halted', 'rolling_back', 'rolled_back', 'done')),
  constraint rollouts_bucketing_known check (bucketing in ('keyed', 'plan')),
  constraint rollouts_stage_within check (stage between 0 and cardinality(stages))
);
comment on table heller.rollouts is 'The gradual change of homes: one latched row; who put it there and why.';
comment on column heller.rollouts.stages is 'Shares of the buckets, in percent, ascending.';
comment on column heller.rollouts.stage is 'Which of the stages, from 1; 0 is nobody.';
comment on column heller.rollouts.legacy_fallback is 'Everyone home: the plan is nobody, whatever the stage.';
comment on column heller.rollouts.verdict is 'What the guardrails said at the last evaluation.';
comment on column heller.rollouts.breach is 'The evidence of the breach that halted it; cleared by the named person who resumes.';

create table heller.rollout_log (
  rollout text collate "C" not null,
  entry bigint generated always as identity,
  event text collate "C" not null,
  state text collate "C" not null,
  stage integer not null,
  reason text not null,
  actor text not null,
  evidence jsonb not null default '{}',
  at timestamptz not null default clock_timestamp(),
  constraint rollout_log_pkey primary key (rollout, entry)
);
comment on table heller.rollout_log is 'Every change of a rollout, append-only.';

create table heller.observations (
  rollout text collate "C" not null default 'home',
  observation bigint generated always as identity,
  operation_id text collate "C" not null,
  account_id text collate "C" not null,
  arm text collate "C" not null,
  what text collate "C" not null,
  failed boolean not null,
  counts boolean not null,
  milliseconds integer not null,
  detail text,
  at timestamptz not null default clock_timestamp(),
  constraint observations_pkey primary key (rollout, operation_id),
  constraint observations_arm_known check (arm in ('heller', 'legacy')),
  constraint observations_milliseconds_not_negative check (milliseconds >= 0)
);
create index observations_by_time on heller.observations (rollout, arm, observation);
create index observations_failures on heller.observations (rollout, account_id, at) where failed and counts;
comment on table heller.observations is 'The first outcome of each operation: what the guardrails judge.';
comment on column heller.observations.counts is 'False for a failure of a user who failed within the last ten minutes: one broken client has one vote.';
