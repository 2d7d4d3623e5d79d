create or replace function heller._result(t heller.transactions, p_available bigint default null, p_replayed boolean default false) returns jsonb
language sql stable parallel safe as $$
  select pg_catalog.jsonb_build_object(
    'account', (t).account_id, 'unit', (t).unit, 'seq', (t).seq, 'kind', (t).kind, 'delta', (t).delta,
    'balance_before', (t).balance_after - (t).delta, 'balance_after', (t).balance_after, 'available', p_available,
    'reason', (t).reason, 'actor', (t).actor, 'metadata', (t).metadata, 'key', (t).idempotency_key, 'related_seq', (t).related_seq,
    'hold', (t).hold_id, 'payment', (t).payment_key, 'counterparty', (t).counterparty,
    'effective_at', (t).effective_at, 'recorded_at', (t).recorded_at, 'replayed', p_replayed)
$$;
comment on function heller._result(heller.transactions, bigint, boolean) is 'What a verb that wrote a transaction answers.';
