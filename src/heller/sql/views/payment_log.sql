create or replace view heller.payment_log as
  select payment_key, account_id, unit, provider, payment_intent, checkout_session, amount, currency, credits, net_credits, state, version,
         source_system, source_table, source_id, created_at, updated_at
  from heller.payments;
comment on view heller.payment_log is 'Purchases and what became of them.';
