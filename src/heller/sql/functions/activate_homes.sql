create or replace function heller.activate_homes(p_statements jsonb, p_system text default 'legacy') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  s jsonb;
  r jsonb;
  v_results jsonb := '[]';
  v_arrived text[] := '{}';
begin
  if jsonb_array_length(p_statements) > 1000 then
    perform heller._fail('HL012', 'at most 1000 statements in one call', '{"limit": "statements"}');
  end if;
  perform heller._refuse_spread('users arrive');
  for s in select * from jsonb_array_elements(p_statements) v order by v ->> 'account' collate "C" loop
    begin  -- one user that does not verify stays sealed, alone
      r := heller._activate_home(s, p_system);
    exception
      when lock_not_available or deadlock_detected or serialization_failure or query_canceled then raise;
      when others then r := jsonb_build_object('outcome', 'quarantined', 'reason', sqlerrm);
    end;
    if r ->> 'outcome' = 'moved' then
      v_arrived := v_arrived || (s ->> 'account');
    elsif r ->> 'outcome' = 'quarantined' then
      perform heller.quarantine_home(s ->> 'account', r ->> 'reason', p_system);
    end if;
    v_results := v_results || (r || jsonb_build_object('account', s ->> 'account', 'epoch', (s ->> 'epoch')::bigint));
  end loop;
  perform heller._on_homes_arrived(v_arrived);
  return v_results;
end $$;
comment on function heller.activate_homes(jsonb, text) is
  'Takes sealed users over, each whole or not at all; one that does not verify is quarantined and the others go on. Any number of callers may repeat it.';
