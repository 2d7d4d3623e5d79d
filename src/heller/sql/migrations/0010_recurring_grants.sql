-- Credits that come again every period: a row of settings, of which grants are made as the periods begin.

create table heller.recurring_grants (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  name text collate "C" not null,
  amount bigint not null,
  period text collate "C" not null,
  anchor timestamptz not null,
  time_zone text not null default 'UTC',
  rollover bigint not null default 0,
  expires boolean not null default true,
  source text collate "C" not null default 'subscription',
  priority integer not null default 100,
  cost bigint not null default 0,
  currency text collate "C",
  reason text not null default '',
  metadata jsonb,
  next_number bigint not null,
  next_at timestamptz not null,
  given_until timestamptz,
  ends_at timestamptz,
  created_at timestamptz not null,
  constraint recurring_grants_pkey primary key (account_id, unit, name),
  constraint recurring_grants_name_length check (length(name) between 1 and 200),
  constraint recurring_grants_amount_positive check (amount > 0),
  constraint recurring_grants_period_known check (period in ('day', 'week', 'month', 'quarter', 'year')),
  constraint recurring_grants_rollover_of_what_expires check (rollover >= 0 and (expires or rollover = 0)),
  constraint recurring_grants_source_known check (source in ('purchase', 'promotion', 'subscription', 'adjustment', 'migration')),
  constraint recurring_grants_cost_not_negative check (cost >= 0),
  constraint recurring_grants_currency_with_cost check (cost = 0 or currency is not null)
);
comment on table heller.recurring_grants is 'Credits an account gets anew every period: the settings, and up to where they have been given.';
comment on column heller.recurring_grants.amount is 'Credits of one period.';
comment on column heller.recurring_grants.anchor is 'An instant at which a period begins; the others begin whole periods before and after, by the calendar of time_zone.';
comment on column heller.recurring_grants.rollover is 'So many of a period''s credits, at most, live on for one more period.';
comment on column heller.recurring_grants.expires is 'Whether what is left at the end of a period is forfeited; false: it stays for good.';
comment on column heller.recurring_grants.cost is 'What is paid for one period, in minor currency units.';
comment on column heller.recurring_grants.next_number is 'Which period is given next, counted from the anchor (0 begins there, -1 before it).';
comment on column heller.recurring_grants.next_at is 'When the next period begins; accounts.next_due_at is never later while that is before ends_at.';
comment on column heller.recurring_grants.given_until is 'The end of the last period that was given; null before the first. No period is given twice, also when this was removed and put again.';
comment on column heller.recurring_grants.ends_at is 'No period begins then or later; null: it goes on.';

alter table heller.grants add column recurring text collate "C";
comment on column heller.grants.recurring is 'The name of the recurring grant whose period this is.';
-- the last line against giving a period twice
create unique index grants_recurring on heller.grants (account_id, unit, recurring, available_at, expires_at) nulls not distinct
  where recurring is not null;
-- an account that gets credits every day has thousands of grants, of which few are still to arrive
create index grants_scheduled on heller.grants (account_id, unit, available_at) where seq is null and ended_at is null;
