create or replace function heller.resume_top_up(p_account_id text, p_unit text default 'credit') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  r heller.top_up_rules;
begin
  update heller.top_up_rules set failures = 0, paused_at = null, paused_reason = null
  where account_id = p_account_id and unit = p_unit returning * into r;
  if not found then
    perform heller._fail('HL001', format('account %s has no top-up rule', p_account_id), '{"argument": "account"}');
  end if;
  return heller._top_up_rule_result(r);
end $$;
comment on function heller.resume_top_up(text, text) is 'Ends the pause of a top-up rule after failures.';
