create or replace view heller.order_log as
  select order_id, account_id, unit, kind, items, credits, amount, currency, state, checkout_session, payment_intent, subscription, payment_key,
         failure, placed_at, updated_at, expires_at
  from heller.orders;
comment on view heller.order_log is 'What buyers were promised and what became of it.';
