create or replace function heller.alerts_of(p_account_id text, p_unit text default 'credit') returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._alert_result(row(l.*)::heller.alerts) from heller.alerts l where l.account_id = p_account_id and l.unit = p_unit order by l.threshold
$$;
comment on function heller.alerts_of(text, text) is 'The alerts of an account.';
