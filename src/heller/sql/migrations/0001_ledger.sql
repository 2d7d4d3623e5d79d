-- The ledger: who holds credits, every change of them, where they came from, what is reserved.
-- account_id leads every key of the per-account tables, so that the whole set shards by it.

create table heller.users (
  id text collate "C" not null,
  metadata jsonb,
  created_at timestamptz not null default clock_timestamp(),
  constraint users_pkey primary key (id),
  constraint users_id_length check (length(id) between 1 and 200)
);
comment on table heller.users is 'A person or a team, by the caller''s own id.';

create table heller.identities (
  kind text collate "C" not null,
  name text collate "C" not null,
  user_id text collate "C" not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint identities_pkey primary key (kind, name),
  constraint identities_name_length check (length(name) between 1 and 320),
  constraint identities_kind_format check (kind ~ '^[a-z][a-z0-9_]{0,39}$')
);
create index identities_user on heller.identities (user_id);
create index identities_by_name on heller.identities (name);
comment on table heller.identities is
  'Every name one person is known by: legacy_id, email (lower-cased), auth0, stripe_customer, and kinds of the caller''s own. A name identifies at most one user.';

create table heller.accounts (
  account_id text collate "C" not null,
  unit text collate "C" not null default 'credit',
  user_id text collate "C",
  posted bigint not null default 0,
  held bigint not null default 0,
  overdraft_limit bigint not null default 0,
  version bigint not null default 0,
  last_seq bigint not null default 0,
  last_grant bigint not null default 0,
  head_hash bytea not null default '\x',
  settled_seq bigint not null default 0,
  settled_posted bigint not null default 0,
  uncovered bigint not null default 0,
  next_due_at timestamptz,
  frozen_at timestamptz,
  frozen_reason text,
  metadata jsonb,
  opened_at timestamptz not null default clock_timestamp(),
  constraint accounts_pkey primary key (account_id, unit),
  constraint accounts_id_length check (length(account_id) between 1 and 200),
  constraint accounts_unit_format check (unit ~ '^[a-z][a-z0-9_-]{0,39}$'),
  constraint accounts_held_not_negative check (held >= 0),
  constraint accounts_overdraft_limit_not_negative check (overdraft_limit >= 0),
  constraint accounts_uncovered_not_negative check (uncovered >= 0),
  constraint accounts_frozen_with_reason check ((frozen_at is null) = (frozen_reason is null))
) with (fillfactor = 70);
create index accounts_user on heller.accounts (user_id) where user_id is not null;
create index accounts_due on heller.accounts (next_due_at) where next_due_at is not null;
comment on table heller.accounts is 'Holds credits of one unit: the running totals of its transactions and holds. One row per account and unit.';
comment on column heller.accounts.posted is 'Sum of all transactions, in credits; negative is debt.';
comment on column heller.accounts.held is 'Sum of open holds, in credits.';
comment on column heller.accounts.overdraft_limit is 'How far spends may take available below zero, in credits.';
comment on column heller.accounts.version is 'Counts every change of this row, holds included; the caller''s if_version compares with it.';
comment on column heller.accounts.last_seq is 'seq of the newest transaction; transactions are numbered 1.. without a gap.';
comment on column heller.accounts.head_hash is 'Hash of the newest transaction: a cut-off tail does not go unseen.';
comment on column heller.accounts.settled_seq is 'Transactions up to this seq are laid over the grants; later ones are spends that wait for it.';
comment on column heller.accounts.settled_posted is 'posted at settled_seq; equals the sum of grants.remaining less uncovered.';
comment on column heller.accounts.uncovered is 'Credits spent beyond all grants (debt); the next grant pays them first.';
comment on column heller.accounts.next_due_at is 'When the next grant or hold expires or a scheduled grant arrives; the verbs do what is due before anything else.';

create table heller.transactions (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  seq bigint not null,
  delta bigint not null,
  balance_after bigint not null,
  kind text collate "C" not null,
  reason text not null,
  actor text,
  metadata jsonb,
  idempotency_key text collate "C",
  request jsonb,
  related_seq bigint,
  hold_id bigint,
  payment_key text collate "C",
  counterparty text collate "C",
  effective_at timestamptz not null,
  recorded_at timestamptz not null,
  source_system text collate "C",
  source_table text collate "C",
  source_id text collate "C",
  hash bytea not null,
  constraint transactions_pkey primary key (account_id, unit, seq),
  constraint transactions_delta_nonzero check (delta <> 0),
  constraint transactions_kind_known check (kind in ('purchase', 'grant', 'spend', 'refund', 'clawback', 'reinstate',
                                                     'expire', 'adjust', 'transfer', 'migrate')),
  constraint transactions_effective_at_finite check (effective_at between '1900-01-01 00:00:00+00' and '9999-01-01 00:00:00+00'),
  constraint transactions_source_whole check ((source_id is null) = (source_table is null) and (source_id is null) = (source_system is null))
);
create unique index transactions_idempotency_key on heller.transactions (account_id, idempotency_key)
  where idempotency_key is not null;
create unique index transactions_source on heller.transactions (account_id, source_system, source_table, source_id)
  where source_id is not null;
create index transactions_related on heller.transactions (account_id, unit, related_seq) where related_seq is not null;
comment on table heller.transactions is 'Every change of every account, immutable; each row''s hash covers the row and the hash before it.';
comment on column heller.transactions.delta is 'Signed change in credits.';
comment on column heller.transactions.kind is 'The other side of the entry: all accounts plus all kinds sum to zero.';
comment on column heller.transactions.request is 'What was asked for where it is more than the row shows (partial spends, limits); compared when the key comes again.';
comment on column heller.transactions.related_seq is 'The transaction this one undoes (refund, reinstate).';
comment on column heller.transactions.effective_at is 'When it counts.';
comment on column heller.transactions.recorded_at is 'When it was written.';

