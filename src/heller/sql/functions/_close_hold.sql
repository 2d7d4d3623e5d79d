create or replace function heller._close_hold(p_account_id text, p_unit text, p_hold_id bigint, p_state text, p_at timestamptz) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_rest bigint;
begin
  update heller.holds set state = p_state, closed_at = p_at
  where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id and state = 'open'
  returning greatest(amount - captured, 0) into v_rest;
  update heller.accounts set held = held - v_rest, version = version + 1 where account_id = p_account_id and unit = p_unit;
end $$;
comment on function heller._close_hold(text, text, bigint, text, timestamptz) is 'Ends a hold and frees what it still reserved.';
