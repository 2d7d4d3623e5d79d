create or replace function heller.remove_alert(p_account_id text, p_threshold bigint, p_unit text default 'credit') returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
begin
  delete from heller.alerts where account_id = p_account_id and unit = p_unit and threshold = p_threshold;
  return found;
end $$;
comment on function heller.remove_alert(text, bigint, text) is 'Ends an alert; false when there was none.';
