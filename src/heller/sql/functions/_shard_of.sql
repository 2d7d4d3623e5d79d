create or replace function heller._shard_of(p_account_id text) returns bigint
language sql stable parallel safe set search_path = pg_catalog as $$ select 0::bigint $$;
comment on function heller._shard_of(text) is
  'Where an account lies on a Citus cluster: accounts with the same number are on one server, in one shard. heller.citus puts it in place there.';
