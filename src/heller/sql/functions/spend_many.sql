create or replace function heller.spend_many(
  p_accounts text[], p_amounts bigint[], p_keys text[] default null, p_reasons text[] default null, p_units text[] default null,
  p_actors text[] default null, p_metadata jsonb[] default null,
  out seqs bigint[], out balances bigint[], out availables bigint[], out recorded_at timestamptz, out others jsonb[]
)
language plpgsql security definer set search_path = pg_catalog as $$
begin
  if cardinality(p_accounts) > 10000 then
    perform heller._fail('HL012', format('%s operations in one call; at most 10000 are allowed', cardinality(p_accounts)), '{"limit": "operations"}');
  elsif cardinality(p_accounts) > 0 then
    select b.* into seqs, balances, availables, recorded_at, others
    from heller._spend_batch(p_accounts, p_units, p_amounts, p_keys, p_reasons, p_actors, p_metadata, null) b;
  end if;
end $$;
comment on function heller.spend_many(text[], bigint[], text[], text[], text[], text[], jsonb[]) is
  'Spends without options, as parallel arrays. What was taken has in its place a seq, the balance after it and available then; a refusal or a replay is in others, as heller.apply gives it.';
