create or replace function heller._spend_many(p_operations jsonb) returns jsonb[]
language plpgsql set search_path = pg_catalog as $$
declare
  v_accounts text[];
  v_units text[];
  v_amounts bigint[];
  v_keys text[];
  v_reasons text[];
  v_actors text[];
  v_metadata jsonb[];
  v_done record;
  v_results jsonb[];
  v_left jsonb;
  v_left_places bigint[];
  v_left_results jsonb[];
begin
  if jsonb_array_length(p_operations) < 8 then  -- from here on the set is cheaper than the loop
    return heller._spend_each(p_operations);
  end if;
  select array_agg(o.account order by o.n), array_agg(o.unit order by o.n), array_agg(o.key order by o.n), array_agg(o.reason order by o.n),
         array_agg(o.actor order by o.n), array_agg(o.metadata order by o.n),
         -- a spend with options has no amount here: then its account is left to the loop
         array_agg(case when o.allow_partial is not true and o.min_available_after is null and o.if_version is null and o.dry_run is not true
                             and o.effective_at is null and o.amount = trunc(o.amount) and o.amount between 1 and 9223372036854775807
                        then o.amount::bigint end order by o.n)
  into v_accounts, v_units, v_keys, v_reasons, v_actors, v_metadata, v_amounts
  from rows from (jsonb_to_recordset(p_operations) as (account text, unit text, amount numeric, reason text, actor text, key text,
                    metadata jsonb, allow_partial boolean, min_available_after bigint, if_version bigint, dry_run boolean,
                    effective_at timestamptz))
       with ordinality as o (account, unit, amount, reason, actor, key, metadata, allow_partial, min_available_after, if_version,
                             dry_run, effective_at, n);
  select * into v_done from heller._spend_plain(v_accounts, v_units, v_amounts, v_keys, v_reasons, v_actors, v_metadata);
  select array_agg(case when x.seq is not null then heller._result(row(
             x.account, coalesce(x.unit, 'credit'), x.seq, -x.amount, x.balance, 'spend', coalesce(x.reason, ''), x.actor, nullif(x.metadata, '{}'),
             x.key, null, null, null, null, null, v_done.recorded_at, v_done.recorded_at, null, null, null, null)::heller.transactions,
             x.available) end order by x.n),
         array_agg(x.n order by x.n) filter (where x.seq is null),
         jsonb_agg(p_operations -> (x.n - 1)::integer order by x.n) filter (where x.seq is null)
  into v_results, v_left_places, v_left
  from unnest(v_accounts, v_units, v_amounts, v_keys, v_reasons, v_actors, v_metadata, v_done.seqs, v_done.balances, v_done.availables)
       with ordinality x (account, unit, amount, key, reason, actor, metadata, seq, balance, available, n);
  if v_left is not null then
    v_left_results := heller._spend_each(v_left);
    for i in 1 .. cardinality(v_left_places) loop
      v_results[v_left_places[i]] := v_left_results[i];
    end loop;
  end if;
  return v_results;
end $$;
comment on function heller._spend_many(jsonb) is
  'Spends of many accounts in one go: those that need no decision as a set, the others one by one. Each operation has its own result or error.';
