create or replace function heller.remove_top_up_rule(p_account_id text, p_unit text default 'credit') returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
begin
  delete from heller.top_up_rules where account_id = p_account_id and unit = p_unit;
  return found;
end $$;
comment on function heller.remove_top_up_rule(text, text) is 'Ends automatic top-ups of an account; false when there was no rule.';
