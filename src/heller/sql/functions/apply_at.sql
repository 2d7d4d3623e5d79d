create or replace function heller.apply_at(p_account_id text, p_operations jsonb) returns jsonb
language sql security definer set search_path = pg_catalog as $$
  select heller.apply(p_operations)
$$;
comment on function heller.apply_at(text, jsonb) is
  'heller.apply for accounts of one shard (heller.shards_of): a Citus cluster does it on the server that has p_account_id, which is one of them.';
