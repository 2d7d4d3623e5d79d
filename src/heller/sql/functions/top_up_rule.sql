create or replace function heller.top_up_rule(p_account_id text, p_unit text default 'credit') returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._top_up_rule_result(row(r.*)::heller.top_up_rules) from heller.top_up_rules r where r.account_id = p_account_id and r.unit = p_unit
$$;
comment on function heller.top_up_rule(text, text) is 'The top-up rule of an account, null when it has none.';
