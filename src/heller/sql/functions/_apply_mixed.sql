create or replace function heller._apply_mixed(p_operations jsonb) returns jsonb[]
language plpgsql set search_path = pg_catalog as $$
declare
  v_named text[] := array(select o ->> k from jsonb_array_elements(p_operations) o, unnest(array['account', 'to']) k);
  v_takers text[] := heller._takers(p_operations);
  v_takers_now text[];
  v_slow text[];
  v_fast jsonb;
  v_fast_places bigint[];
  v_fast_results jsonb[];
  v_results jsonb[] := array_fill(null::jsonb, array[jsonb_array_length(p_operations)]);
  r record;
  v_detail text;
begin
  if not p_operations @? '$[*].verb ? (@ == "reverse")' then
    perform heller._lock_accounts(v_named);
  else
    loop  -- the transfer that is undone may have been made while this waited: then all is let go and locked anew, in order
      begin
        perform heller._lock_accounts(v_named || v_takers);
        v_takers_now := heller._takers(p_operations);
        exit when v_takers_now <@ v_takers;
        raise exception using errcode = 'HL900';
      exception when sqlstate 'HL900' then v_takers := v_takers_now;
      end;
    end loop;
  end if;
  -- an account that only spends in this batch takes the fast way; one with anything else keeps its order one by one
  v_slow := array(select distinct o ->> k from jsonb_array_elements(p_operations) o, unnest(array['account', 'to']) k
                  where o ->> 'verb' is distinct from 'spend' and o ->> k is not null) || v_takers;
  select jsonb_agg(o order by n), array_agg(n order by n) into v_fast, v_fast_places
  from jsonb_array_elements(p_operations) with ordinality x (o, n)
  where o ->> 'verb' = 'spend' and not coalesce(o ->> 'account', '') = any (v_slow);
  if v_fast is not null then
    v_fast_results := heller._spend_many(v_fast);
    for i in 1 .. cardinality(v_fast_places) loop
      v_results[v_fast_places[i]] := v_fast_results[i];
    end loop;
  end if;
  for r in select o, n from jsonb_array_elements(p_operations) with ordinality x (o, n) order by n loop
    continue when v_results[r.n] is not null;
    begin
      v_results[r.n] := heller._apply_one(r.o);
    exception when others then
      if sqlstate like 'HL0%' then
        get stacked diagnostics v_detail = pg_exception_detail;
        v_results[r.n] := heller._error(sqlstate, sqlerrm, v_detail::jsonb);
      elsif sqlstate like '22%' then
        v_results[r.n] := coalesce(heller._mistyped(r.o), heller._error('HL001', sqlerrm, '{}'));
      else
        raise;
      end if;
    end;
  end loop;
  return v_results;
end $$;
comment on function heller._apply_mixed(jsonb) is 'A batch with more than spends in it.';
