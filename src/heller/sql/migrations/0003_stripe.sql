-- Stripe: what is sold, what was ordered, what Stripe told us, and where Stripe and the ledger differ.

create table heller.prices (
  price text collate "C" not null,
  product text not null,
  pack text not null,
  credits bigint not null,
  unit text collate "C" not null default 'credit',
  currency text collate "C" not null,
  amount bigint not null,
  period text collate "C",
  carry text collate "C",
  valid_days integer,
  stripe_price text collate "C",
  active boolean not null default true,
  metadata jsonb,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint prices_pkey primary key (price),
  constraint prices_name_length check (length(price) between 1 and 100),
  constraint prices_credits_positive check (credits between 1 and 1000000000000),
  constraint prices_amount_not_negative check (amount between 0 and 1000000000000),
  constraint prices_currency_format check (currency ~ '^[a-z]{3}$'),
  constraint prices_period_known check (period in ('day', 'week', 'month', 'year')),
  constraint prices_carry_known check (carry in ('roll_over', 'expire')),
  constraint prices_carry_with_period check ((period is null) = (carry is null)),
  constraint prices_valid_days_positive check (valid_days > 0)
);
create unique index prices_stripe_price on heller.prices (stripe_price) where stripe_price is not null;
comment on table heller.prices is 'What can be bought: so many credits for so much money, once or every period.';
comment on column heller.prices.amount is 'In minor units of currency.';
comment on column heller.prices.carry is 'What a period''s unused credits do at its end: roll_over or expire.';
comment on column heller.prices.valid_days is 'How long bought credits are good; null: for ever.';

create table heller.orders (
  order_id text collate "C" not null,
  account_id text collate "C" not null,
  unit text collate "C" not null,
  kind text collate "C" not null default 'checkout',
  items jsonb not null,
  credits bigint not null,
  amount bigint not null,
  currency text collate "C" not null,
  period text collate "C",
  carry text collate "C",
  valid_days integer,
  allow_zero boolean not null default false,
  allow_promotion_codes boolean not null default false,
  automatic_tax boolean not null default false,
  livemode boolean not null,
  stripe_account text collate "C" not null default '',
  stripe_customer text collate "C",
  checkout_session text collate "C",
  session_url text,
  session_attempt integer not null default 1,
  payment_intent text collate "C",
  subscription text collate "C",
  payment_key text collate "C",
  state text collate "C" not null default 'open',
  failure text,
  actor text,
  metadata jsonb,
  idempotency_key text collate "C",
  request_digest text,
  expires_at timestamptz not null,
  placed_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint orders_pkey primary key (order_id),
  constraint orders_kind_known check (kind in ('checkout', 'subscription', 'top_up')),
  constraint orders_state_known check (state in ('open', 'processing', 'requires_action', 'paid', 'failed', 'expired', 'canceled')),
  constraint orders_credits_positive check (credits > 0),
  constraint orders_amount_not_negative check (amount >= 0)
);
create index orders_account on heller.orders (account_id, placed_at desc);
create index orders_unfinished on heller.orders (placed_at) where state in ('open', 'processing', 'requires_action');
create unique index orders_session on heller.orders (checkout_session) where checkout_session is not null;
create unique index orders_subscription on heller.orders (subscription) where subscription is not null;
create unique index orders_idempotency_key on heller.orders (account_id, idempotency_key) where idempotency_key is not null;
create unique index orders_one_top_up on heller.orders (account_id, unit)
  where kind = 'top_up' and state in ('open', 'processing', 'requires_action');
comment on table heller.orders is 'What a buyer was promised, committed before Stripe is asked; credits are granted from this row, never from an event.';
comment on column heller.orders.payment_key is 'The payment that paid it; a second one is parked.';
comment on index heller.orders_one_top_up is 'At most one automatic top-up of an account at a time.';

