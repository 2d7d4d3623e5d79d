create or replace function heller.remove_member(p_account_id text, p_member_id text, p_unit text default 'credit') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  m heller.members;
begin
  perform heller._lock(p_account_id, p_unit, p_even_frozen => true);
  update heller.members set left_at = coalesce(left_at, v_now)
  where account_id = p_account_id and unit = p_unit and member_id = p_member_id returning * into m;
  if not found then
    perform heller._fail('HL017', format('%s is no member of account %s', p_member_id, p_account_id),
                         jsonb_build_object('account', p_account_id, 'member', p_member_id));
  end if;
  return heller._member_result(m);
end $$;
comment on function heller.remove_member(text, text, text) is 'Ends a membership; what the member spent stays on record.';
