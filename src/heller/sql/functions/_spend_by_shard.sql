create or replace function heller._spend_by_shard(
  p_accounts text[], p_units text[], p_amounts bigint[], p_keys text[], p_reasons text[], p_actors text[], p_metadata jsonb[], p_options jsonb[],
  out seqs bigint[], out balances bigint[], out availables bigint[], out recorded_at timestamptz, out others jsonb[]
)
language plpgsql set search_path = pg_catalog as $$
declare
  v_count integer := cardinality(p_accounts);
  n integer[];
  b record;
  t heller.transactions;
begin
  perform heller._lock_accounts(p_accounts);
  seqs := array_fill(null::bigint, array[v_count]);
  balances := seqs;
  availables := seqs;
  others := array_fill(null::jsonb, array[v_count]);
  for n in select array_agg(x.n order by x.n)::integer[] from unnest(p_accounts) with ordinality x (id, n) group by heller._shard_of(x.id) order by 1 loop
    b := heller._spend_batch(
      array(select p_accounts[i] from unnest(n) i), array(select p_units[i] from unnest(n) i), array(select p_amounts[i] from unnest(n) i),
      array(select p_keys[i] from unnest(n) i), array(select p_reasons[i] from unnest(n) i), array(select p_actors[i] from unnest(n) i),
      array(select p_metadata[i] from unnest(n) i), array(select p_options[i] from unnest(n) i));
    recorded_at := coalesce(recorded_at, b.recorded_at);
    for i in 1 .. cardinality(n) loop
      seqs[n[i]] := b.seqs[i];
      balances[n[i]] := b.balances[i];
      availables[n[i]] := b.availables[i];
      others[n[i]] := b.others[i];
      if b.seqs[i] is not null and b.others[i] is null and b.recorded_at <> recorded_at then  -- recorded_at is the first shard's
        select * into t from heller.transactions where account_id = p_accounts[n[i]] and unit = coalesce(p_units[n[i]], 'credit') and seq = b.seqs[i];
        others[n[i]] := heller._result(t, b.availables[i]);
      end if;
    end loop;
  end loop;
  if array_remove(others, null) = '{}' then others := null; end if;
end $$;
comment on function heller._spend_by_shard(text[], text[], bigint[], text[], text[], text[], jsonb[], jsonb[]) is
  'A batch of spends on a Citus cluster whose accounts lie in several shards: one shard after the other, in one transaction.';