create table heller.inbox (
  inbox_id bigint generated always as identity not null,
  stripe_account text collate "C" not null default '',
  livemode boolean not null,
  event_id text collate "C" not null,
  type text collate "C" not null,
  api_version text collate "C",
  event_created timestamptz,
  body bytea,
  body_sha256 bytea not null,
  via text collate "C" not null,
  secret_slot smallint,
  object_kind text collate "C",
  object_id text collate "C",
  payment_key text collate "C",
  deliveries integer not null default 1,
  status text collate "C" not null,
  attempts integer not null default 0,
  postponed integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  claimed_by text,
  reason text collate "C",
  detail text,
  actor text,
  received_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  erased_at timestamptz,
  constraint inbox_pkey primary key (inbox_id),
  constraint inbox_event unique (stripe_account, livemode, event_id),
  constraint inbox_status_known check (status in ('pending', 'processing', 'done', 'ignored', 'parked', 'dead')),
  constraint inbox_via_known check (via in ('webhook', 'reconcile')),
  constraint inbox_body_or_erased check ((body is null) = (erased_at is not null))
) with (fillfactor = 85);
create index inbox_due on heller.inbox (due_at, inbox_id) where status in ('pending', 'processing');
create index inbox_payment on heller.inbox (payment_key) where payment_key is not null;
create index inbox_attention on heller.inbox (status, inbox_id) where status in ('parked', 'dead');
create index inbox_received on heller.inbox (received_at);
comment on table heller.inbox is 'Each event of Stripe, once, as the bytes that came; its own queue: pending and processing rows are claimed by due_at.';
comment on column heller.inbox.stripe_account is 'The connected account the event is about; empty for our own.';
comment on column heller.inbox.secret_slot is 'Which of the configured secrets had signed it: 0 is the newest.';
comment on column heller.inbox.due_at is 'pending: when to try next; processing: when the lease of its worker ends.';
comment on column heller.inbox.attempts is 'Claims that count towards dead.';
comment on column heller.inbox.postponed is 'Claims that ended for a reason outside the event (Stripe or the database was away).';

alter table heller.payments
  add column order_id text collate "C",
  add column stripe_account text collate "C" not null default '',
  add column livemode boolean,
  add column stripe_customer text collate "C",
  add column invoice text collate "C",
  add column paid bigint not null default 0,
  add column taken_back bigint not null default 0,
  add column forgiven_credits bigint not null default 0,
  add column expires_at timestamptz,
  add column parked_reason text,
  add column snapshot jsonb,
  add column checked_at timestamptz,
  add constraint payments_forgiven_not_negative check (forgiven_credits >= 0),
  add constraint payments_paid_not_negative check (paid >= 0 and taken_back >= 0);
drop index heller.payments_intent;
drop index heller.payments_session;
create unique index payments_intent on heller.payments (provider, stripe_account, payment_intent) where payment_intent is not null;
create unique index payments_session on heller.payments (provider, stripe_account, checkout_session) where checkout_session is not null;
create unique index payments_invoice on heller.payments (provider, stripe_account, invoice) where invoice is not null;
create index payments_order on heller.payments (order_id) where order_id is not null;
comment on column heller.payments.version is 'Counts every applied look at Stripe; converge compares and swaps on it.';
comment on column heller.payments.paid is 'What Stripe received, in minor units.';
comment on column heller.payments.taken_back is 'Refunds and disputes that count, in minor units.';
comment on column heller.payments.forgiven_credits is 'What a clawback let go because it was spent (policy clamp): the ledger has net_credits plus this.';
comment on column heller.payments.parked_reason is 'Why a person must look before any credit of it moves.';
comment on column heller.payments.snapshot is 'The facts of the last look at Stripe.';

create index transactions_payment on heller.transactions (account_id, payment_key) where payment_key is not null;

create table heller.discrepancies (
  discrepancy_id bigint generated always as identity not null,
  kind text collate "C" not null,
  payment_key text collate "C",
  account_id text collate "C",
  expected jsonb,
  actual jsonb,
  state text collate "C" not null,
  note text,
  actor text,
  found_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  constraint discrepancies_pkey primary key (discrepancy_id),
  constraint discrepancies_state_known check (state in ('open', 'healed', 'closed'))
);
create index discrepancies_open on heller.discrepancies (kind, payment_key) where state = 'open';
create index discrepancies_found on heller.discrepancies (found_at);
comment on table heller.discrepancies is 'Each difference between Stripe and the ledger that reconcile found: healed by it, or open for a person.';

create table heller.stripe_marks (
  name text collate "C" not null,
  at timestamptz not null,
  constraint stripe_marks_pkey primary key (name)
);
comment on table heller.stripe_marks is 'Up to when reconcile has read each of Stripe''s lists, and other last times.';

create table heller.stripe_counts (
  hour timestamptz not null,
  outcome text collate "C" not null,
  count bigint not null,
  last_at timestamptz not null,
  constraint stripe_counts_pkey primary key (hour, outcome)
);
comment on table heller.stripe_counts is 'How many deliveries ended how, by hour: accepted by which secret, or refused why.';
