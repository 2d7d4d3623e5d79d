create or replace function heller.spend_many(
  p_accounts text[], p_amounts bigint[], p_keys text[] default null, p_reasons text[] default null, p_units text[] default null,
  p_actors text[] default null, p_metadata jsonb[] default null,
  out seqs bigint[], out balances bigint[], out availables bigint[], out recorded_at timestamptz, out others jsonb
)
language plpgsql security definer set search_path = pg_catalog as $$
begin
  if coalesce(cardinality(p_accounts), 0) = 0 then
    return;
  elsif cardinality(p_accounts) > 10000 then
    perform heller._fail('HL012', format('%s operations in one call; at most 10000 are allowed', cardinality(p_accounts)), '{"limit": "operations"}');
  end if;
  select * into seqs, balances, availables, recorded_at
  from heller._spend_plain(p_accounts, p_units, p_amounts, p_keys, p_reasons, p_actors, p_metadata);
  if seqs is null or array_position(seqs, null) is not null then
    select to_jsonb(heller._spend_each(jsonb_agg(jsonb_build_object('account', x.account, 'unit', x.unit, 'amount', x.amount, 'key', x.key,
                                                                    'reason', x.reason, 'actor', x.actor, 'metadata', x.metadata) order by x.n)))
    into others
    from unnest(p_accounts, p_units, p_amounts, p_keys, p_reasons, p_actors, p_metadata, seqs) with ordinality
         x (account, unit, amount, key, reason, actor, metadata, seq, n)
    where x.seq is null;
  end if;
end $$;
comment on function heller.spend_many(text[], bigint[], text[], text[], text[], text[], jsonb[]) is
  'Spends without options, as arrays. A place with a seq was done: balance after it and available then; the results and errors of the places without one are in others, in their order, as heller.apply gives them.';
