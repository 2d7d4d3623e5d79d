create or replace function heller.shards_of(p_accounts text[]) returns bigint[]
language plpgsql stable security definer set search_path = pg_catalog as $$
begin
  return case when heller._is_spread() then array(select heller._shard_of(x.id) from unnest(p_accounts) with ordinality x (id, n) order by x.n) end;
end $$;
comment on function heller.shards_of(text[]) is
  'On a Citus cluster: the shard of each account, in the same place. Operations of accounts of one shard travel best together, in heller.apply_at. Null on one server.';
