-- Purchases that the legacy system sold to users who are at home there: its own handler credits them, and nobody need look.

create table heller.legacy_purchases (
  payment_key text collate "C" not null,
  account_id text collate "C" not null,
  source_table text not null,
  source_id text not null,
  noted_at timestamptz not null default clock_timestamp(),
  constraint legacy_purchases_pkey primary key (payment_key)
);
create index legacy_purchases_account on heller.legacy_purchases (account_id);
comment on table heller.legacy_purchases is
  'Payments that no order of ours explains and the legacy system''s own rows do, of users at home there. Gone when the user arrives: then the rows themselves have come.';
comment on column heller.legacy_purchases.source_table is 'The legacy table that has the payment, as in provenance.';
comment on column heller.legacy_purchases.source_id is 'Its row there.';

create table heller.owed_purchases (
  payment_key text collate "C" not null,
  account_id text collate "C" not null,
  order_id text collate "C" not null,
  credits bigint not null,
  payment jsonb not null,
  noted_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz,
  constraint owed_purchases_pkey primary key (payment_key),
  constraint owed_purchases_credits_positive check (credits > 0)
);
create index owed_purchases_waiting on heller.owed_purchases (noted_at) where delivered_at is null;
comment on table heller.owed_purchases is
  'What users bought here and paid after they had gone home to the legacy system: written into its history once, as a return would have.';
comment on column heller.owed_purchases.credits is 'What stands of it, as Stripe said when it was last looked at.';
comment on column heller.owed_purchases.payment is 'The payment as the legacy side takes it: key, intent, session, amount, currency, events.';
comment on column heller.owed_purchases.delivered_at is 'When the legacy database had it; from then on it is that one''s.';
