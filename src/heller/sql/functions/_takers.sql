create or replace function heller._takers(p_operations jsonb) returns text[]
language plpgsql stable set search_path = pg_catalog as $$
declare
  r record;
  v_taker text;
  v_takers text[] := '{}';
begin
  for r in
    select o ->> 'account' as account, coalesce(o ->> 'unit', 'credit') as unit, (o ->> 'seq')::bigint as seq
    from jsonb_path_query(p_operations, 'lax $[*] ? (@.verb == "reverse")') o where o ->> 'seq' ~ '^[0-9]{1,18}$'
  loop
    select counterparty into v_taker from heller.transactions where account_id = r.account and unit = r.unit and transactions.seq = r.seq;
    if v_taker is not null then v_takers := v_takers || v_taker; end if;
  end loop;
  return v_takers;
end $$;
comment on function heller._takers(jsonb) is
  'The other accounts of the transfers that a batch reverses: no operation names them, and they must be locked in order with the rest.';