create table heller.grants (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  grant_id bigint not null,
  seq bigint,
  amount bigint not null,
  remaining bigint not null,
  source text collate "C" not null,
  priority integer not null default 100,
  available_at timestamptz,
  expires_at timestamptz,
  ended_at timestamptz,
  cost bigint not null default 0,
  currency text collate "C",
  payment_key text collate "C",
  reason text not null default '',
  actor text,
  metadata jsonb,
  idempotency_key text collate "C",
  granted_at timestamptz not null,
  constraint grants_pkey primary key (account_id, unit, grant_id),
  constraint grants_amount_positive check (amount > 0),
  constraint grants_remaining_within check (remaining between 0 and amount),
  constraint grants_source_known check (source in ('purchase', 'promotion', 'subscription', 'adjustment', 'migration')),
  constraint grants_cost_not_negative check (cost >= 0),
  constraint grants_currency_with_cost check (cost = 0 or currency is not null)
) with (fillfactor = 80);
create index grants_open on heller.grants (account_id, unit) where remaining > 0;
create index grants_payment on heller.grants (account_id, payment_key) where payment_key is not null;
create unique index grants_idempotency_key on heller.grants (account_id, idempotency_key) where idempotency_key is not null;
comment on table heller.grants is 'Credits given: from where, until when, at what cost, and how much of them is left (as of accounts.settled_seq).';
comment on column heller.grants.seq is 'The transaction that brought the credits; null while they are scheduled (available_at is ahead).';
comment on column heller.grants.priority is 'Smaller burns first.';
comment on column heller.grants.cost is 'What was paid for the whole grant, in minor currency units; the unit cost is cost / amount, kept whole so that nothing is rounded away.';
comment on column heller.grants.ended_at is 'When the rest was forfeited (expiry) or taken back (void).';

create table heller.draws (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  last_seq bigint not null,
  grant_id bigint not null,
  first_seq bigint not null,
  upper_balance bigint not null,
  lower_balance bigint not null,
  amount bigint not null,
  constraint draws_pkey primary key (account_id, unit, last_seq, grant_id),
  constraint draws_amount_nonzero check (amount <> 0)
);
create index draws_grant on heller.draws (account_id, unit, grant_id);
comment on table heller.draws is
  'Which grant paid: between first_seq and last_seq the grant paid the part of the balance from upper_balance down to lower_balance. Negative amounts came back (refund, reinstate).';

create table heller.holds (
  account_id text collate "C" not null,
  unit text collate "C" not null,
  hold_id bigint not null,
  amount bigint not null,
  captured bigint not null default 0,
  overrun_limit bigint not null default 0,
  state text collate "C" not null default 'open',
  reason text not null default '',
  actor text,
  metadata jsonb,
  idempotency_key text collate "C",
  request jsonb,
  expires_at timestamptz not null,
  placed_at timestamptz not null,
  closed_at timestamptz,
  constraint holds_pkey primary key (account_id, unit, hold_id),
  constraint holds_amount_positive check (amount > 0),
  constraint holds_captured_within check (captured between 0 and amount + overrun_limit),
  constraint holds_overrun_limit_not_negative check (overrun_limit >= 0),
  constraint holds_state_known check (state in ('open', 'captured', 'released', 'expired')),
  constraint holds_closed_with_time check ((state = 'open') = (closed_at is null))
) with (fillfactor = 70);
create index holds_open on heller.holds (account_id, unit) where state = 'open';
create unique index holds_idempotency_key on heller.holds (account_id, idempotency_key) where idempotency_key is not null;
comment on table heller.holds is 'Reservations: captured wholly, partly or in parts, released, or expired.';
comment on column heller.holds.request is 'What was asked for where it is more than the row shows (a partial hold, a rest to keep); compared when the key comes again.';
comment on column heller.holds.overrun_limit is 'How many credits a capture may take beyond the hold, into debt if need be, so that started work is finished.';

create table heller.outcomes (
  account_id text collate "C" not null,
  idempotency_key text collate "C" not null,
  request jsonb not null,
  result jsonb not null,
  recorded_at timestamptz not null,
  constraint outcomes_pkey primary key (account_id, idempotency_key)
);
comment on table heller.outcomes is
  'Keys whose request changed no balance (nothing was there to claw back, a scheduled grant was called off): the same key never does something later.';

create table heller.payments (
  payment_key text collate "C" not null,
  account_id text collate "C" not null,
  unit text collate "C" not null default 'credit',
  provider text collate "C" not null default 'stripe',
  payment_intent text collate "C",
  checkout_session text collate "C",
  amount bigint,
  currency text collate "C",
  credits bigint not null,
  net_credits bigint not null default 0,
  state text collate "C" not null,
  version bigint not null default 0,
  source_system text collate "C",
  source_table text collate "C",
  source_id text collate "C",
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint payments_pkey primary key (payment_key),
  constraint payments_credits_not_negative check (credits >= 0),
  constraint payments_net_within check (net_credits between 0 and credits),
  constraint payments_state_known check (state in ('open', 'processing', 'settled', 'partly_refunded', 'refunded', 'disputed', 'failed', 'canceled'))
);
create index payments_account on heller.payments (account_id, created_at, payment_key);
create index payments_created on heller.payments (created_at, payment_key);
create unique index payments_intent on heller.payments (provider, payment_intent) where payment_intent is not null;
create unique index payments_session on heller.payments (provider, checkout_session) where checkout_session is not null;
comment on table heller.payments is 'One purchase through its life; the check on net_credits is the last line against a double credit.';
comment on column heller.payments.amount is 'In minor units of currency.';
