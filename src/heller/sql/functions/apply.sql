create or replace function heller.apply(p_operations jsonb, p_atomic boolean default false) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_count integer;
  v_results jsonb[];
  v_mixed text[];
  v_slow jsonb[];
  r record;
  v_detail text;
  v_bad jsonb;
begin
  if jsonb_typeof(p_operations) is distinct from 'array' then
    perform heller._fail('HL001', 'operations must be a JSON array of objects', '{"argument": "operations"}');
  end if;
  v_count := jsonb_array_length(p_operations);
  if v_count > 10000 then
    perform heller._fail('HL012', format('%s operations in one call; at most 10000 are allowed', v_count), '{"limit": "operations"}');
  elsif v_count = 0 then
    return '[]';
  elsif not jsonb_path_exists(p_operations, 'strict $[*] ? (!exists(@.verb) || @.verb != "spend")', '{}', true) then
    v_results := heller._spend_many(p_operations);
  else
    v_results := heller._apply_mixed(p_operations);
  end if;
  if p_atomic then
    for i in 1 .. v_count loop
      if v_results[i] ? 'error' then
        perform heller._fail(v_results[i] ->> 'error', format('operation %s: %s', i, v_results[i] ->> 'message'),
                             (v_results[i] -> 'detail') || jsonb_build_object('operation', i));
      end if;
    end loop;
  end if;
  return to_jsonb(v_results);
end $$;
comment on function heller.apply(jsonb, boolean) is
  'Thousands of operations in one call, each with its own result or error in the same place; with p_atomic all or none. Operations of one account keep their order.';
