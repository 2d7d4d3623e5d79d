create or replace function heller._transaction_payload(t heller.transactions) returns bytea
language sql stable parallel safe as $$
  select pg_catalog.record_send(row(
    (t).account_id, (t).unit, (t).seq, (t).delta, (t).balance_after, (t).kind, (t).reason, (t).actor, (t).metadata,
    (t).idempotency_key, (t).request, (t).related_seq, (t).hold_id, (t).payment_key, (t).counterparty,
    (t).effective_at, (t).recorded_at, (t).source_system, (t).source_table, (t).source_id))
$$;
comment on function heller._transaction_payload(heller.transactions) is
  'The bytes a hash covers: every column but the hash itself, in PostgreSQL''s binary form of a row (count; then type, length, bytes of each).';
