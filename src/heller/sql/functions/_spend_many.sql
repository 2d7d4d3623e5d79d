create or replace function heller._spend_many(p_operations jsonb) returns jsonb[]
language plpgsql set search_path = pg_catalog as $$
declare
  o record;
  b record;
begin
  -- only an option, or an amount that is no number, can be wrong in its name or type: the others are not looked at twice
  if (jsonb_path_exists(p_operations, 'lax $[*] ? (@.type() != "object" || @.amount.type() != "number")', '{}', true)
      or exists (select from jsonb_array_elements(p_operations) e (one)
                 where jsonb_strip_nulls(e.one - '{verb,account,unit,amount,reason,actor,key,metadata}'::text[]) <> '{}'))
     and exists (select from jsonb_array_elements(p_operations) e (one)
                  where heller._mistyped(case jsonb_typeof(e.one -> 'amount') when 'number' then e.one - 'amount' else e.one end) is not null) then
    return heller._spend_apart(p_operations);
  end if;
  select array_agg(x.account order by x.n) as accounts, array_agg(x.unit order by x.n) as units, array_agg(x.key order by x.n) as keys,
         array_agg(case when x.amount = trunc(x.amount) and abs(x.amount) <= 9223372036854775807 then x.amount::bigint end order by x.n) as amounts,
         array_agg(x.reason order by x.n) as reasons, array_agg(x.actor order by x.n) as actors, array_agg(x.metadata order by x.n) as metadata,
         array_agg(case when x.allow_partial or x.min_available_after is not null or x.if_version is not null or x.dry_run
                             or x.effective_at is not null or x.amount <> trunc(x.amount) or abs(x.amount) > 9223372036854775807
                        then p_operations -> (x.n - 1)::integer end order by x.n) as options
  into o
  from rows from (jsonb_to_recordset(p_operations) as (account text, unit text, amount numeric, reason text, actor text, key text,
                    metadata jsonb, allow_partial boolean, min_available_after bigint, if_version bigint, dry_run boolean,
                    effective_at timestamptz))
       with ordinality as x (account, unit, amount, reason, actor, key, metadata, allow_partial, min_available_after, if_version,
                             dry_run, effective_at, n);
  b := heller._spend_batch(o.accounts, o.units, o.amounts, o.keys, o.reasons, o.actors, o.metadata, o.options);
  return array(
    select coalesce(b.others[x.n], heller._result(row(
             x.account, coalesce(x.unit, 'credit'), x.seq, -x.amount, x.balance, 'spend', coalesce(x.reason, ''), x.actor, nullif(x.metadata, '{}'),
             x.key, null, null, null, null, null, b.recorded_at, b.recorded_at, null, null, null, null, null)::heller.transactions, x.available))
    from unnest(o.accounts, o.units, o.amounts, o.keys, o.reasons, o.actors, o.metadata, b.seqs, b.balances, b.availables) with ordinality
         x (account, unit, amount, key, reason, actor, metadata, seq, balance, available, n)
    order by x.n);
end $$;
comment on function heller._spend_many(jsonb) is
  'Spends as operations of heller.apply: each has its own result or error in the same place.';
