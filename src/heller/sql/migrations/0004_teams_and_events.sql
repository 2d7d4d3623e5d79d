-- Around the ledger: members of a team and what they may spend, alerts, automatic top-ups, events out, anchors.
-- Nothing here costs a spend anything but a BRIN entry for each page range of transactions.

create index transactions_recorded on heller.transactions using brin (recorded_at) with (pages_per_range = 32);

create table heller.members (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  member_id text collate "C" not null,
  cap bigint,
  period text collate "C" not null default 'month',
  joined_at timestamptz not null,
  left_at timestamptz,
  constraint members_pkey primary key (account_id, unit, member_id),
  constraint members_id_length check (length(member_id) between 1 and 200),
  constraint members_cap_not_negative check (cap >= 0),
  constraint members_period_known check (period in ('day', 'week', 'month', 'year', 'ever'))
);
comment on table heller.members is 'Who may spend from a team''s account, and how much per period.';
comment on column heller.members.cap is 'Credits a member may spend in one period; null is no cap.';
create index members_by_member on heller.members (member_id);

create table heller.member_spending (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  member_id text collate "C" not null,
  period_start timestamptz not null,
  spent bigint not null,
  constraint member_spending_pkey primary key (account_id, unit, member_id, period_start)
) with (fillfactor = 70);
comment on table heller.member_spending is 'What a member has spent in each period, less what was refunded of it.';

create table heller.member_spends (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  seq bigint not null,
  member_id text collate "C" not null,
  period_start timestamptz not null,
  constraint member_spends_pkey primary key (account_id, unit, seq)
);
comment on table heller.member_spends is 'Which spends count against which member''s cap, so that their refunds give it back.';

create table heller.alerts (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  threshold bigint not null,
  rearm_at bigint not null,
  fired_at timestamptz,
  created_at timestamptz not null,
  constraint alerts_pkey primary key (account_id, unit, threshold),
  constraint alerts_rearm_not_below check (rearm_at >= threshold)
);
comment on table heller.alerts is 'Says that available has fallen below a threshold: once, until it has been at rearm_at or above again.';

create table heller.top_up_rules (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  threshold bigint not null,
  price text collate "C" not null,
  quantity integer not null default 1,
  ceiling bigint,
  ceiling_days integer not null default 30,
  cooldown_seconds integer not null default 300,
  failures_max integer not null default 3,
  failures integer not null default 0,
  attempted_at timestamptz,
  paused_at timestamptz,
  paused_reason text,
  created_at timestamptz not null,
  constraint top_up_rules_pkey primary key (account_id, unit),
  constraint top_up_rules_threshold_positive check (threshold > 0),
  constraint top_up_rules_quantity_positive check (quantity > 0),
  constraint top_up_rules_ceiling_positive check (ceiling > 0),
  constraint top_up_rules_days_positive check (ceiling_days > 0),
  constraint top_up_rules_cooldown_positive check (cooldown_seconds >= 0),
  constraint top_up_rules_failures_positive check (failures_max > 0),
  constraint top_up_rules_paused_with_reason check ((paused_at is null) = (paused_reason is null))
);
comment on table heller.top_up_rules is 'When an account buys credits by itself: below threshold, one price, a ceiling of money per days, a pause after failures.';
comment on column heller.top_up_rules.ceiling is 'In minor units of the price''s currency, over ceiling_days; null is no ceiling.';

create table heller.top_up_attempts (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  attempt bigint not null,
  attempted_at timestamptz not null,
  outcome text collate "C" not null,
  amount bigint not null default 0,
  detail text,
  constraint top_up_attempts_pkey primary key (account_id, unit, attempt),
  constraint top_up_attempts_outcome_known check (outcome in ('succeeded', 'failed', 'declined'))
);
comment on table heller.top_up_attempts is 'What became of each automatic top-up; amount is the money that moved, in minor units.';

create table heller.event_horizons (
  xid xid8 not null,
  at timestamptz not null,
  constraint event_horizons_pkey primary key (xid)
);
comment on table heller.event_horizons is
  'At the instant, no transaction id of xid or above had been given out. Once all below xid have ended, whatever is still to commit was recorded after the instant.';

create table heller.webhook_endpoints (
  endpoint_id text collate "C" not null,
  url text not null,
  secret text not null,
  account_id text collate "C",
  kinds text[],
  position jsonb,
  failures integer not null default 0,
  due_at timestamptz not null,
  last_error text,
  attempts jsonb not null default '[]',
  delivered_at timestamptz,
  disabled_at timestamptz,
  created_at timestamptz not null,
  constraint webhook_endpoints_pkey primary key (endpoint_id),
  constraint webhook_endpoints_url_form check (url ~ '^https?://')
);
create index webhook_endpoints_due on heller.webhook_endpoints (due_at) where disabled_at is null;
comment on table heller.webhook_endpoints is
  'Where events are sent to, in their order and at least once; position is the last event the endpoint has taken.';
comment on column heller.webhook_endpoints.attempts is 'The last 50 attempts, newest first: at, event, status_code, error, milliseconds.';
comment on column heller.webhook_endpoints.kinds is 'Only these kinds of transactions; null is all.';

create table heller.anchors (
  at timestamptz not null,
  accounts bigint not null,
  transactions bigint not null,
  digest bytea not null,
  taken_at timestamptz not null,
  constraint anchors_pkey primary key (at)
);
comment on table heller.anchors is
  'A digest over the heads of all chains as they stood at an instant. Kept elsewhere as well, it shows later that no row before it was changed or removed.';
