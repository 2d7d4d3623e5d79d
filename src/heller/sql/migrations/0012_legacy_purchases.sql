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
