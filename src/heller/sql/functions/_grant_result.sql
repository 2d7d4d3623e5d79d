create or replace function heller._grant_result(g heller.grants) returns jsonb
language sql stable parallel safe set search_path = pg_catalog as $$
  select jsonb_build_object('account', (g).account_id, 'unit', (g).unit, 'grant', (g).grant_id, 'seq', (g).seq, 'amount', (g).amount,
    'source', (g).source, 'priority', (g).priority, 'available_at', (g).available_at, 'expires_at', (g).expires_at,
    'cost', (g).cost, 'currency', (g).currency, 'payment', (g).payment_key, 'reason', (g).reason, 'key', (g).idempotency_key,
    'granted_at', (g).granted_at, 'recurring', (g).recurring, 'scheduled', (g).seq is null, 'replayed', false)
$$;
comment on function heller._grant_result(heller.grants) is 'What is known of a grant, as given.';
