create or replace function heller.remove_recurring_grant(p_account_id text, p_name text, p_unit text default 'credit') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  r heller.recurring_grants;
begin
  perform heller._lock(p_account_id, p_unit, p_even_frozen => true);
  update heller.recurring_grants set ends_at = least(ends_at, v_now)
  where account_id = p_account_id and unit = p_unit and name = p_name returning * into r;
  if not found then
    perform heller._fail('HL007', format('account %s has no recurring grant %s', p_account_id, p_name),
                         jsonb_build_object('account', p_account_id, 'grant', p_name));
  end if;
  perform heller._reset_due(p_account_id, p_unit);
  return heller._recurring_grant_result(r);
end $$;
comment on function heller.remove_recurring_grant(text, text, text) is
  'Ends a recurring grant: no further period begins. The credits of the period in progress stay; void takes them back.';
