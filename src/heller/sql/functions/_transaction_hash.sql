create or replace function heller._transaction_hash(p_previous bytea, t heller.transactions) returns bytea
language sql stable parallel safe as $$
  select pg_catalog.sha256(p_previous || heller._transaction_payload(t))
$$;
comment on function heller._transaction_hash(bytea, heller.transactions) is
  'SHA-256 over the hash before it in the same account and unit (empty for the first) and the row.';
