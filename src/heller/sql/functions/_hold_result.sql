create or replace function heller._hold_result(h heller.holds) returns jsonb
language sql stable parallel safe set search_path = pg_catalog as $$
  select jsonb_build_object(
    'account', (h).account_id, 'unit', (h).unit, 'hold', (h).hold_id, 'amount', (h).amount, 'captured', (h).captured,
    'state', (h).state, 'reason', (h).reason, 'actor', (h).actor, 'key', (h).idempotency_key,
    'placed_at', (h).placed_at, 'expires_at', (h).expires_at, 'closed_at', (h).closed_at, 'replayed', false)
$$;
comment on function heller._hold_result(heller.holds) is 'What a verb about a hold answers.';
