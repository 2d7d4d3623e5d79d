create or replace function heller._spend_apart(p_operations jsonb) returns jsonb[]
language plpgsql set search_path = pg_catalog as $$
declare
  v_results jsonb[];
  v_good jsonb;
  v_places bigint[];
  v_good_results jsonb[];
begin
  select array_agg(x.bad order by x.n), jsonb_agg(x.o order by x.n) filter (where x.bad is null), array_agg(x.n order by x.n) filter (where x.bad is null)
  into v_results, v_good, v_places
  -- whether a number is an amount is said where the spend is decided, in one way whoever else is in the batch
  from (select o, n, heller._mistyped(case jsonb_typeof(o -> 'amount') when 'number' then o - 'amount' else o end) as bad from jsonb_array_elements(p_operations) with ordinality e (o, n)) x;
  if v_good is null then return v_results; end if;
  v_good_results := heller._spend_many(v_good);
  for i in 1 .. cardinality(v_places) loop
    v_results[v_places[i]] := v_good_results[i];
  end loop;
  return v_results;
end $$;
comment on function heller._spend_apart(jsonb) is 'Spends of which some have an option of a wrong type: those are refused, the others done.';
